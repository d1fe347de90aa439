//! Output of programs as lines of text.

use super::batch::LONGEST_NAME;
use crate::process::Sink;
use crate::text::Encoding;
use crate::vc::lines::Lines;

/// Passes each line of an output on as it comes, in the encoding of a poller.
#[derive(Debug)]
pub(in crate::changes) struct TextLines<F> {
    lines: Lines,
    encoding: Encoding,
    on_line: F,
}

impl<F: FnMut(&str) + Send> TextLines<F> {
    /// Passes lines to `on_line`.
    pub(in crate::changes) const fn new(encoding: Encoding, on_line: F) -> Self {
        Self {
            lines: Lines::up_to(LONGEST_LINE),
            encoding,
            on_line,
        }
    }

    /// Passes the last line on, if it has no end.
    pub(in crate::changes) fn finish(mut self) {
        let encoding = self.encoding;
        self.lines
            .finish(|line| (self.on_line)(&encoding.decode(line)));
    }
}

impl<F: FnMut(&str) + Send> Sink for TextLines<F> {
    fn take(&mut self, piece: &[u8]) -> bool {
        let (encoding, on_line) = (self.encoding, &mut self.on_line);
        self.lines
            .feed(piece, |line| on_line(&encoding.decode(line)));
        true
    }
}

/// Bytes of a line: room for a name with what is around it.
const LONGEST_LINE: usize = 4 * LONGEST_NAME;
