//! `type = "Nightly"`: builds by the clock on the wall (section 8).

mod text;

use serde::{Serialize, Serializer};

use super::kind::SchedulerSettings;
use super::timed::TimedBuild;
use crate::config::calendar::{Calendar, Field};
use crate::config::reader::{Table, Value};
use crate::config::trace::Wanted;
use crate::config::zones::{MachineZone, machine_zone, read_zone, zone_name};
use crate::model::Zone;

/// Settings of `Nightly` (NIG-01, NIG-12).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NightlyConfig {
    /// When it runs.
    #[serde(flatten)]
    pub calendar: Calendar,
    /// When it runs even if nothing has changed.
    #[serde(flatten, serialize_with = "forced")]
    pub force_at: Option<Calendar>,
    /// Whose local time counts (NIG-10).
    #[serde(rename = "time_zone", serialize_with = "zone_name")]
    pub zone: Zone,
    /// The number of calendar years in which a next run is looked for (NIG-05): 2.
    pub search_years: u16,
    /// Whether a local time that clocks show twice counts the first time only
    /// (`dst_repeat = "once"`).
    #[serde(rename = "dst_repeat")]
    pub repeated_once: bool,
    /// Whether a local time that clocks skip counts right after the gap (`dst_gap = "after"`).
    #[serde(rename = "dst_gap")]
    pub after_gap: bool,
    /// What is built.
    #[serde(flatten)]
    pub what: TimedBuild,
}

/// The keys of a scheduler that runs by a calendar.
pub(super) const CALENDAR: &[&str] = &[
    "minute",
    "hour",
    "day_of_month",
    "month",
    "day_of_week",
    "time_zone",
    "search_years",
    "dst_repeat",
    "dst_gap",
];

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &[
    "force_at_minute",
    "force_at_hour",
    "force_at_day_of_month",
    "force_at_month",
    "force_at_day_of_week",
];

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

impl Default for NightlyConfig {
    fn default() -> Self {
        Self {
            calendar: Calendar::default(),
            force_at: None,
            zone: Zone::UTC,
            search_years: 2,
            repeated_once: false,
            after_gap: false,
            what: TimedBuild::default(),
        }
    }
}

impl SchedulerSettings for NightlyConfig {
    fn timed(&self) -> Option<&TimedBuild> {
        Some(&self.what)
    }

    fn zone(&self) -> Option<Zone> {
        Some(self.zone)
    }

    fn search_years(&self) -> Option<u16> {
        Some(self.search_years)
    }
}

impl NightlyConfig {
    /// Takes what the table has; without a time zone that of the machine counts, `zone`.
    pub(super) fn read(&mut self, table: &mut Table<'_>, zone: &MachineZone) {
        self.what.read(table);
        let forced = FORCE_FIELDS
            .iter()
            .find_map(|(key, ..)| table.place(key).map(|place| (*key, place)));
        if let Some((key, place)) = forced {
            if self.what.only_if_changed.is_none() {
                let message = format!("`{key}` of {} has no effect here", table.label);
                let help =
                    "it needs `only_if_changed = true`: without that every run builds anyway";
                table.sink.error(place, message, help);
            }
            self.force_at = read_calendar(table, &FORCE_FIELDS);
        }
        self.read_clock(table, zone);
    }

    /// Takes what the table has of when it runs.
    pub(super) fn read_clock(&mut self, table: &mut Table<'_>, zone: &MachineZone) {
        if let Some(calendar) = read_calendar(table, &FIELDS) {
            self.calendar = calendar;
        }
        let zone = match table.take("time_zone") {
            Some(value) => read_zone(&value),
            None => machine_zone(table, zone),
        };
        self.zone = zone.unwrap_or(self.zone);
        table.set("search_years", &mut self.search_years, |v| {
            v.integer(SEARCH_YEARS)
        });
        table.set("dst_repeat", &mut self.repeated_once, |v| {
            Some(v.one_of(&["twice", "once"])? == "once")
        });
        table.set("dst_gap", &mut self.after_gap, |v| {
            Some(v.one_of(&["skip", "after"])? == "after")
        });
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
        let help = "none of its months has one of its days";
        table.sink.error(place.unwrap_or_default(), message, help);
    }
    calendar.ok()
}

/// A number, a text as cron has it, a list of these, or `"*"` for any.
fn read_field(value: &Value<'_>, &(key, least, greatest): &FieldKey) -> Option<Field> {
    let forms = [Wanted::Integer, Wanted::Text, Wanted::List];
    if value.among(forms).as_str() == Some("*") {
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
    let names = names(key);
    let help = || {
        let named = names
            .first()
            .map(|name| format!(", a name such as {name:?}"));
        let named = named.unwrap_or_default();
        format!(
            "a number from {least} to {greatest}{named}, \"*/5\", \"1-3\", a list of them, or \"*\""
        )
    };
    let numbers = entries.iter().map(|entry| match entry.data().as_str() {
        // Alone it is any, beside others it says nothing.
        Some("*") => entry.expected("an integer", help()),
        Some(text) => match text::numbers(text, names, &(least..=greatest)) {
            Ok(numbers) => Some(numbers),
            Err(why) => {
                entry.error(&format!("has a part that is not understood: {why}"), help());
                None
            }
        },
        None if entry.data().as_integer().is_none() => entry.expected("an integer", help()),
        None => entry.integer(least..=greatest).map(|number| vec![number]),
    });
    let numbers: Vec<Option<Vec<u32>>> = numbers.collect();
    let numbers: Option<Vec<Vec<u32>>> = numbers.into_iter().collect();
    Some(Field::one_of(numbers?.concat()))
}

/// The names of the values of a field.
fn names(key: &str) -> &'static [&'static str] {
    if key.ends_with("day_of_week") {
        &DAYS
    } else if key.ends_with("month") && !key.ends_with("day_of_month") {
        &MONTHS
    } else {
        &[]
    }
}

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The fields of the calendar of forced runs, under their own keys.
fn forced<S: Serializer>(calendar: &Option<Calendar>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(calendar) = calendar else {
        return serializer.serialize_none();
    };
    let keys = FORCE_FIELDS.iter().map(|(key, ..)| key);
    serializer.collect_map(keys.zip(calendar.fields()))
}
