//! The output of `cargo nextest` (TST-05).

use super::Report;
use super::book::{Found, Same, secs};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// The output of a run.
#[derive(Debug, Default)]
pub(super) struct Nextest {
    /// Behind the summary, results are repeated.
    has_summary: bool,
}

/// Words for results are right-aligned to this column.
const COLUMN: usize = 12;

impl LineReader for Nextest {
    fn line(&mut self, line: &str, report: &mut Report) {
        let Some((word, rest)) = line.split_at_checked(COLUMN) else {
            return;
        };
        let Some(rest) = rest.strip_prefix(" [") else {
            return;
        };
        let word = word.trim_start();
        if word == "Summary" {
            self.has_summary = true;
        }
        if self.has_summary {
            return;
        }
        let word = match word.strip_prefix("TRY ") {
            Some(tried) => tried.split_once(' ').map_or(tried, |(_, word)| word),
            None => word,
        };
        let found = match word {
            "PASS" | "LEAK" => Found::new(TestOutcome::Passed),
            "FAIL" | "LEAK-FAIL" | "FL+LK" => Found::new(TestOutcome::Failed),
            "SKIP" => Found::new(TestOutcome::Skipped),
            "TIMEOUT" | "TMT" => Found::new(TestOutcome::Error).message("timeout"),
            "ABORT" => Found::new(TestOutcome::Error).message(word),
            signal if signal.starts_with("SIG") => Found::new(TestOutcome::Error).message(signal),
            _ => return,
        };
        let Some((time, test)) = rest.split_once("] ") else {
            return;
        };
        // Which of how many it is, is not always said.
        let test = test.trim_start();
        let test = match test.strip_prefix('(') {
            Some(count) => count.split_once(") ").map_or(test, |(_, test)| test),
            None => test,
        };
        let Some((binary, path)) = test.trim().split_once(' ') else {
            return;
        };
        let found = found.secs(secs(time.trim().trim_end_matches('s')));
        let name = TestName::new([binary, path.trim()]);
        report.add(&name, found, Same::Attempt(0));
    }

    fn end(&mut self, _: &mut Report) -> bool {
        self.has_summary
    }
}
