//! The output of `cargo test` (TST-05).

use super::Report;
use super::book::{Found, Same, cut, secs};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// The output of the programs of tests, one after the other.
#[derive(Debug, Default)]
pub(super) struct Libtest {
    /// The program, without its hash.
    binary: Option<String>,
    part: Part,
    /// A test whose result is on a later line.
    open: Option<String>,
    /// A failure whose message comes next: the test, where its text begins, and its message.
    failure: Option<(String, u64, String)>,
    has_result: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Part {
    /// Between programs.
    #[default]
    Outside,
    /// Results.
    Results,
    /// What the failed tests printed.
    Failures,
}

impl Libtest {
    fn name(&self, test: &str) -> TestName {
        let test = test.trim_end();
        let test = test.strip_suffix(" - should panic").unwrap_or(test);
        TestName::new([self.binary.as_deref().unwrap_or("-"), test])
    }

    fn tell(&mut self, test: &str, found: Found, report: &mut Report) {
        if self.open.as_deref() == Some(test) {
            self.open = None;
        }
        let name = self.name(test);
        report.add(&name, found, Same::Another);
    }

    fn outside(&mut self, line: &str) {
        let line = line.trim();
        if let Some(what) = line.strip_prefix("Running ") {
            let path = what.rsplit_once('(').map_or(what, |(_, path)| path);
            let path = path.trim_end_matches([')', '`']);
            let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
            let file = file.strip_suffix(".exe").unwrap_or(file);
            let is_hash = |end: &str| end.len() == 16 && end.bytes().all(|b| b.is_ascii_hexdigit());
            let name = file.rsplit_once('-').filter(|(_, end)| is_hash(end));
            self.binary = Some(cut(name.map_or(file, |(name, _)| name)));
        } else if let Some(name) = line.strip_prefix("Doc-tests ") {
            self.binary = Some(cut(&format!("{name} doc")));
        } else if let Some(rest) = line.strip_prefix("running ")
            && (rest.ends_with(" tests") || rest.ends_with(" test"))
        {
            (self.part, self.has_result) = (Part::Results, false);
        }
    }

    fn result(&mut self, line: &str, report: &mut Report) {
        if let Some((test, result)) = line
            .strip_prefix("test ")
            .and_then(|t| t.split_once(" ... "))
        {
            match outcome(result) {
                Some(found) => self.tell(test, found, report),
                None => self.open = Some(cut(test)),
            }
            return;
        }
        // A test's output may stand between its name and its result.
        if let Some(test) = line
            .strip_prefix("test ")
            .and_then(|t| t.strip_suffix(" ..."))
        {
            self.open = Some(cut(test));
        } else if let Some(found) = outcome(line)
            && let Some(test) = self.open.take()
        {
            self.tell(&test, found, report);
        }
    }

    fn failure(&mut self, line: &str, report: &mut Report) {
        if let Some(rest) = line.strip_prefix("---- ") {
            self.end_failure(report);
            if let Some((test, _)) = rest.split_once(" stdout ----") {
                self.failure = Some((cut(test), report.here(), String::new()));
            }
        } else if let Some((_, _, message)) = &mut self.failure {
            if let Some((_, old)) = line.split_once(" panicked at '") {
                *message = cut(old.rsplit_once("', ").map_or(old, |(text, _)| text));
            } else if line.contains(" panicked at ") {
                // The message is on the next line.
                message.clear();
            } else if message.is_empty() && !line.starts_with("note: ") {
                *message = cut(line.trim());
            }
        }
    }

    fn end_failure(&mut self, report: &mut Report) {
        if let Some((test, begin, message)) = self.failure.take() {
            report.explain(&self.name(&test), &message, report.since(begin));
        }
    }
}

impl LineReader for Libtest {
    fn line(&mut self, line: &str, report: &mut Report) {
        if line.starts_with("test result: ") {
            self.end_failure(report);
            (self.part, self.has_result, self.open) = (Part::Outside, true, None);
            return;
        }
        match self.part {
            Part::Outside => self.outside(line),
            Part::Results if line == "failures:" => self.part = Part::Failures,
            Part::Results => self.result(line, report),
            Part::Failures if line == "failures:" => self.end_failure(report),
            Part::Failures => self.failure(line, report),
        }
    }

    fn end(&mut self, report: &mut Report) -> bool {
        self.end_failure(report);
        if let Some(test) = self.open.take() {
            let found = Found::new(TestOutcome::Error).message("did not end");
            self.tell(&test, found, report);
        }
        self.has_result
    }
}

/// The result that a line ends with.
fn outcome(text: &str) -> Option<Found> {
    let text = text.trim();
    // With report-time, the time follows.
    let (text, time) = match text.strip_suffix("s>").and_then(|t| t.rsplit_once(" <")) {
        Some((text, time)) => (text, secs(time)),
        None => (text, None),
    };
    let found = match text {
        "ok" => Found::new(TestOutcome::Passed),
        "FAILED" => Found::new(TestOutcome::Failed),
        "ignored" => Found::new(TestOutcome::Skipped),
        text => match text.strip_prefix("ignored, ") {
            Some(why) => Found::new(TestOutcome::Skipped).message(why),
            None if text.starts_with("bench:") => Found::new(TestOutcome::Passed),
            None => return None,
        },
    };
    Some(found.secs(time))
}
