//! Times on command lines, in files and in output: seconds since 1970-01-01 UTC, or RFC 3339.

use std::ops::RangeInclusive;

use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Number, Value};

use crate::model::{Timestamp, Zone};

/// The accepted times: from 1970 to the end of the year 9999, the last year of RFC 3339.
pub(super) const MOMENTS: RangeInclusive<Timestamp> =
    Timestamp(0)..=Timestamp(253_402_300_799_999_999);

/// The accepted formats, for messages.
const FORMS: &str = "seconds since 1970 such as 1780282800 or 1780282800.5, or RFC 3339 \
                     such as 2026-06-01T03:00:00Z or 2026-06-01T03:00:00+02:00";

/// Parses a time.
///
/// # Errors
/// A sentence that says why `text` is not an accepted time.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let at = if let Ok(secs) = text.parse::<i64>() {
        Some(Timestamp::from_secs(secs))
    } else if is_decimal(text) {
        text.parse().ok().map(Timestamp::from_secs_f64)
    } else {
        let at = DateTime::parse_from_rfc3339(text).ok();
        at.map(|at| Timestamp(at.timestamp_micros()))
    };
    match at {
        Some(at) => within(at, text),
        None => Err(format!("{text:?} is not a time; write {FORMS}")),
    }
}

/// Reads a time from JSON: a number, or a string in a format of [`parse`].
///
/// # Errors
/// A sentence that says why `value` is not an accepted time.
pub(super) fn from_json(value: &Value) -> Result<Timestamp, String> {
    let at = match value {
        Value::String(text) => return parse(text),
        Value::Number(number) => match number.as_i64() {
            Some(secs) => Some(Timestamp::from_secs(secs)),
            None => number.as_f64().map(Timestamp::from_secs_f64),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match at {
        Some(at) => within(at, &value.to_string()),
        None => Err(format!("{value} is not a time; write {FORMS}")),
    }
}

/// Seconds since 1970 for JSON: an integer if there is no fraction.
pub(super) fn seconds(at: Timestamp) -> Number {
    if at.0 % 1_000_000 == 0 {
        return Number::from(at.0 / 1_000_000);
    }
    Number::from_f64(at.as_secs_f64()).expect("microseconds are a finite number of seconds")
}

/// Local time for people, to the second.
pub(super) fn local(at: Timestamp, zone: Zone) -> String {
    let offset = zone.offset_at(at.0.div_euclid(1_000_000));
    let offset = i32::try_from(offset).ok().and_then(FixedOffset::east_opt);
    let offset = offset.expect("clocks differ by less than a day");
    let utc = DateTime::<Utc>::from_timestamp_micros(at.0).unwrap_or_default();
    let local = utc.with_timezone(&offset);
    local.format("%a %Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Whether `text` is a decimal number with an optional sign. `f64` also parses words such as `inf`.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn within(at: Timestamp, text: &str) -> Result<Timestamp, String> {
    if MOMENTS.contains(&at) {
        return Ok(at);
    }
    let side = if at < *MOMENTS.start() {
        "before 1970"
    } else {
        "after the year 9999"
    };
    Err(format!("{text} is {side}; write {FORMS}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_seconds_or_rfc_3339() {
        for (text, micros) in [
            ("0", 0),
            ("1780282800", 1_780_282_800_000_000),
            (" 1780282800.5 ", 1_780_282_800_500_000),
            ("2026-06-01T03:00:00Z", 1_780_282_800_000_000),
            ("2026-06-01T05:00:00+02:00", 1_780_282_800_000_000),
            ("2026-06-01 03:00:00.25Z", 1_780_282_800_250_000),
            ("253402300799", 253_402_300_799_000_000),
        ] {
            assert_eq!(parse(text), Ok(Timestamp(micros)), "{text}");
            assert_eq!(from_json(&json!(text)), Ok(Timestamp(micros)), "{text}");
        }
        assert_eq!(from_json(&json!(7)), Ok(Timestamp(7_000_000)));
        assert_eq!(from_json(&json!(7.25)), Ok(Timestamp(7_250_000)));
    }

    #[test]
    fn what_is_no_moment_is_told_with_what_would_be_one() {
        for (text, why) in [
            ("", "\"\" is not a time"),
            ("yesterday", "is not a time"),
            ("2026-06-01", "is not a time"),
            ("2026-06-01T03:00:00", "is not a time"),
            ("1e9", "is not a time"),
            ("inf", "is not a time"),
            ("nan", "is not a time"),
            (".", "is not a time"),
            ("1.2.3", "is not a time"),
            ("-1", "is before 1970"),
            ("-0.5", "is before 1970"),
            ("1969-12-31T23:59:59Z", "is before 1970"),
            ("253402300800", "is after the year 9999"),
            ("9223372036854775807", "is after the year 9999"),
            ("99999999999999999999", "is after the year 9999"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(
                message.contains(why) && message.contains("T03:00:00Z"),
                "{message}"
            );
        }
        for value in [json!(null), json!(true), json!([1]), json!({})] {
            from_json(&value).expect_err("it is not a time");
        }
        from_json(&json!(-1)).expect_err("it is before 1970");
        from_json(&json!(1e300)).expect_err("it is after the year 9999");
        from_json(&json!(u64::MAX)).expect_err("it is after the year 9999");
    }

    #[test]
    fn seconds_are_whole_where_they_can_be() {
        assert_eq!(seconds(Timestamp(160_000_000)).to_string(), "160");
        assert_eq!(seconds(Timestamp(1_001_500_000)).to_string(), "1001.5");
        assert_eq!(seconds(Timestamp(0)).to_string(), "0");
    }

    #[test]
    fn people_read_the_time_of_the_zone() {
        let berlin = Zone::named("Europe/Berlin").expect("it exists");
        let at = Timestamp::from_secs(1_780_282_800);
        assert_eq!(local(at, berlin), "Mon 2026-06-01 05:00:00 +02:00");
        assert_eq!(local(at, Zone::UTC), "Mon 2026-06-01 03:00:00 +00:00");
    }
}
