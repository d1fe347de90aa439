//! `[problems]`: how people are told of problems (ESC-01 to ESC-07, PRB-17).

use std::time::Duration;

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
    ],
    kinds: Vec::new,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Reads the table.
pub(super) fn read(root: &mut Table<'_>) -> TellingRules {
    let mut rules = TellingRules::default();
    let table = root.take("problems").and_then(|value| value.table(&SHAPE));
    let Some(mut table) = table else {
        return rules;
    };
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
    rules
}
