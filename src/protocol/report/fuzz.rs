//! Entry point of the fuzz target `report` in `tests/fuzz`. An ordinary test runs it on the cases.

use super::{MOST_MEMORY, Reading, Report};
use crate::model::TestFormat;

/// Reads `data` in the format that its first byte says: whole, and in pieces that its second byte
/// says. Panics only if a promise is broken: nothing else panics, both reports are the same, and
/// the reader keeps little (TST-12).
pub fn report(data: &[u8]) {
    let [first, second, text @ ..] = data else {
        return;
    };
    let format = match TestFormat::ALL.get(usize::from(*first) % (TestFormat::ALL.len() + 1)) {
        Some((_, format)) => *format,
        None => TestFormat::Own,
    };
    let whole = read(format, text, text.len().max(1));
    let pieces = read(format, text, usize::from(*second).max(1));
    assert_eq!(whole.tests, pieces.tests, "{format:?}");
    assert_eq!(whole.notes, pieces.notes, "{format:?}");
    assert_eq!(whole.is_complete, pieces.is_complete, "{format:?}");
}

fn read(format: TestFormat, text: &[u8], size: usize) -> Report {
    let mut reading = Reading::new(format);
    for piece in text.chunks(size) {
        reading.feed(piece);
        assert!(reading.memory() <= MOST_MEMORY, "{format:?}");
    }
    reading.finish()
}
