//! Destinations for the output of a program.

/// The destination of an output stream.
pub enum Output<'a> {
    /// The same stream of this process.
    Inherited,
    /// Discarded.
    Discarded,
    /// A sink.
    To(&'a mut dyn Sink),
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Inherited => "Inherited",
            Self::Discarded => "Discarded",
            Self::To(_) => "To(..)",
        })
    }
}

/// Receives the output of a program in pieces.
pub trait Sink: Send {
    /// Receives a piece. Returns `false` if the program has written too much and must be ended.
    fn take(&mut self, piece: &[u8]) -> bool;
}

/// Keeps the whole output. Output beyond the limit ends the program.
#[derive(Debug)]
pub struct Whole {
    /// The output so far.
    pub bytes: Vec<u8>,
    limit: usize,
}

impl Whole {
    /// A sink for at most `limit` bytes.
    #[must_use]
    pub const fn up_to(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
        }
    }
}

impl Sink for Whole {
    fn take(&mut self, piece: &[u8]) -> bool {
        let fits = self.bytes.len() + piece.len() <= self.limit;
        if fits {
            self.bytes.extend_from_slice(piece);
        }
        fits
    }
}

/// Keeps the beginning of an output and drops the rest.
#[derive(Debug)]
pub struct Beginning {
    /// The kept output.
    pub bytes: Vec<u8>,
    limit: usize,
}

impl Beginning {
    /// Keeps at most `limit` bytes.
    #[must_use]
    pub const fn up_to(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
        }
    }
}

impl Sink for Beginning {
    fn take(&mut self, piece: &[u8]) -> bool {
        let room = self.limit.saturating_sub(self.bytes.len());
        self.bytes.extend(piece.iter().take(room));
        true
    }
}

/// Splits output into lines, passes each line to a function, and keeps the first line and the last
/// non-empty line. Control characters and surrounding blanks are removed, and lines are cut after
/// [`Lines::LONGEST`] bytes.
#[derive(Debug)]
pub struct Lines<F> {
    first: Option<String>,
    last: String,
    line: Vec<u8>,
    on_line: F,
}

impl<F: FnMut(&str) + Send> Lines<F> {
    /// Maximum number of bytes of a line to keep.
    pub const LONGEST: usize = 1024;

    /// Passes each line to `on_line`.
    pub const fn new(on_line: F) -> Self {
        Self {
            first: None,
            last: String::new(),
            line: Vec::new(),
            on_line,
        }
    }

    /// The first line and the last non-empty line.
    pub fn finish(mut self) -> (String, String) {
        if !self.line.is_empty() {
            self.end_line();
        }
        (self.first.unwrap_or_default(), self.last)
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line: String = line.trim().chars().filter(|c| !c.is_control()).collect();
        self.line.clear();
        (self.on_line)(&line);
        if self.first.is_none() {
            self.first = Some(line.clone());
        }
        if !line.is_empty() {
            self.last = line;
        }
    }
}

impl<F: FnMut(&str) + Send> Sink for Lines<F> {
    fn take(&mut self, piece: &[u8]) -> bool {
        for &byte in piece {
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < Self::LONGEST {
                self.line.push(byte);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_output_has_room_for_its_limit_and_no_more() {
        let mut whole = Whole::up_to(5);
        assert!(whole.take(b"abc") && whole.take(b"de"));
        assert!(!whole.take(b"f"));
        assert_eq!(whole.bytes, b"abcde");
    }

    #[test]
    fn the_rest_after_a_beginning_is_dropped() {
        let mut beginning = Beginning::up_to(4);
        assert!(beginning.take(b"abc") && beginning.take(b"def") && beginning.take(b"g"));
        assert_eq!(beginning.bytes, b"abcd");
    }

    #[test]
    fn lines_are_handed_on_and_the_first_and_the_last_are_kept() {
        let mut seen = Vec::new();
        let mut lines = Lines::new(|line: &str| seen.push(line.to_owned()));
        assert!(lines.take(b" one\r\ntw") && lines.take(b"o\x1b[2J\n\nunfinished"));
        let ends = lines.finish();
        assert_eq!(ends, ("one".to_owned(), "unfinished".to_owned()));
        assert_eq!(seen, ["one", "two[2J", "", "unfinished"]);
    }

    #[test]
    fn an_empty_output_has_empty_lines() {
        assert_eq!(Lines::new(|_| ()).finish(), Default::default());
    }

    #[test]
    fn lines_are_cut_at_the_limit() {
        let longest = Lines::<fn(&str)>::LONGEST;
        for (length, kept) in [(longest, longest), (longest + 1, longest)] {
            let mut lines = Lines::new(|_| ());
            lines.take(&vec![b'x'; length]);
            lines.take(b"\nsecond\r\n");
            let (first, last) = lines.finish();
            assert_eq!((first.len(), last.as_str()), (kept, "second"));
        }
    }
}
