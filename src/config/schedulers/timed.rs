//! Schedulers that look at the clock: `Periodic` (section 7) and `Nightly` (section 8).

use super::{rules, zones};
use crate::config::calendar::{Calendar, Field};
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::{MachineZone, NightlyConfig, SchedulerKind, TimedBuild, spelling};
use crate::model::Zone;

/// A field of a calendar: its key, and its least and greatest number.
type FieldKey = (&'static str, u32, u32);

const FIELDS: [FieldKey; 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day_of_month", 1, 31),
    ("month", 1, 12),
    ("day_of_week", 0, 6),
];

const FORCE_FIELDS: [FieldKey; 5] = [
    ("force_at_minute", 0, 59),
    ("force_at_hour", 0, 23),
    ("force_at_day_of_month", 1, 31),
    ("force_at_month", 1, 12),
    ("force_at_day_of_week", 0, 6),
];

/// Calendar years that may be looked through for a next run.
const SEARCH_YEARS: std::ops::RangeInclusive<u16> = 1..=100;

/// As the original looks for one (NIG-05).
const DEFAULT_SEARCH_YEARS: u16 = 2;

pub(super) fn read_periodic(table: &mut Table<'_>) -> Option<SchedulerKind> {
    let period = table.require("period", "\"1h\"");
    let period = period.and_then(|v| v.duration(SHORTEST..=LONGEST));
    let resume = table.flag("resume");
    let what = read_what(table);
    Some(SchedulerKind::Periodic {
        period: period?,
        resume,
        what,
    })
}

pub(super) fn read_nightly(table: &mut Table<'_>, zone: &MachineZone) -> Option<SchedulerKind> {
    let calendar = read_calendar(table, &FIELDS);
    let what = read_what(table);
    let forced = FORCE_FIELDS
        .iter()
        .find_map(|(key, ..)| table.place(key).map(|_| *key));
    let force_at = match forced {
        Some(key) if what.only_if_changed.is_none() => {
            let message = format!("`{key}` of {} means nothing here", table.label);
            let help = "it goes with `only_if_changed = true`; without that every run builds";
            let place = table.place(key).unwrap_or_default();
            table.sink.error(place, message, help);
            read_calendar(table, &FORCE_FIELDS)
        }
        Some(_) => read_calendar(table, &FORCE_FIELDS),
        None => None,
    };
    let zone = match table.take("time_zone") {
        Some(value) => read_zone(&value),
        None => machine_zone(table, zone),
    };
    let years = table.take("search_years");
    let years = years.map_or(Some(DEFAULT_SEARCH_YEARS), |v| v.integer(SEARCH_YEARS));
    let mut choice = |key, known: &[&'static str]| table.take(key).and_then(|v| v.one_of(known));
    let repeat = choice("dst_repeat", &["twice", "once"]);
    let gap = choice("dst_gap", &["skip", "after"]);
    Some(SchedulerKind::Nightly(Box::new(NightlyConfig {
        calendar: calendar?,
        force_at,
        zone: zone?,
        search_years: years?,
        repeated_once: repeat == Some("once"),
        after_gap: gap == Some("after"),
        what,
    })))
}

fn read_what(table: &mut Table<'_>) -> TimedBuild {
    let branch = table.take("branch");
    let only_if_changed = table.flag("only_if_changed");
    let only_if_changed = only_if_changed.then(|| rules::read(table, branch.as_ref()));
    TimedBuild {
        branch: branch.and_then(|v| v.text()).map(str::to_owned),
        only_if_changed,
    }
}

/// The calendar of `keys`: on the minute 0 of every hour by default.
fn read_calendar(table: &mut Table<'_>, keys: &[FieldKey; 5]) -> Option<Calendar> {
    let [(minute, ..), ..] = keys;
    let (mut fields, mut are_good) = ([Field::Any; 5], true);
    let place = keys.iter().rev().find_map(|(key, ..)| table.place(key));
    for (field, key) in fields.iter_mut().zip(keys) {
        let default = if key.0 == *minute {
            Field::one_of([0])
        } else {
            Field::Any
        };
        let value = table.take(key.0);
        match value.map_or(Some(default), |v| read_field(&v, key)) {
            Some(read) => *field = read,
            None => are_good = false,
        }
    }
    if !are_good {
        return None;
    }
    let calendar = Calendar::new(fields);
    if calendar.is_err() {
        let message = format!("{} never runs", table.label);
        let help = "the months that it names have no day that it names";
        table.sink.error(place.unwrap_or_default(), message, help);
    }
    calendar.ok()
}

/// A number, a list of numbers, or `"*"` for any.
fn read_field(value: &Value<'_>, &(_, least, greatest): &FieldKey) -> Option<Field> {
    if value.raw().as_str() == Some("*") {
        return Some(Field::Any);
    }
    let entries = value.one_or_list()?;
    if entries.is_empty() {
        value.error(
            "is empty, so that it would never run",
            "name a number, or leave it out",
        );
        return None;
    }
    let numbers = entries.iter().map(|entry| {
        if entry.raw().as_integer().is_none() {
            let help = format!("a number from {least} to {greatest}, a list of them, or \"*\"");
            return entry.expected("a whole number", help);
        }
        entry.integer(least..=greatest)
    });
    let numbers: Vec<Option<u32>> = numbers.collect();
    let numbers: Option<Vec<u32>> = numbers.into_iter().collect();
    numbers.map(Field::one_of)
}

fn read_zone(value: &Value<'_>) -> Option<Zone> {
    let name = value.text()?;
    let zone = Zone::named(name);
    if zone.is_none() {
        let near = || spelling::nearest(name, Zone::names());
        let help = match zones::meant(name) {
            Some(help) => help,
            None => match near() {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a name such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
            },
        };
        value.error(&format!("{name:?} is not the name of a time zone"), help);
    }
    zone
}

fn machine_zone(table: &Table<'_>, zone: &MachineZone) -> Option<Zone> {
    match zone {
        Ok(zone) => Some(*zone),
        Err(why) => {
            let message = format!("{} has no `time_zone`", table.label);
            let help = format!("add one, such as `time_zone = \"Europe/Berlin\"`: {why}");
            table.sink.missing(table.span.clone(), message, help);
            None
        }
    }
}
