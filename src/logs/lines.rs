//! Counts and finds line feeds.

/// The number of line feeds in `bytes`.
pub(super) fn count(bytes: &[u8]) -> u64 {
    // Sums of at most 255 fit into bytes, which the compiler adds up many at a time.
    let sum = |piece: &[u8]| {
        piece
            .iter()
            .map(|byte| u8::from(*byte == b'\n'))
            .sum::<u8>()
    };
    bytes.chunks(255).map(|piece| u64::from(sum(piece))).sum()
}

/// The position after the line feed number `number` (from 1) in `bytes`, if it is there.
pub(super) fn after(bytes: &[u8], number: u64) -> Option<u64> {
    let nth = usize::try_from(number.checked_sub(1)?).ok()?;
    let mut feeds = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let (at, _) = feeds.nth(nth)?;
    u64::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_feeds_are_counted_and_found() {
        let bytes: Vec<u8> = b"a\n\nbc\n".repeat(1000);
        assert_eq!(count(&bytes), 3000);
        assert_eq!(after(&bytes, 1), Some(2));
        assert_eq!(after(&bytes, 2), Some(3));
        assert_eq!(after(&bytes, 4), Some(8));
        assert_eq!(after(&bytes, 3000), Some(6000));
        assert_eq!(after(&bytes, 3001), None);
        assert_eq!(after(&bytes, 0), None);
        assert_eq!((count(b""), after(b"", 1)), (0, None));
        assert_eq!(count(&[b'\n'; 1000]), 1000);
    }
}
