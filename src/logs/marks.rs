//! The marks in a log for what was cut from it (LOG-03). They are headers, and shown also where
//! headers are left out.

use std::io;

/// The mark after the part of the output that a limit has let through.
#[must_use]
pub fn output_exceeded(max_bytes: u64) -> String {
    format!("\n{EXCEEDED}{max_bytes}{EXCEEDED_END}\n")
}

/// The mark before the end of the output that was cut.
#[must_use]
pub fn end_follows(bytes: u64) -> String {
    format!("\n{FINAL}{bytes}{FINAL_END}\n")
}

/// The mark in place of text that could not be written.
pub(super) fn missing(bytes: u64, why: &str) -> String {
    format!("\n{bytes}{MISSING}({why})\n")
}

/// Finds the marks among the headers of a log.
#[derive(Debug, Default)]
pub struct Marks {
    /// The last line of the headers so far; at most its first bytes.
    line: Vec<u8>,
}

impl Marks {
    /// Hands the marks in the next piece of headers to `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn pass(
        &mut self,
        headers: &[u8],
        out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for piece in headers.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..room.min(piece.len())]);
            if piece.ends_with(b"\n") {
                if is_mark(&self.line) {
                    out(b"\n")?;
                    out(&self.line)?;
                }
                self.line.clear();
            }
        }
        Ok(())
    }
}

/// Whether a line, with its line feed, is a mark.
fn is_mark(line: &[u8]) -> bool {
    let numbered = |line: &'_ [u8]| {
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0).then(|| line[digits..].to_vec())
    };
    let after = |prefix: &str| line.strip_prefix(prefix.as_bytes()).and_then(numbered);
    let ends = |rest: Option<Vec<u8>>, end: &str| {
        rest.is_some_and(|rest| rest.strip_suffix(b"\n") == Some(end.as_bytes()))
    };
    ends(after(EXCEEDED), EXCEEDED_END)
        || ends(after(FINAL), FINAL_END)
        || numbered(line).is_some_and(|rest| rest.starts_with(MISSING.as_bytes()))
}

const EXCEEDED: &str = "Output exceeded ";
const EXCEEDED_END: &str = " bytes, remaining output has been truncated";
const FINAL: &str = "Final ";
const FINAL_END: &str = " bytes follow below:";
const MISSING: &str = " bytes of this log are missing here: the master could not write them ";
/// Longest mark, in bytes; the reason in it may be long.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The marks among headers that come in pieces of this size.
    fn marks_in(headers: &str, piece: usize) -> String {
        let (mut marks, mut found) = (Marks::default(), Vec::new());
        for piece in headers.as_bytes().chunks(piece) {
            let mut out = |bytes: &[u8]| {
                found.extend_from_slice(bytes);
                Ok(())
            };
            marks.pass(piece, &mut out).unwrap();
        }
        String::from_utf8(found).unwrap()
    }

    #[test]
    fn log_03_marks_are_found_among_other_headers() {
        let marks = [
            output_exceeded(100),
            end_follows(10),
            missing(7, "No space left on device"),
        ];
        let headers = format!(
            "make\nFinal bytes follow below:\n{}program finished{}\nOutput exceeded 3 bytes\n{}",
            marks[0], marks[1], marks[2]
        );
        for piece in [1, 7, 1000] {
            assert_eq!(marks_in(&headers, piece), marks.concat());
        }
        assert_eq!(marks_in(&"x".repeat(5000), 9), "");
    }
}
