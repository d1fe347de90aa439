//! Times and durations for people.

use std::time::Duration;

use askama::Template;
use chrono::{DateTime, Datelike, FixedOffset, SecondsFormat, Utc};

use crate::model::{Timestamp, Zone};

/// A time in a zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Local(DateTime<FixedOffset>);

impl Local {
    /// The time `at` as clocks in `zone` show it.
    #[must_use]
    pub fn new(at: Timestamp, zone: Zone) -> Self {
        let offset = zone.offset_at(at.0.div_euclid(1_000_000));
        let offset = i32::try_from(offset).ok().and_then(FixedOffset::east_opt);
        let offset = offset.expect("clocks differ by less than a day");
        let utc = DateTime::<Utc>::from_timestamp_micros(at.0).unwrap_or_default();
        Self(utc.with_timezone(&offset))
    }

    /// For programs: RFC 3339 with the offset.
    #[must_use]
    pub fn machine(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Secs, false)
    }

    /// `Thu 26 Nov 2026, 14:32:10`.
    #[must_use]
    pub fn full(self) -> String {
        self.0.format("%a %-d %b %Y, %H:%M:%S").to_string()
    }

    /// The day: `Thu 26 Nov`, with the year if that is not the one of `now`.
    #[must_use]
    pub fn day(self, now: Self) -> String {
        let form = match self.0.year() == now.0.year() {
            true => "%a %-d %b",
            false => "%a %-d %b %Y",
        };
        self.0.format(form).to_string()
    }

    /// The time to the minute, with its day if that is not the one of `now`.
    #[must_use]
    pub fn short(self, now: Self) -> String {
        format!("{}{}", self.short_day(now), self.0.format("%H:%M"))
    }

    /// The day in front of a time, as short as it can be understood at `now`; empty today.
    fn short_day(self, now: Self) -> String {
        let (day, today) = (self.0.date_naive(), now.0.date_naive());
        let form = match today.signed_duration_since(day).num_days() {
            0 => return String::new(),
            1..=6 => "%a ",
            _ if day.year() == today.year() => "%-d %b ",
            _ => "%-d %b %Y ",
        };
        self.0.format(form).to_string()
    }
}

/// A time, with its day if that is not today.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<time datetime="{{ machine }}">{{ text }}</time>"#,
    ext = "html"
)]
pub struct Time {
    machine: String,
    text: String,
}

impl askama::filters::HtmlSafe for Time {}

impl Time {
    /// To the minute.
    #[must_use]
    pub fn new(at: Local, now: Local) -> Self {
        Self::in_form(at, now, "%H:%M")
    }

    /// To the second.
    #[must_use]
    pub fn to_the_second(at: Local, now: Local) -> Self {
        Self::in_form(at, now, "%H:%M:%S")
    }

    fn in_form(at: Local, now: Local, form: &str) -> Self {
        Self {
            machine: at.machine(),
            text: format!("{}{}", at.short_day(now), at.0.format(form)),
        }
    }
}

/// How long ago something was; the script lets it go on.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<time data-ago datetime="{{ machine }}">{{ text }} ago</time>"#,
    ext = "html"
)]
pub struct Ago {
    machine: String,
    text: String,
}

impl askama::filters::HtmlSafe for Ago {}

impl Ago {
    /// A time that was `since` ago.
    #[must_use]
    pub fn new(at: Local, since: Duration) -> Self {
        Self {
            machine: at.machine(),
            text: span(since),
        }
    }
}

/// How long something has gone on; the script lets it go on.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<span data-since="{{ machine }}">{{ text }}</span>"#,
    ext = "html"
)]
pub struct Since {
    machine: String,
    text: String,
}

impl askama::filters::HtmlSafe for Since {}

impl Since {
    /// Something that began `since` ago.
    #[must_use]
    pub fn new(at: Local, since: Duration) -> Self {
        Self {
            machine: at.machine(),
            text: span(since),
        }
    }
}

/// A duration in its largest unit, as the script writes those that go on: `12 s`, `9 min`,
/// `1 h 40 min`, `2 d`.
#[must_use]
pub fn span(duration: Duration) -> String {
    match duration.as_secs() {
        secs @ 0..60 => format!("{secs} s"),
        secs @ 60..3600 => format!("{} min", secs / 60),
        secs @ 3600..86_400 => format!("{} h {:02} min", secs / 3600, secs % 3600 / 60),
        secs => format!("{} d", secs / 86_400),
    }
}

/// How long something took: `3.4 s`, `12 s`, `9 min 40 s`, `1 h 02 min`.
#[must_use]
pub fn took(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        secs @ 10..60 => format!("{secs} s"),
        secs @ 60..3600 => format!("{} min {:02} s", secs / 60, secs % 60),
        secs => format!("{} h {:02} min", secs / 3600, secs % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Local {
        let at = DateTime::parse_from_rfc3339(text).expect("test");
        Local::new(
            Timestamp(at.timestamp_micros()),
            Zone::named("Europe/Berlin").expect("it exists"),
        )
    }

    #[test]
    fn a_time_of_another_day_has_its_day() {
        let now = at("2026-11-26T14:32:10+01:00");
        for (then, expected) in [
            ("2026-11-26T11:26:10+01:00", "11:26"),
            ("2026-11-26T00:00:00+01:00", "00:00"),
            ("2026-11-25T16:46:26+01:00", "Wed 16:46"),
            ("2026-11-20T16:46:26+01:00", "Fri 16:46"),
            ("2026-11-19T16:46:26+01:00", "19 Nov 16:46"),
            ("2025-11-19T16:46:26+01:00", "19 Nov 2025 16:46"),
            ("2026-11-27T02:30:00+01:00", "27 Nov 02:30"),
        ] {
            assert_eq!(Time::new(at(then), now).text, expected);
        }
        let time = Time::to_the_second(at("2026-11-26T11:26:10+01:00"), now);
        let html = r#"<time datetime="2026-11-26T11:26:10+01:00">11:26:10</time>"#;
        assert_eq!(time.to_string(), html);
        assert_eq!(now.full(), "Thu 26 Nov 2026, 14:32:10");
    }

    #[test]
    fn durations_are_as_exact_as_people_need() {
        for (secs, whole, exact) in [
            (0.25, "0 s", "0.2 s"),
            (3.4, "3 s", "3.4 s"),
            (12.0, "12 s", "12 s"),
            (580.0, "9 min", "9 min 40 s"),
            (3_729.0, "1 h 02 min", "1 h 02 min"),
            (200_000.0, "2 d", "55 h 33 min"),
        ] {
            let duration = Duration::from_secs_f64(secs);
            assert_eq!(
                (span(duration), took(duration)),
                (whole.into(), exact.into())
            );
        }
    }
}
