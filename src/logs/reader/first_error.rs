//! The lines of a log that say what went wrong.

use std::io;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Line, LogReader, pattern};
use crate::logs::Channel;
use crate::text::printable;

/// What error messages look like.
static USUAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let like = [
        r"\b(fatal |internal )?[Ee]rror(\[\w+\]|\s+\w*\d+)?:",
        r"\bERROR\b",
        r"\bFAIL(ED|URE)?\b",
        r"^Traceback ",
        r"\bpanicked at\b",
        r"\bfatal:",
        r"\b[Aa]ssertion\b.*\bfailed\b",
        r"\bundefined reference\b",
        r"\bcommand not found\b",
        r"\bNo such file or directory\b",
        r"\bSegmentation fault\b",
        r"\bNo space left on device\b",
        r"\bDisk quota exceeded\b",
    ];
    pattern(&format!("/{}/", like.join("|"))).ok()
});

/// How much of the end of a log is searched for usual errors: one block of the search.
const END: u64 = 1 << 20;

/// How many blocks of the search are searched for the errors of the step's own pattern.
const OWN_BLOCKS: usize = 64;

/// How many lines are looked at that may be errors: a command may have the words of one.
const HITS: usize = 60;

/// How many lines are looked through for one of standard error.
const LOOKED_THROUGH: usize = 2000;

/// Most characters of the line that are handed out.
const LONGEST: usize = 300;

impl LogReader {
    /// The first of [`LogReader::errors`].
    ///
    /// # Errors
    /// Reading failed.
    pub fn first_error(&mut self, own: Option<&Regex>) -> io::Result<Option<(u64, String)>> {
        Ok(self.errors(own, 1)?.pop())
    }

    /// The numbers and the texts of the first `most` lines that match `own`, the pattern of the
    /// step; else of those in the last MiB that look like errors of usual programs; else of the
    /// first line there of standard error. Only the output of commands counts. Standard error comes
    /// last, since version control systems and compilers tell their progress there.
    ///
    /// # Errors
    /// Reading failed.
    pub fn errors(&mut self, own: Option<&Regex>, most: usize) -> io::Result<Vec<(u64, String)>> {
        if let Some(own) = own {
            let mut blocks = 0;
            let mut go_on = || {
                blocks += 1;
                blocks < OWN_BLOCKS
            };
            let found = self.search(own, 0, HITS, &mut go_on)?;
            let errors = self.output_among(found.hits.iter().map(|hit| hit.line), most)?;
            if !errors.is_empty() {
                return Ok(errors);
            }
        }
        let from = self.extent()?.bytes.saturating_sub(END);
        if let Some(usual) = USUAL.as_ref() {
            let found = self.search(usual, from, HITS, &mut || false)?;
            let errors = self.output_among(found.hits.iter().map(|hit| hit.line), most)?;
            if !errors.is_empty() {
                return Ok(errors);
            }
        }
        Ok(Vec::from_iter(self.first_of_standard_error(from)?))
    }

    /// The first `most` of these lines that are of the output of a command, and not of what is told
    /// about the command.
    fn output_among(
        &mut self,
        lines: impl Iterator<Item = u64>,
        most: usize,
    ) -> io::Result<Vec<(u64, String)>> {
        let mut output = Vec::new();
        for number in lines {
            if output.len() == most {
                break;
            }
            let window = self.window(number, 1)?;
            let is_output = |line: &&Line| {
                let mut pieces = line.pieces.iter();
                pieces.any(|piece| piece.channel != Channel::Header)
            };
            if let Some(line) = window.lines.first().filter(is_output) {
                output.push((number, text_of(line)));
            }
        }
        Ok(output)
    }

    fn first_of_standard_error(&mut self, from: u64) -> io::Result<Option<(u64, String)>> {
        let first = match from {
            0 => 1,
            // The line that this byte is in is not whole in the part that counts.
            _ => self.seek_byte(from)?.place().feeds + 2,
        };
        let window = self.window(first, LOOKED_THROUGH)?;
        let has_stderr = |line: &&Line| {
            let mut pieces = line.pieces.iter();
            pieces.any(|piece| piece.channel == Channel::Stderr)
        };
        let mut lines = window.lines.iter().filter(has_stderr);
        let line = lines.find(|line| !text_of(line).is_empty());
        Ok(line.map(|line| (line.number, text_of(line))))
    }
}

/// The text of a line for people: what stands after the last carriage return, without colours.
fn text_of(line: &Line) -> String {
    let text = line.plain();
    let shown = text.trim_end().rsplit('\r').next().unwrap_or_default();
    let shown: String = shown.trim().chars().take(LONGEST).collect();
    printable(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_messages_of_usual_programs_are_found() {
        let pattern = USUAL.as_ref().expect("it is a pattern");
        for (line, is_error) in [
            ("src/a.c:3:1: error: expected ';'", true),
            ("include\\a.h(118): error C2061: syntax error", true),
            ("error[E0382]: borrow of moved value", true),
            (
                "==31877==ERROR: AddressSanitizer: heap-buffer-overflow",
                true,
            ),
            ("Traceback (most recent call last):", true),
            ("thread 'main' panicked at src/main.rs:1:1:", true),
            ("fatal: not a git repository", true),
            ("test_a ... FAILED", true),
            ("a.c:1: undefined reference to `x'", true),
            ("sh: 1: nosuch: command not found", true),
            ("0 errors, 0 warnings", false),
            ("  OK test_error_handling", false),
            ("terror: a film", false),
        ] {
            assert_eq!(pattern.is_match(line.as_bytes()), is_error, "{line}");
        }
    }
}
