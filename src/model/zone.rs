//! Time zones as values: local time is computed without asking the system.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// A time zone of the tz database.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Zone(Tz);

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of this name, such as `Europe/Berlin`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// The name of the zone.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// All known names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// Offset of local time from universal time in seconds, at `at` in seconds since the epoch.
    #[must_use]
    pub fn offset_at(self, at: i64) -> i64 {
        let offset = self.0.offset_from_utc_datetime(&naive(at)).fix();
        i64::from(offset.local_minus_utc())
    }

    /// The instant of a local time, which is given in seconds since 1970 began on local clocks. The
    /// first of two; if clocks were set forward over it, as if they had been set forward later.
    #[must_use]
    pub fn instant_of(self, local: i64) -> i64 {
        let offsets = self.0.offset_from_local_datetime(&naive(local));
        let ahead = match offsets.earliest() {
            Some(offset) => i64::from(offset.fix().local_minus_utc()),
            None => self.offset_at(local.saturating_sub(DAY)),
        };
        local.saturating_sub(ahead)
    }

    /// The first instant with the same local time as `at`. Earlier than `at` if clocks were set
    /// back in between.
    #[must_use]
    pub fn first_pass(self, at: i64) -> i64 {
        let local = at.saturating_add(self.offset_at(at));
        let offsets = self.0.offset_from_local_datetime(&naive(local));
        let passes = [offsets.earliest(), offsets.latest()];
        let ahead = passes
            .iter()
            .flatten()
            .map(|offset| i64::from(offset.fix().local_minus_utc()));
        ahead.max().map_or(at, |ahead| local - ahead).min(at)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Seconds of a day: longer than any offset.
const DAY: i64 = 86_400;

/// Converts seconds since the epoch to a calendar time; values out of range become the epoch.
fn naive(secs: i64) -> NaiveDateTime {
    DateTime::from_timestamp(secs, 0)
        .unwrap_or_default()
        .naive_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_have_instants() {
        let new_york = Zone::named("America/New_York").expect("it exists");
        // 2009-02-13 18:31:30 there.
        assert_eq!(new_york.instant_of(1_234_549_890), 1_234_567_890);
        // 2009-03-08 02:30 did not exist: 03:30 in summer time.
        assert_eq!(new_york.instant_of(1_236_479_400), 1_236_497_400);
        // 2009-11-01 01:30 was twice.
        assert_eq!(new_york.instant_of(1_257_039_000), 1_257_053_400);
        assert_eq!(Zone::UTC.instant_of(7), 7);
    }

    #[test]
    fn offsets_and_first_passes() {
        let new_york = Zone::named("America/New_York").expect("it exists");
        let second_half_past_one = 1_793_514_600;
        assert_eq!(new_york.offset_at(second_half_past_one), -5 * 3600);
        let first = second_half_past_one - 3600;
        assert_eq!(new_york.offset_at(first), -4 * 3600);
        assert_eq!(new_york.first_pass(second_half_past_one), first);
        assert_eq!(new_york.first_pass(first), first);
        assert_eq!(new_york.first_pass(first + 86_400), first + 86_400);
        assert_eq!(Zone::named("Mars/Olympus"), None);
        assert!(Zone::names().any(|name| name == "Europe/Berlin"));
        assert_eq!(
            format!("{new_york} {:?}", Zone::UTC),
            "America/New_York Zone(UTC)"
        );
        assert_eq!(Zone::UTC.offset_at(i64::MAX), 0);
    }
}
