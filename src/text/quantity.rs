//! Durations and sizes, for display and in configurations.

use std::time::Duration;

/// A duration for display: `1.5 s`, `2 min 3 s`, `1 h 2 min`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, _) => format!("{:.1} s", duration.as_secs_f64()),
        (0, minutes, secs) => format!("{minutes} min {secs} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A size for display: `12 B`, `12 KiB`, `12 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / (1024 * 1024)),
    }
}

/// A duration in the format of configurations, in the largest whole unit: `250ms`, `90s`, `2d`.
#[must_use]
pub fn duration_as_written(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "0".to_owned(),
        ms if ms % 1000 != 0 => format!("{ms}ms"),
        ms if ms % 86_400_000 == 0 => format!("{}d", ms / 86_400_000),
        ms => format!("{}s", ms / 1000),
    }
}

/// Parses a duration: a number of seconds, or numbers with units in descending order, such as
/// `1h30m`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return parse_seconds(rest);
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

/// The duration of a number of seconds.
#[must_use]
pub fn parse_seconds(number: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(number.parse().ok()?).ok()
}

/// Parses a size in bytes: a number, or a number with a unit, such as `10MiB`. Units with an `i`
/// and single letters are multiples of 1 024, as in `ls`; other units are multiples of 1 000.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
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

/// Units of time in seconds.
const UNITS: &[(&str, f64)] = &[
    ("w", 604_800.0),
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("m", 60.0),
    ("min", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in [
            ("30s", 30_000),
            ("10m", 600_000),
            ("1w2d", 777_600_000),
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

    #[test]
    fn people_read_durations_and_sizes_in_units_that_fit() {
        let secs = Duration::from_secs;
        assert_eq!(duration(Duration::from_millis(1_540)), "1.5 s");
        assert_eq!(duration(secs(123)), "2 min 3 s");
        assert_eq!(duration(secs(3_725)), "1 h 2 min");
        assert_eq!(size(10_239), "10239 B");
        assert_eq!(size(10_240), "10 KiB");
        assert_eq!(size(10 << 20), "10 MiB");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (millis, written) in [
            (0, "0"),
            (250, "250ms"),
            (90_000, "90s"),
            (172_800_000, "2d"),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!(duration_as_written(time), written);
            assert_eq!(parse_duration(written), Some(time));
        }
    }
}
