//! Reports of tests that are read from the logs of a command while these grow (TST-01).

use super::report_program::ReportProgram;
use crate::model::TestFormat;
use crate::process::Program;
use crate::protocol::report::{Reading, Report};

/// The readers of the logs of one command.
#[derive(Debug, Default)]
pub(super) struct Taps(Vec<(String, Tap)>);

/// The reader of a log.
#[derive(Debug)]
enum Tap {
    Reading(Box<Reading>),
    Program(Box<ReportProgram>),
}

impl Taps {
    /// Reads the log `name` in this format too.
    pub(super) fn add(&mut self, name: &str, format: TestFormat) {
        let reading = Box::new(Reading::new(format));
        self.0.push((name.to_owned(), Tap::Reading(reading)));
    }

    /// Has a program read the log `name` too.
    pub(super) fn add_program(&mut self, name: &str, program: &Program) {
        let program = Box::new(ReportProgram::start(program));
        self.0.push((name.to_owned(), Tap::Program(program)));
    }

    /// Takes the next piece of the log `name`. Waits for a program that is slow to read it, within
    /// the limits of [`ReportProgram`].
    pub(super) async fn hear(&mut self, name: &str, data: &[u8]) {
        for (_, tap) in self.0.iter_mut().filter(|(log, _)| log == name) {
            match tap {
                Tap::Reading(reading) => reading.feed(data),
                Tap::Program(program) => program.give(data).await,
            }
        }
    }

    /// What was found, at the end of the logs, each with the name of its log.
    pub(super) async fn finish(self) -> Vec<(String, Report)> {
        let mut reports = Vec::with_capacity(self.0.len());
        for (log, tap) in self.0 {
            let report = match tap {
                Tap::Reading(reading) => reading.finish(),
                Tap::Program(program) => program.finish().await,
            };
            reports.push((log, report));
        }
        reports
    }
}
