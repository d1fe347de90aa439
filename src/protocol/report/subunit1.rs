//! Subunit, version 1: results as lines of text (TST-05).

use super::Report;
use super::book::{Found, Same, cut};
use super::lines::LineReader;
use super::saying::Saying;
use crate::model::{TestName, TestOutcome};

/// A stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The test that runs.
    test: Option<String>,
    /// A result with details, which a line with a bracket ends.
    details: Option<Details>,
}

#[derive(Debug)]
struct Details {
    name: String,
    outcome: TestOutcome,
    saying: Saying,
    begin: u64,
    /// What comes next of details that have several parts.
    next: Option<Next>,
}

/// What comes next of details in parts: each has a type, a name, and pieces with their lengths.
#[derive(Clone, Copy, Debug)]
enum Next {
    Type,
    Name,
    /// The length of a piece, as a hexadecimal number; 0 ends the part.
    Length,
    /// So many bytes of a piece.
    Piece(usize),
}

impl Details {
    /// Takes a line.
    fn line(&mut self, line: &str) {
        self.next = match self.next {
            None => {
                self.saying.take(line);
                None
            }
            Some(Next::Type) => Some(Next::Name),
            Some(Next::Name) => Some(Next::Length),
            Some(Next::Length) => Some(after_length(line)),
            Some(Next::Piece(left)) => Some(match line.split_at_checked(left) {
                // The end of a piece may be in a line.
                Some((end, length)) => {
                    self.saying.take(end);
                    after_length(length)
                }
                None => {
                    self.saying.take(line);
                    match left.saturating_sub(line.len()) {
                        0 | 1 => Next::Length,
                        left => Next::Piece(left - 1),
                    }
                }
            }),
        };
    }
}

fn after_length(length: &str) -> Next {
    match usize::from_str_radix(length.trim(), 16) {
        Ok(0) | Err(_) => Next::Type,
        Ok(length) => Next::Piece(length),
    }
}

impl Stream {
    fn tell(&mut self, name: &str, found: Found, report: &mut Report) {
        if self.test.as_deref() == Some(name) {
            self.test = None;
        }
        report.add(&TestName::new([name]), found, Same::Another);
    }

    /// Ends a test that has no result.
    fn give_up(&mut self, report: &mut Report) -> bool {
        let Some(test) = self.test.take() else {
            return false;
        };
        let found = Found::new(TestOutcome::Error).message("did not end");
        report.add(&TestName::new([test.as_str()]), found, Same::Another);
        true
    }
}

impl LineReader for Stream {
    fn line(&mut self, line: &str, report: &mut Report) {
        if let Some(details) = &mut self.details {
            if line == "]" {
                let place = report.since(details.begin);
                if let Some(Details {
                    name,
                    outcome,
                    saying,
                    ..
                }) = self.details.take()
                {
                    let mut found = Found::new(outcome).message(&saying.line());
                    found.place = place;
                    self.tell(&name, found, report);
                }
            } else {
                details.line(line);
            }
            return;
        }
        let Some((word, rest)) = line.split_once([' ', '\t']) else {
            return;
        };
        let Some(word) = word.strip_suffix(':').or(Some(word)) else {
            return;
        };
        let rest = rest.trim();
        let outcome = match word {
            "test" | "testing" => {
                self.give_up(report);
                self.test = Some(cut(rest));
                return;
            }
            "success" | "successful" => TestOutcome::Passed,
            "failure" => TestOutcome::Failed,
            "error" => TestOutcome::Error,
            "skip" => TestOutcome::Skipped,
            "xfail" => TestOutcome::ExpectedFailure,
            "uxsuccess" => TestOutcome::BadSuccess,
            _ => return,
        };
        // Without a colon it is a line of the protocol only where a test runs.
        let has_colon = line.starts_with(&format!("{word}:"));
        let opened = rest.strip_suffix("[ multipart").or(rest.strip_suffix('['));
        let name = opened.unwrap_or(rest).trim_end();
        if name.is_empty() || !has_colon && self.test.as_deref() != Some(name) {
            return;
        }
        if opened.is_some() {
            self.details = Some(Details {
                name: cut(name),
                outcome,
                saying: Saying::default(),
                begin: report.here(),
                next: rest.ends_with("[ multipart").then_some(Next::Type),
            });
        } else {
            self.tell(name, Found::new(outcome), report);
        }
    }

    fn end(&mut self, report: &mut Report) -> bool {
        let is_open = self.details.is_some();
        if let Some(details) = self.details.take() {
            self.test = Some(details.name);
        }
        !self.give_up(report) && !is_open
    }
}
