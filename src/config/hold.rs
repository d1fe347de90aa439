//! `hold`: windows of the week in which no build starts on a slave, or of a builder (CFL-133).
//!
//! It is the clock on the wall that counts: a local time that comes twice holds twice, and one that
//! is left out does not hold.

use std::fmt;

use serde::Serialize;

use super::reader::{Table, Value};
use super::shape::Shape;
use super::zones::{MachineZone, machine_zone, read_zone, zone_name};
use crate::model::{Timestamp, Zone};

/// Windows in which no build starts.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Hold(Vec<HoldWindow>);

/// A window that comes each week.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct HoldWindow {
    /// The days on which it begins, from Monday on.
    #[serde(serialize_with = "names_of_days")]
    pub days: [bool; 7],
    /// When it begins.
    pub from: MinuteOfDay,
    /// When it ends; on the day after if that is not later than the beginning.
    pub to: MinuteOfDay,
    /// Whose local time counts.
    #[serde(rename = "time_zone", serialize_with = "zone_name")]
    pub zone: Zone,
}

/// Minutes after midnight, at most 24 hours of them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct MinuteOfDay(u16);

pub(super) static SHAPE: Shape = Shape {
    place: "hold",
    noun: "hold",
    keys: &["days", "from", "to", "time_zone"],
    kinds: Vec::new,
};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
/// The names of the days, from Monday on.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// No edge is looked for beyond this many minutes: windows come each week, and clocks are changed
/// at most once in it.
const FARTHEST: i64 = 2 * WEEK;

impl Hold {
    /// Windows of every day, from one minute after midnight to another, by universal time.
    #[must_use]
    pub fn daily(windows: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let windows = windows.into_iter().map(|(from, to)| HoldWindow {
            days: [true; 7],
            from: MinuteOfDay(from),
            to: MinuteOfDay(to),
            zone: Zone::UTC,
        });
        Self(windows.collect())
    }

    /// Whether there is no window.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The window that holds at `at`, if one does; the first of several.
    #[must_use]
    pub fn window_at(&self, at: Timestamp) -> Option<&HoldWindow> {
        let at = seconds(at);
        self.0.iter().find(|window| window.holds(at))
    }

    /// When it next begins to hold, or ceases to, after `at`; nothing if that is in none of the
    /// next two weeks. Windows that touch are one.
    #[must_use]
    pub fn next_edge(&self, at: Timestamp) -> Option<Timestamp> {
        let begin = seconds(at);
        let holds = |at: i64| self.0.iter().any(|window| window.holds(at));
        let now = holds(begin);
        let mut at = begin;
        loop {
            at = self
                .0
                .iter()
                .map(|window| window.next_candidate(at))
                .min()?;
            if at > begin + FARTHEST * MINUTE {
                return None;
            }
            if holds(at) != now {
                return Some(Timestamp::from_secs(at));
            }
        }
    }

    /// Whether it holds at all times.
    fn never_ends(&self) -> bool {
        // Two weeks without a change of clocks in most places, and two in which clocks differ.
        let weeks = [1_704_672_000, 1_720_396_800].map(Timestamp::from_secs);
        weeks
            .into_iter()
            .all(|at| self.window_at(at).is_some() && self.next_edge(at).is_none())
    }

    /// Reads a list of windows; `zone` is that of the machine.
    pub(super) fn read(value: &Value<'_>, zone: &MachineZone) -> Option<Self> {
        let tables = value.tables(&SHAPE).into_iter();
        let windows: Vec<_> = tables.map(|table| HoldWindow::read(table, zone)).collect();
        let hold = Self(windows.into_iter().collect::<Option<_>>()?);
        if hold.never_ends() {
            value.error("covers the whole week", "no build would ever start");
            return None;
        }
        Some(hold)
    }
}

impl HoldWindow {
    /// Whether it holds at `at`, in seconds since the epoch.
    fn holds(&self, at: i64) -> bool {
        let minute = self.minute_of_week(at);
        let begins = |day: i64| {
            let is_one = usize::try_from(day).is_ok_and(|day| self.days.get(day) == Some(&true));
            let from = day * DAY + i64::from(self.from.0);
            is_one && (minute - from).rem_euclid(WEEK) < self.length()
        };
        (0..7).any(begins)
    }

    /// How long it is by the clock, in minutes.
    fn length(&self) -> i64 {
        let length = i64::from(self.to.0) - i64::from(self.from.0);
        if length > 0 { length } else { length + DAY }
    }

    /// The minute of the week that clocks show at `at`.
    fn minute_of_week(&self, at: i64) -> i64 {
        // The epoch was a Thursday.
        let local = at + self.zone.offset_at(at) + 3 * DAY * MINUTE;
        local.div_euclid(MINUTE).rem_euclid(WEEK)
    }

    /// The next time after `at` at which it may begin or end: an edge by the clock, or a change of
    /// the clock that comes before.
    fn next_candidate(&self, at: i64) -> i64 {
        let minute = self.minute_of_week(at);
        let edges = (0..7).flat_map(|day| {
            let from = day * DAY + i64::from(self.from.0);
            [from, from + self.length()]
        });
        let wait = edges
            .map(|edge| (edge - minute - 1).rem_euclid(WEEK) + 1)
            .min();
        let offset = self.zone.offset_at(at);
        let start = at - (at + offset).rem_euclid(MINUTE);
        let next = start + wait.unwrap_or(WEEK) * MINUTE;
        if self.zone.offset_at(next) == offset {
            return next;
        }
        // Clocks are changed on the way.
        let (mut before, mut after) = (at, next);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.zone.offset_at(middle) == offset {
                before = middle;
            } else {
                after = middle;
            }
        }
        after
    }

    fn read(mut table: Table<'_>, machine: &MachineZone) -> Option<Self> {
        let (mut days, mut from, mut to) = (
            Some([true; 7]),
            Some(MinuteOfDay(0)),
            Some(MinuteOfDay(24 * 60)),
        );
        if let Some(value) = table.take("days") {
            days = read_days(&value);
        }
        if let Some(value) = table.take("from") {
            from = MinuteOfDay::read(&value);
        }
        let ends = table.take("to");
        if let Some(value) = &ends {
            to = MinuteOfDay::read(value);
        }
        let zone = match table.take("time_zone") {
            Some(value) => read_zone(&value),
            None => machine_zone(&table, machine),
        };
        let (sink, span, label) = (table.sink, table.span.clone(), table.label.clone());
        table.finish();
        let window = Self {
            days: days?,
            from: from?,
            to: to?,
            zone: zone?,
        };
        if window.from == window.to {
            let help = "leave both out to hold all day long";
            match &ends {
                Some(value) => value.error("is when it begins", help),
                None => {
                    let message = format!("{label} ends when it begins");
                    sink.error(span, message, help);
                }
            }
            return None;
        }
        Some(window)
    }
}

/// `Wed 08:00-10:00 Europe/Berlin`; days are left out if all are meant.
impl fmt::Display for HoldWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != [true; 7] {
            write!(f, "{} ", days_in_words(&self.days))?;
        }
        write!(f, "{}-{} {}", self.from, self.to, self.zone)
    }
}

impl fmt::Display for MinuteOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for MinuteOfDay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl MinuteOfDay {
    fn read(value: &Value<'_>) -> Option<Self> {
        let minute = value.text().map(Self::of);
        let Some(minute) = minute? else {
            return value.expected(
                "a time of the day",
                "for example \"08:30\", up to \"24:00\"",
            );
        };
        Some(minute)
    }

    fn of(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let is_number = |part: &str| part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !is_number(hours) || !is_number(minutes) || minutes.len() != 2 {
            return None;
        }
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let all = hours * 60 + minutes;
        (minutes < 60 && all <= 24 * 60).then_some(Self(all))
    }
}

/// `Mon-Fri, Sun`, `Sat-Mon` or `*`.
fn read_days(value: &Value<'_>) -> Option<[bool; 7]> {
    let text = value.text()?;
    if text.trim() == "*" {
        return Some([true; 7]);
    }
    let number = |name: &str| DAYS.iter().position(|day| *day == name.trim());
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            let what = format!("has no days in `{}`", part.trim().escape_debug());
            value.error(
                &what,
                "`Mon` to `Sun`, with ranges: \"Mon-Fri, Sun\", or \"*\"",
            );
            return None;
        };
        let length = (last + 7 - first) % 7;
        for day in first..=first + length {
            days[day % 7] = true;
        }
    }
    Some(days)
}

/// Each run of days as a range, one that goes round the end of the week too.
fn days_in_words(days: &[bool; 7]) -> String {
    let begins = |day: &usize| days[*day] && !days[(day + 6) % 7];
    let run = |first: usize| {
        let length = (0..7).take_while(|n| days[(first + n) % 7]).count();
        let last = DAYS[(first + length - 1) % 7];
        match length {
            1 => DAYS[first].to_owned(),
            2 => format!("{}, {last}", DAYS[first]),
            _ => format!("{}-{last}", DAYS[first]),
        }
    };
    let runs: Vec<String> = (0..7).filter(begins).map(run).collect();
    if runs.is_empty() {
        return "*".to_owned();
    }
    runs.join(", ")
}

fn names_of_days<S: serde::Serializer>(days: &[bool; 7], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&days_in_words(days))
}

/// Whole seconds since the epoch.
const fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::Value as Json;

    use super::*;

    fn window(case: &Json) -> HoldWindow {
        let text = |key: &str| case.get(key).and_then(Json::as_str);
        let days = text("days").map_or([true; 7], |text| {
            let document = format!("days = {text:?}");
            let config = format!(
                "slave_port = 1\n[[slaves]]\nname = \"s\"\ntype = \"local\"\nhold = [{{ {document}, from = \"01:00\", \
                 to = \"02:00\", time_zone = \"UTC\" }}]\n"
            );
            days_of(&config)
        });
        let time = |key, usual| text(key).map_or(usual, |text| MinuteOfDay::of(text).unwrap());
        HoldWindow {
            days,
            from: time("from", MinuteOfDay(0)),
            to: time("to", MinuteOfDay(24 * 60)),
            zone: Zone::named(text("time_zone").unwrap()).unwrap(),
        }
    }

    /// As the reader takes them; the errors of so small a file do not matter.
    fn days_of(config: &str) -> [bool; 7] {
        let rest = "[factories.f]\nsteps = []\n[[builders]]\nname = \"b\"\nslaves = [\"s\"]\nfactory = \"f\"\n";
        let config = config.replacen("slave_port = 1\n", "", 1) + rest;
        let read = crate::config::parse(&config, "m.toml", &Ok(Zone::UTC))
            .unwrap()
            .0;
        read.slaves[0].hold.0[0].days
    }

    #[test]
    fn cfl_133_windows_hold_as_in_the_cases() {
        let text = include_str!("../../tests/data/config-cases.json");
        let cases: Json = serde_json::from_str(text).unwrap();
        let cases = cases["holds"].as_array().unwrap();
        assert_eq!(cases.len(), 26);
        for case in cases {
            let hold = Hold(
                case["hold"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(window)
                    .collect(),
            );
            let time = |value: &Json| {
                let at: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
                Timestamp::from_secs(at.as_second())
            };
            let at = time(&case["at"]);
            let held = hold.window_at(at).is_some();
            assert_eq!(held, case["held"].as_bool().unwrap(), "{case}");
            if held {
                assert_eq!(hold.next_edge(at), Some(time(&case["until"])), "{case}");
            }
        }
    }

    #[test]
    fn cfl_133_each_edge_is_where_minute_after_minute_finds_it() {
        let window = |days: [usize; 2], from, to, zone| HoldWindow {
            days: std::array::from_fn(|day| days.contains(&day)),
            from: MinuteOfDay(from),
            to: MinuteOfDay(to),
            zone: Zone::named(zone).unwrap(),
        };
        for hold in [
            Hold(vec![window([5, 6], 90, 210, "Europe/Berlin")]),
            Hold(vec![
                window([6, 0], 23 * 60, 60, "America/New_York"),
                window([6, 2], 0, 24 * 60, "Australia/Lord_Howe"),
            ]),
        ] {
            // The weeks in which clocks change in 2026.
            for begin in [1_772_841_600, 1_774_569_600, 1_775_088_000, 1_792_800_000] {
                let mut at = Timestamp::from_secs(begin);
                let edge = hold.next_edge(at);
                let held = hold.window_at(at).is_some();
                while hold.window_at(at).is_some() == held {
                    at = Timestamp::from_secs(seconds(at) + 60);
                }
                assert_eq!(edge, Some(at), "{hold:?} {begin}");
            }
        }
    }

    #[test]
    fn days_are_told_as_ranges() {
        for (days, words) in [
            ([5, 6, 0, 2].as_slice(), "Wed, Sat-Mon"),
            (&[0, 1, 2, 3, 4], "Mon-Fri"),
            (&[0, 1], "Mon, Tue"),
            (&[6], "Sun"),
        ] {
            let days: [bool; 7] = std::array::from_fn(|day| days.contains(&day));
            assert_eq!(days_in_words(&days), words);
        }
    }
}
