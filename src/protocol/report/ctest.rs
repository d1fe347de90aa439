//! The output of CMake's `ctest` (TST-05).

use super::Report;
use super::book::{Found, Same, secs};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// The output of a run.
#[derive(Debug, Default)]
pub(super) struct Ctest {
    has_total: bool,
}

impl LineReader for Ctest {
    fn line(&mut self, line: &str, report: &mut Report) {
        let line = line.trim();
        if line.contains("% tests passed") && line.contains(" out of ") {
            self.has_total = true;
            return;
        }
        let Some((before, rest)) = line.split_once("Test ") else {
            return;
        };
        let is_result = before
            .trim()
            .chars()
            .all(|c| c.is_ascii_digit() || c == '/');
        let Some((number, rest)) = rest
            .trim_start()
            .strip_prefix('#')
            .and_then(|r| r.split_once(": "))
        else {
            return;
        };
        let Some((name, result)) = rest.split_once(" ..") else {
            return;
        };
        if !is_result || number.parse::<u64>().is_err() {
            return;
        }
        let result = result.trim_start_matches('.').trim();
        let (result, time) = match result.strip_suffix(" sec") {
            Some(timed) => timed.rsplit_once(' ').unwrap_or((timed, "")),
            None => (result, ""),
        };
        let result = result.trim();
        let found = match result.strip_prefix("***") {
            None if result == "Passed" => Found::new(TestOutcome::Passed),
            None => return,
            Some(word) if word.starts_with("Failed") => Found::new(TestOutcome::Failed),
            Some(word) if word.starts_with("Skipped") || word.contains("Disabled") => {
                Found::new(TestOutcome::Skipped).message(word)
            }
            Some(word) => Found::new(TestOutcome::Error).message(word),
        };
        // A test that is repeated has the same number.
        let scope = number.parse().unwrap_or(0);
        let name = TestName::new([name.trim()]);
        report.add(&name, found.secs(secs(time)), Same::Attempt(scope));
    }

    fn end(&mut self, _: &mut Report) -> bool {
        self.has_total
    }
}
