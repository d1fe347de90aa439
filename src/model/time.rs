//! Time as a value: the pure modules never read a clock.

use std::borrow::Cow;
use std::ops::{Add, Sub};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Wall-clock time in microseconds since 1970-01-01 00:00:00 UTC.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// As views serialize it: RFC 3339 in UTC.
impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl Timestamp {
    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// From seconds with a fraction, as Buildbot's peers send them. Values out of range saturate;
    /// NaN becomes the minimum.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float to int casts saturate, which is wanted"
    )]
    pub fn from_secs_f64(secs: f64) -> Self {
        if secs.is_nan() {
            return Self(i64::MIN);
        }
        Self((secs * 1e6).round() as i64)
    }

    /// Seconds since the epoch, with a fraction.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of this era fit a double"
    )]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The time in RFC 3339, in UTC with milliseconds.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_micros(self.0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, d: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, d: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

/// Monotonic time since an arbitrary origin; only differences are meaningful.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mono(pub Duration);

impl Add<Duration> for Mono {
    type Output = Self;

    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(d))
    }
}

impl Mono {
    /// Time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Both clocks at one instant. Deadlines use monotonic time; people read wall time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// Monotonic clock.
    pub mono: Mono,
    /// Wall clock.
    pub wall: Timestamp,
}

/// The time of schedulers. Waits are measured on a clock that nobody sets; people read and write
/// wall time. Both agree unless somebody sets the wall clock.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moment {
    /// Advances with the monotonic clock, starting from the wall time at the start of the master.
    pub steady: Timestamp,
    /// The wall clock, which users and time servers set.
    pub wall: Timestamp,
}

impl Moment {
    /// The wall time at `steady`, assuming that nobody sets the clock.
    #[must_use]
    pub const fn wall_of(self, steady: Timestamp) -> Timestamp {
        let ahead = self.wall.0.saturating_sub(self.steady.0);
        Timestamp(steady.0.saturating_add(ahead))
    }

    /// The steady time of a wall time, with the current setting of the wall clock.
    #[must_use]
    pub const fn steady_of(self, wall: Timestamp) -> Timestamp {
        let ahead = self.wall.0.saturating_sub(self.steady.0);
        Timestamp(wall.0.saturating_sub(ahead))
    }
}

impl From<Timestamp> for Moment {
    /// A moment at which both clocks show the same time.
    fn from(at: Timestamp) -> Self {
        Self {
            steady: at,
            wall: at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_wall_clock_shifts_what_people_read_and_nothing_else() {
        let set_back = Moment {
            steady: Timestamp::from_secs(1000),
            wall: Timestamp::from_secs(400),
        };
        let in_a_minute = Timestamp::from_secs(1060);
        assert_eq!(set_back.wall_of(in_a_minute), Timestamp::from_secs(460));
        let back = set_back.steady_of(Timestamp::from_secs(460));
        assert_eq!(back, in_a_minute);
    }
}
