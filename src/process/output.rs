//! Where the output of a program goes.

/// Where one output stream of a program goes.
pub enum Output<'a> {
    /// Where that of this process goes.
    Inherited,
    /// Nowhere.
    Discarded,
    /// To a sink.
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

/// Takes the output of a program, a piece at a time.
pub trait Sink: Send {
    /// Takes a piece. `false` says that the program writes too much and is to be ended.
    fn take(&mut self, piece: &[u8]) -> bool;
}

/// Keeps an output whole; one that is longer than the limit ends the program.
#[derive(Debug)]
pub struct Whole {
    /// What was written so far.
    pub bytes: Vec<u8>,
    limit: usize,
}

impl Whole {
    /// For an output of at most `limit` bytes.
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
    /// What was kept so far.
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

/// Splits an output into lines, hands each to a function, and keeps the first line and the last one
/// that is not empty. Lines lose control characters, the blanks around them, and what is longer than
/// [`Lines::LONGEST`] bytes.
#[derive(Debug)]
pub struct Lines<F> {
    first: Option<String>,
    last: String,
    line: Vec<u8>,
    on_line: F,
}

impl<F: FnMut(&str) + Send> Lines<F> {
    /// Bytes of a line that are kept.
    pub const LONGEST: usize = 1024;

    /// Hands each line to `on_line`.
    pub const fn new(on_line: F) -> Self {
        Self {
            first: None,
            last: String::new(),
            line: Vec::new(),
            on_line,
        }
    }

    /// The first line, and the last one that is not empty.
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
