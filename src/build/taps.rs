//! Reports of tests that are read from the logs of a command while these grow (TST-01). Pure.

use crate::model::TestFormat;
use crate::protocol::report::{Reading, Report};

/// The readers of the logs of one command.
#[derive(Debug, Default)]
pub(super) struct Taps(Vec<(String, Reading)>);

impl Taps {
    /// Reads the log `name` in this format too.
    pub(super) fn add(&mut self, name: &str, format: TestFormat) {
        self.0.push((name.to_owned(), Reading::new(format)));
    }

    /// Takes the next piece of the log `name`.
    pub(super) fn hear(&mut self, name: &str, data: &[u8]) {
        for (log, reading) in &mut self.0 {
            if log == name {
                reading.feed(data);
            }
        }
    }

    /// What was found, at the end of the logs.
    pub(super) fn finish(self) -> impl Iterator<Item = Report> {
        self.0.into_iter().map(|(_, reading)| reading.finish())
    }
}
