//! Times and sizes: plain numbers, or texts with units.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Value;

impl Value<'_> {
    /// A time within `range`: a number of seconds, or a text such as `30s`, `1h30m`, `250ms`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let raw = self.raw();
        let duration = if let Some(text) = raw.as_str() {
            parse_duration(text)
        } else if let Some(number) = raw.as_integer().map(|i| i.to_string()) {
            seconds(&number)
        } else if let Some(number) = raw.as_float() {
            seconds(number.as_str())
        } else {
            return self.expected("a time", DURATION_HELP);
        };
        let Some(duration) = duration else {
            self.error("is no time", DURATION_HELP);
            return None;
        };
        if !range.contains(&duration) {
            let (from, to) = (show_duration(*range.start()), show_duration(*range.end()));
            self.error("is out of range", format!("a time from {from} to {to}"));
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
            && self.raw().as_integer().is_some_and(|i| i.as_str() == "0")
        {
            self.error(
                "is out of range",
                format!("write `{} = false` for none", self.key),
            );
            return None;
        }
        self.duration(range).map(Some)
    }

    /// A number of bytes: a number, or a text such as `10MiB`, `1GB`, `4k`.
    pub(super) fn size(&self) -> Option<u64> {
        let raw = self.raw();
        let size = if let Some(text) = raw.as_str() {
            parse_size(text)
        } else if let Some(number) = raw.as_integer() {
            u64::from_str_radix(number.as_str(), number.radix()).ok()
        } else {
            return self.expected("a size", SIZE_HELP);
        };
        let size = size.filter(|size| i64::try_from(*size).is_ok());
        if size.is_none() {
            self.error("is no size", SIZE_HELP);
        }
        size
    }
}

/// The longest time a setting may have: ten years, which every timer and every slave can count.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The shortest time of settings that cannot be zero.
pub(super) const SHORTEST: Duration = Duration::from_millis(1);

/// The time that `text` says: numbers with units, the greater ones first.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return seconds(rest);
    }
    let mut total = Duration::ZERO;
    let mut last_unit = f64::INFINITY;
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
        let unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        if unit >= last_unit {
            return None;
        }
        last_unit = unit;
        let number: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
        rest = after;
    }
    Some(total)
}

fn seconds(number: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(number.parse().ok()?).ok()
}

/// The bytes that `text` says. Units with an `i`, and bare letters, count by 1 024, as `ls` does;
/// the others by 1 000.
fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text.trim());
    let unit = unit.trim().to_ascii_lowercase();
    let (letter, base) = match unit.strip_suffix('b') {
        Some(prefix) => match prefix.strip_suffix('i') {
            Some(letter) => (letter, 1024),
            None => (prefix, 1000),
        },
        None => (unit.as_str(), 1024),
    };
    let power = match letter {
        "" if base == 1024 && !unit.is_empty() => return None,
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(u64::checked_pow(base, power)?)
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    text.split_at(end.unwrap_or(text.len()))
}

fn show_duration(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "0".to_owned(),
        ms if ms % 1000 != 0 => format!("{ms}ms"),
        ms if ms % 86_400_000 == 0 => format!("{}d", ms / 86_400_000),
        ms => format!("{}s", ms / 1000),
    }
}

/// Units of time in seconds.
const UNITS: &[(&str, f64)] = &[
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("m", 60.0),
    ("min", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
];

const DURATION_HELP: &str =
    "a number of seconds, or a text such as \"30s\", \"10m\", \"1h30m\", \"250ms\"";

const SIZE_HELP: &str = "a number of bytes, or a text such as \"10MiB\", \"1GB\", \"4k\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in [
            ("30s", 30_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("2d", 172_800_000),
            ("1.5s", 1_500),
            ("90", 90_000),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "10x", "", "s", "1h1h", "30m1h", "-1s", "1..2s", "1s ", " ", "1e400d", "s1",
        ] {
            let expected = (text == "1s ").then_some(Duration::from_secs(1));
            assert_eq!(parse_duration(text), expected, "{text:?}");
        }
    }

    #[test]
    fn sizes_count_by_1024_unless_they_end_in_a_plain_b() {
        for (text, bytes) in [
            ("10MiB", 10 << 20),
            ("1GB", 1_000_000_000),
            ("4k", 4096),
            ("4K", 4096),
            ("4kB", 4000),
            ("512B", 512),
            ("512", 512),
            ("1 TiB", 1 << 40),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "k", "10x", "1i", "1ib", "1.5k", "-1", "99999999999G"] {
            assert_eq!(parse_size(text), None, "{text:?}");
        }
    }
}
