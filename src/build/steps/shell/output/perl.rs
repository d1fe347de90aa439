//! The summary of `prove`, of old and new versions of Test::Harness (`PerlModuleTest`).

use std::sync::LazyLock;

use regex::Regex;

use super::warnings::Counting;
use super::{Ended, Findings, Reads, regex};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::config::{Suppression, WarningRules};
use crate::logs::Channel;
use crate::model::Results;

/// The tests that `prove` has run.
#[derive(Debug)]
pub(super) struct Tests {
    warnings: Counting,
    /// Lines to pass over before those of the summary; absent where there is none.
    summary: Option<u8>,
    /// Warnings in the lines that are looked at.
    seen_warnings: u64,
    has_failed: bool,
    failed: u64,
    total: u64,
    /// Of an old version: whether its first line of a result was seen.
    is_old: bool,
}

impl Tests {
    pub(super) fn new(rules: &WarningRules, further: Vec<Suppression>) -> Self {
        Self {
            warnings: Counting::new(rules, further),
            summary: None,
            seen_warnings: 0,
            has_failed: false,
            failed: 0,
            total: 0,
            is_old: false,
        }
    }

    fn look(&mut self, line: &str) {
        self.warnings.look(line);
        match &mut self.summary {
            None if line == "Test Summary Report" => {
                // What was read as if of an old version does not count.
                self.summary = Some(1);
                self.seen_warnings = 0;
                self.has_failed = false;
                self.failed = 0;
                self.total = 0;
                return;
            }
            Some(pass_over) if *pass_over > 0 => {
                *pass_over -= 1;
                return;
            }
            None => self.look_old(line),
            Some(_) => self.look_new(line),
        }
        if self.warnings.is_warning(line) {
            self.seen_warnings += 1;
        }
    }

    fn look_new(&mut self, line: &str) {
        static LINE: LazyLock<Regex> = LazyLock::new(|| {
            regex(r"^Result: (PASS|FAIL)$|Tests: \d+ Failed: (\d+)\)|Files=\d+, Tests=(\d+)")
        });
        let Some(found) = LINE.captures(line) else {
            return;
        };
        self.has_failed |= found.get(1).is_some_and(|result| result.as_str() == "FAIL");
        self.failed += number(&found, 2).unwrap_or(0);
        self.total = number(&found, 3).unwrap_or(self.total);
    }

    fn look_old(&mut self, line: &str) {
        static LINE: LazyLock<Regex> = LazyLock::new(|| {
            regex(r"^(All tests successful)|(\d+)/(\d+) subtests failed|Files=\d+, Tests=(\d+),")
        });
        let Some(found) = LINE.captures(line) else {
            return;
        };
        if !self.is_old {
            self.is_old = true;
            if let Some(failed) = number(&found, 2) {
                self.failed = failed;
                self.total = number(&found, 3).unwrap_or(0);
                self.has_failed = true;
            }
        } else if !self.has_failed && self.total == 0 {
            self.total = number(&found, 4).unwrap_or(0);
        }
    }
}

fn number(found: &regex::Captures<'_>, group: usize) -> Option<u64> {
    found.get(group)?.as_str().parse().ok()
}

impl LineObserver for Tests {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log == STDIO {
            self.look(&String::from_utf8_lossy(line));
        }
    }
}

impl Reads for Tests {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let warnings = self.seen_warnings;
        let mut findings = self.warnings.findings(end);
        findings.result = Some(end.or(match warnings {
            _ if self.has_failed => Results::Failure,
            0 => Results::Success,
            _ => Results::Warnings,
        }));
        if self.total > 0 {
            let passed = self.total.saturating_sub(self.failed);
            for (name, count) in [
                ("tests-total", self.total),
                ("tests-failed", self.failed),
                ("tests-passed", passed),
                ("tests-warnings", warnings),
            ] {
                findings.statistic(name, count);
            }
            for (count, what) in [
                (self.total, "tests"),
                (passed, "passed"),
                (warnings, "warnings"),
                (self.failed, "failed"),
            ] {
                if count > 0 {
                    findings.done.push(format!("{count} {what}"));
                }
            }
        }
        findings
    }
}
