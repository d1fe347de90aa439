//! A stream of subunit, version 1: test results as lines of text (`SubunitShellCommand`).

use super::{Ended, Findings, Lines, Reads, amount};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::logs::Channel;
use crate::model::Results;

/// The tests of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    failure_on_no_tests: bool,
    /// The test that runs.
    test: Option<String>,
    /// A result with details, which a line with a bracket ends.
    details: Option<Details>,
    total: u64,
    failures: u64,
    errors: u64,
    skips: u64,
    problems: Lines,
    /// Lines that are not of the protocol.
    others: Lines,
}

/// Details of a result.
#[derive(Clone, Copy, Debug)]
enum Details {
    /// They are shown.
    Shown,
    /// They are passed over.
    Passed,
}

/// What the line of a result says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    Good,
    Skip,
    Failure,
    Error,
}

impl Stream {
    pub(super) fn new(failure_on_no_tests: bool) -> Self {
        Self {
            failure_on_no_tests,
            test: None,
            details: None,
            total: 0,
            failures: 0,
            errors: 0,
            skips: 0,
            problems: Lines::default(),
            others: Lines::default(),
        }
    }

    fn look(&mut self, line: &str) {
        if let Some(details) = self.details {
            if line == "]" {
                self.details = None;
            } else if matches!(details, Details::Shown) {
                let line = line.strip_prefix(' ').unwrap_or(line);
                self.problems.push(line.as_bytes());
            }
            return;
        }
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let (word, rest) = (word.trim_end_matches(':'), rest.trim());
        match word {
            "test" | "testing" if self.test.is_none() => {
                self.test = Some(rest.to_owned());
                self.total += 1;
            }
            "tags" | "time" | "progress" => {}
            _ => match outcome(word) {
                Some(outcome) if self.ends(rest) => self.end(outcome, rest),
                _ => self.others.push(line.as_bytes()),
            },
        }
    }

    /// Whether a result is that of the test that runs.
    fn ends(&self, rest: &str) -> bool {
        let name = rest.trim_end_matches(" [ multipart").trim_end_matches(" [");
        self.test.as_deref() == Some(name)
    }

    fn end(&mut self, outcome: Outcome, rest: &str) {
        let is_bad = matches!(outcome, Outcome::Failure | Outcome::Error);
        match outcome {
            Outcome::Good => {}
            Outcome::Skip => self.skips += 1,
            Outcome::Failure => self.failures += 1,
            Outcome::Error => self.errors += 1,
        }
        if let Some(test) = self.test.take().filter(|_| is_bad) {
            self.problems.push(test.as_bytes());
        }
        if rest.ends_with(" [") || rest.ends_with(" [ multipart") {
            self.details = Some(if is_bad {
                Details::Shown
            } else {
                Details::Passed
            });
        }
    }
}

fn outcome(word: &str) -> Option<Outcome> {
    Some(match word {
        "success" | "successful" | "xfail" | "uxsuccess" => Outcome::Good,
        "skip" => Outcome::Skip,
        "failure" => Outcome::Failure,
        "error" => Outcome::Error,
        _ => return None,
    })
}

impl LineObserver for Stream {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log == STDIO {
            self.look(&String::from_utf8_lossy(line));
        }
    }

    fn tests(&self) -> Option<u64> {
        Some(self.total)
    }
}

impl Reads for Stream {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let mut text = vec![end.step.to_owned()];
        let mut about = None;
        let bad = self.failures + self.errors;
        let result = match (bad, self.total) {
            (0, 0) => {
                text.extend(["no tests", "run"].map(str::to_owned));
                if self.failure_on_no_tests {
                    Results::Failure
                } else {
                    Results::Success
                }
            }
            (0, total) => {
                text.push(amount(total, "test", "tests"));
                text.push("passed".to_owned());
                Results::Success
            }
            (_, total) => {
                text.push(format!("Total {total} test(s)"));
                if self.failures > 0 {
                    text.push(amount(self.failures, "failure", "failures"));
                }
                if self.errors > 0 {
                    text.push(amount(self.errors, "error", "errors"));
                }
                about = Some(vec![amount(bad, "test", "tests")]);
                Results::Failure
            }
        };
        if self.skips > 0 {
            text.push(amount(self.skips, "skip", "skips"));
        }
        let mut findings = Findings {
            result: Some(end.or(result)),
            text: Some(text),
            build_text: about,
            ..Findings::default()
        };
        if !self.problems.is_empty() {
            findings.log("problems", self.problems);
        }
        if !self.others.is_empty() {
            findings.log("warnings", self.others);
        }
        findings
    }
}
