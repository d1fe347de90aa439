//! The output of LLVM's `lit` (TST-05).

use super::Report;
use super::book::{Found, Same};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// The output of a run.
#[derive(Debug, Default)]
pub(super) struct Lit {
    /// The test whose output is shown, and where it begins.
    shown: Option<(TestName, u64)>,
    has_total: bool,
}

impl LineReader for Lit {
    fn line(&mut self, line: &str, report: &mut Report) {
        if line.starts_with("Total Discovered Tests:") || line.starts_with("Testing Time:") {
            self.has_total = true;
            self.shown = None;
        } else if let Some(rest) = line.strip_prefix("******************** TEST '") {
            let name = rest.split_once("' ").map(|(name, _)| name_of(name));
            self.shown = name.map(|name| (name, report.here()));
        } else if line.starts_with("********************") {
            self.shown = None;
        } else if let Some((name, begin)) = &self.shown {
            let line = line.strip_prefix("# ").unwrap_or(line);
            if let Some(message) = line.strip_prefix("error: ") {
                let place = report.since(*begin);
                report.explain(name, message, place);
            }
        } else if let Some((word, rest)) = line.split_once(": ") {
            result(word, rest, report);
        }
    }

    fn end(&mut self, _: &mut Report) -> bool {
        self.has_total
    }
}

fn result(word: &str, rest: &str, report: &mut Report) {
    let Some((test, count)) = rest.rsplit_once(" (") else {
        return;
    };
    if !test.contains(" :: ") {
        return;
    }
    let mut found = match word {
        "PASS" | "FLAKYPASS" => Found::new(TestOutcome::Passed),
        "FAIL" => Found::new(TestOutcome::Failed),
        "XFAIL" => Found::new(TestOutcome::ExpectedFailure),
        "XPASS" => Found::new(TestOutcome::BadSuccess),
        "UNSUPPORTED" | "SKIPPED" | "EXCLUDED" => Found::new(TestOutcome::Skipped),
        "UNRESOLVED" => Found::new(TestOutcome::Error).message("unresolved"),
        "TIMEOUT" => Found::new(TestOutcome::Error).message("timeout"),
        _ => return,
    };
    if word == "FLAKYPASS" {
        found.is_flaky = true;
        let tries = count
            .split_once(", ")
            .and_then(|(_, tries)| tries.split_once(' '));
        let tries: u32 = tries.and_then(|(tries, _)| tries.parse().ok()).unwrap_or(2);
        found.more_attempts = tries.saturating_sub(1);
    }
    report.add(&name_of(test), found, Same::Another);
}

fn name_of(test: &str) -> TestName {
    let (suite, path) = test.split_once(" :: ").unwrap_or(("", test));
    TestName::new([suite.trim(), path.trim()])
}
