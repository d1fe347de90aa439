//! Subunit, version 1: results as lines of text (TST-05).

use super::Report;
use super::book::{Found, Same, cut};
use super::lines::LineReader;
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
    /// The last line that is not blank.
    message: String,
    begin: u64,
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
                    message,
                    ..
                }) = self.details.take()
                {
                    let mut found = Found::new(outcome).message(&message);
                    found.place = place;
                    self.tell(&name, found, report);
                }
            } else if !line.trim().is_empty() {
                details.message = cut(line.trim());
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
                message: String::new(),
                begin: report.here(),
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
