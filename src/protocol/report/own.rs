//! One JSON object a test, as commands of the configuration write it (TST-05).

use serde::Deserialize;

use super::Report;
use super::book::{Found, Same};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// The output of a command.
#[derive(Debug, Default)]
pub(super) struct Own {
    is_complete: bool,
}

/// A line: a test, or that all tests were given.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    name: Option<Name>,
    #[serde(default)]
    outcome: Option<TestOutcome>,
    #[serde(default)]
    secs: Option<f64>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    flaky: bool,
    #[serde(default)]
    offset: Option<u64>,
    #[serde(default)]
    length: u64,
    #[serde(default)]
    complete: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    One(String),
    Parts(Vec<String>),
}

impl LineReader for Own {
    fn line(&mut self, line: &str, report: &mut Report) {
        // Places are those in the log that the program reads.
        report.at(0, 0);
        if line.trim().is_empty() {
            return;
        }
        let Ok(line) = serde_json::from_str::<Line>(line) else {
            report.note("a line of the command is not a test".to_owned());
            return;
        };
        self.is_complete |= line.complete;
        let name = match &line.name {
            Some(Name::One(name)) => TestName::new([name.as_str()]),
            Some(Name::Parts(parts)) => TestName::new(parts.iter().map(String::as_str)),
            None => return,
        };
        let Some(outcome) = line.outcome else {
            report.note("a test of the command has no outcome".to_owned());
            return;
        };
        let mut found = Found::new(outcome).secs(line.secs).message(&line.message);
        found.more_attempts = line.attempts.saturating_sub(1);
        found.is_flaky = line.flaky;
        found.place = line.offset.map(|offset| (offset, line.length));
        report.add(&name, found, Same::Another);
    }

    fn end(&mut self, _: &mut Report) -> bool {
        self.is_complete
    }
}
