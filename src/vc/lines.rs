//! Lines of a text that comes in pieces.

/// Splits pieces into lines. A line is cut after a number of bytes, so that memory is bounded.
#[derive(Debug)]
pub(crate) struct Lines {
    line: Vec<u8>,
    longest: usize,
}

impl Lines {
    /// Keeps at most `longest` bytes of a line.
    pub(crate) const fn up_to(longest: usize) -> Self {
        Self {
            line: Vec::new(),
            longest,
        }
    }

    /// Reads a piece, and passes each line that ends in it on, without its end.
    pub(crate) fn feed(&mut self, piece: &[u8], mut on_line: impl FnMut(&[u8])) {
        let mut rest = piece;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (head, tail) = rest.split_at(at);
            self.extend(head);
            on_line(self.line.strip_suffix(b"\r").unwrap_or(&self.line));
            self.line.clear();
            rest = tail.get(1..).unwrap_or_default();
        }
        self.extend(rest);
    }

    /// Passes on the last line, if it has no end.
    pub(crate) fn finish(mut self, mut on_line: impl FnMut(&[u8])) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            on_line(&line);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = self.longest.saturating_sub(self.line.len());
        self.line.extend(bytes.iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_text_is_cut() {
        let text = b"one\r\n\nthree is long\nfour";
        for size in 1..=text.len() {
            let (mut lines, mut found) = (Lines::up_to(8), Vec::new());
            for piece in text.chunks(size) {
                lines.feed(piece, |line| found.push(line.to_vec()));
            }
            lines.finish(|line| found.push(line.to_vec()));
            let expected: [&[u8]; 4] = [b"one", b"", b"three is", b"four"];
            assert_eq!(found, expected, "{size}");
        }
    }
}
