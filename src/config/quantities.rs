//! Times and sizes: plain numbers, or strings with units.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Value;
use super::trace::Wanted;
use crate::text::{duration_as_written, parse_duration, parse_seconds, parse_size};

impl Value<'_> {
    /// A time within `range`: a number of seconds, or a string such as `30s`, `1h30m`, `250ms`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.wants([Wanted::Text, Wanted::Number]);
        let raw = self.data();
        let duration = if let Some(text) = raw.as_str() {
            parse_duration(text)
        } else if let Some(number) = raw.as_integer().map(|i| i.to_string()) {
            parse_seconds(&number)
        } else if let Some(number) = raw.as_float() {
            parse_seconds(number.as_str())
        } else {
            return self.expected("a duration", DURATION_HELP);
        };
        let Some(duration) = duration else {
            let meant = raw.as_str().and_then(|text| in_units(text, DURATION_UNITS));
            let meant = meant.filter(|text| parse_duration(text).is_some());
            self.error("is not a duration", meant_or(meant, DURATION_HELP));
            return None;
        };
        if !range.contains(&duration) {
            let (from, to) = (
                duration_as_written(*range.start()),
                duration_as_written(*range.end()),
            );
            self.error("is out of range", format!("a duration from {from} to {to}"));
            return None;
        }
        Some(duration)
    }

    /// A time within `range`, or `false` for none.
    pub(super) fn optional_duration(
        &self,
        range: RangeInclusive<Duration>,
    ) -> Option<Option<Duration>> {
        if self.is_false() {
            return Some(None);
        }
        if *range.start() > Duration::ZERO
            && self.data().as_integer().is_some_and(|i| i.as_str() == "0")
        {
            self.error(
                "is out of range",
                format!("write `{} = false` for none", self.key),
            );
            return None;
        }
        self.duration(range).map(Some)
    }

    /// A number of bytes: a number, or a string such as `10MiB`, `1GB`, `4k`.
    pub(super) fn size(&self) -> Option<u64> {
        self.wants([Wanted::Text, Wanted::Integer]);
        let raw = self.data();
        let size = if let Some(text) = raw.as_str() {
            parse_size(text)
        } else if let Some(number) = raw.as_integer() {
            u64::from_str_radix(number.as_str(), number.radix()).ok()
        } else {
            return self.expected("a size", SIZE_HELP);
        };
        let size = size.filter(|size| i64::try_from(*size).is_ok());
        if size.is_none() {
            let meant = raw.as_str().and_then(|text| in_units(text, SIZE_UNITS));
            let meant = meant.filter(|text| parse_size(text).is_some());
            self.error("is not a size", meant_or(meant, SIZE_HELP));
        }
        size
    }
}

/// A number and the name of a unit as we write them: `1 hour` as `1h`.
fn in_units(text: &str, units: &[(&str, &str)]) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (number, unit) = text.split_at_checked(text.find(|c: char| c.is_alphabetic())?)?;
    let mut units = units.iter();
    let (_, ours) =
        units.find(|(name, _)| unit == *name || unit.strip_suffix('s') == Some(name))?;
    Some(format!("{}{ours}", number.trim()))
}

/// What to write: `meant`, if that is known.
fn meant_or(meant: Option<String>, general: &str) -> String {
    meant.map_or_else(|| general.to_owned(), |text| format!("write {text:?}"))
}

/// The longest time a setting may have: ten years, which every timer and every slave can count.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The shortest time of settings that cannot be zero.
pub(super) const SHORTEST: Duration = Duration::from_millis(1);

const DURATION_HELP: &str = "write \"10s\", \"5m\" or \"1h30m\", or a number of seconds";

/// How people write units of time, and how we do.
const DURATION_UNITS: &[(&str, &str)] = &[
    ("millisecond", "ms"),
    ("s", "s"),
    ("sec", "s"),
    ("second", "s"),
    ("min", "m"),
    ("minute", "m"),
    ("h", "h"),
    ("hr", "h"),
    ("hour", "h"),
    ("d", "d"),
    ("day", "d"),
    ("w", "w"),
    ("week", "w"),
];

/// How people write units of size, and how we do.
const SIZE_UNITS: &[(&str, &str)] = &[
    ("byte", ""),
    ("kb", "kB"),
    ("kilobyte", "kB"),
    ("kib", "KiB"),
    ("mb", "MB"),
    ("meg", "MB"),
    ("megabyte", "MB"),
    ("mib", "MiB"),
    ("gb", "GB"),
    ("gig", "GB"),
    ("gigabyte", "GB"),
    ("gib", "GiB"),
];

const SIZE_HELP: &str = "write \"10MiB\", \"1GB\" or \"4k\", or a number of bytes";
