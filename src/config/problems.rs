//! `[problems]`: how people are told of problems (ESC-01 to ESC-07, PRB-17), and which tests are in
//! quarantine (FLK-07).

use std::time::Duration;

use serde::Serialize;

use super::reader::{Table, Value};
use super::shape::Shape;
use crate::model::TellingRules;

pub(super) static SHAPE: Shape = Shape {
    place: "problems",
    noun: "settings of problems",
    keys: &[
        "gather",
        "reminders",
        "most_reminders",
        "pause",
        "most_a_day",
        "quiet_hours",
        "auto_quarantine",
        "quarantine_days",
        "quarantine_warning",
    ],
    kinds: Vec::new,
};

const DAY: Duration = Duration::from_secs(86_400);

/// What is done about tests in quarantine.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct QuarantineRules {
    /// Whether the master puts tests there that are proved to be flaky: no.
    pub auto_quarantine: bool,
    /// For how many days a test is there unless somebody says otherwise: 14, at most 90.
    pub quarantine_days: u32,
    /// From how many percent of the tests of a step on the front page warns: 5.
    pub quarantine_warning: u32,
}

impl Default for QuarantineRules {
    fn default() -> Self {
        Self {
            auto_quarantine: false,
            quarantine_days: 14,
            quarantine_warning: 5,
        }
    }
}

impl QuarantineRules {
    /// For how long a test is in quarantine unless somebody says otherwise.
    #[must_use]
    pub fn usual(&self) -> Duration {
        DAY * self.quarantine_days
    }
}

/// Reads the table.
pub(super) fn read(root: &mut Table<'_>) -> (TellingRules, QuarantineRules) {
    let (mut rules, mut quarantine) = (TellingRules::default(), QuarantineRules::default());
    let table = root.take("problems").and_then(|value| value.table(&SHAPE));
    let Some(mut table) = table else {
        return (rules, quarantine);
    };
    let automatic = &mut quarantine.auto_quarantine;
    table.set("auto_quarantine", automatic, Value::flag);
    let days = &mut quarantine.quarantine_days;
    table.set("quarantine_days", days, |v| v.integer(1..=90));
    let percent = &mut quarantine.quarantine_warning;
    table.set("quarantine_warning", percent, |v| v.integer(1..=100));
    table.set("gather", &mut rules.gather, |v| {
        v.duration(Duration::ZERO..=DAY)
    });
    table.set("reminders", &mut rules.reminders, |value| {
        let entries = value.list()?;
        let times = entries.iter();
        let mut times: Vec<_> = times
            .filter_map(|entry| entry.duration(Duration::from_secs(60)..=30 * DAY))
            .collect();
        times.sort();
        Some(times)
    });
    table.set("most_reminders", &mut rules.most_reminders, |v| {
        v.integer(0..=100)
    });
    table.set("pause", &mut rules.pause, |v| {
        v.duration(Duration::ZERO..=DAY)
    });
    table.set("most_a_day", &mut rules.most_a_day, |v| v.integer(1..=1000));
    table.set("quiet_hours", &mut rules.quiet_hours, Value::flag);
    table.finish();
    (rules, quarantine)
}
