//! The output of GoogleTest (TST-05).

use super::Report;
use super::book::{Found, Same, secs};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// The output of one program, or of several one after the other.
#[derive(Debug, Default)]
pub(super) struct Gtest {
    /// The test that runs, its first line, and where it begins.
    running: Option<(String, String, u64)>,
    /// Whether the list at the end of a program is being read.
    is_list: bool,
    has_ended: bool,
}

impl Gtest {
    fn end_test(&mut self, outcome: TestOutcome, rest: &str, report: &mut Report) {
        let (name, time) = rest.rsplit_once(" (").unwrap_or((rest, ""));
        let name = name.split_once(", where ").map_or(name, |(name, _)| name);
        let time = time.trim_end().strip_suffix(" ms)").and_then(secs);
        let (running, message, begin) = self.running.take().unwrap_or_default();
        let mut found = Found::new(outcome).secs(time.map(|ms| ms / 1000.0));
        if running == name.trim() && outcome != TestOutcome::Passed {
            found = found.message(&message);
            found.place = report.since(begin);
        }
        report.add(&name_of(name.trim()), found, Same::Another);
    }

    /// Ends a test that has no result.
    fn give_up(&mut self, report: &mut Report) {
        if let Some((name, ..)) = self.running.take() {
            let found = Found::new(TestOutcome::Error).message("did not end");
            report.add(&name_of(&name), found, Same::Another);
        }
    }
}

impl LineReader for Gtest {
    fn line(&mut self, line: &str, report: &mut Report) {
        if let Some(rest) = line.strip_prefix("[==========] ") {
            let has_begun = rest.starts_with("Running ");
            if has_begun {
                self.give_up(report);
            }
            self.has_ended = !has_begun && rest.contains(" ran.");
            self.is_list = self.has_ended;
            return;
        }
        if self.is_list {
            return;
        }
        // What a test prints without a line end stands in front.
        for (mark, outcome) in [
            ("[       OK ] ", TestOutcome::Passed),
            ("[  FAILED  ] ", TestOutcome::Failed),
            ("[  SKIPPED ] ", TestOutcome::Skipped),
        ] {
            if let Some((_, rest)) = line.split_once(mark) {
                return self.end_test(outcome, rest, report);
            }
        }
        if let Some(name) = line.strip_prefix("[ RUN      ] ") {
            self.give_up(report);
            self.has_ended = false;
            self.running = Some((name.trim().to_owned(), String::new(), report.here()));
        } else if let Some((_, message, _)) = &mut self.running
            && message.is_empty()
        {
            *message = super::book::cut(line.trim());
        }
    }

    fn end(&mut self, report: &mut Report) -> bool {
        self.give_up(report);
        self.has_ended
    }
}

fn name_of(name: &str) -> TestName {
    let (suite, test) = name.split_once('.').unwrap_or(("", name));
    TestName::new([suite, test])
}
