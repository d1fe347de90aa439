//! The next run of a `Nightly`, computed instead of searched for minute by minute (NIG-02 to
//! NIG-05, NIG-11).
//!
//! Between two changes of a zone's offset local time runs evenly, so the first local minute that
//! matches there is a matter of the calendar alone. The search goes from one such stretch to the
//! next, in the order of absolute time: what clocks skip is in none of them, what they show twice
//! is in two.

use chrono::{DateTime, Datelike, NaiveDate};

use crate::config::NightlyConfig;
use crate::config::calendar::{Calendar, Field};
use crate::model::{Timestamp, Zone};

/// A run of a `Nightly`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// When.
    pub at: Timestamp,
    /// Whether it builds even if nothing has changed.
    pub forced: bool,
}

/// The first run later than `after`, unless the limit comes first (NIG-05).
#[must_use]
pub fn next_run(config: &NightlyConfig, after: Timestamp) -> Option<Run> {
    let regular = next_match(&config.calendar, config, after);
    let forced = config.force_at.as_ref();
    let forced = forced.and_then(|calendar| next_match(calendar, config, after));
    let at = match (regular, forced) {
        (Some(regular), Some(forced)) => regular.min(forced),
        (regular, forced) => regular.or(forced)?,
    };
    let forced = forced == Some(at);
    let at = Timestamp::from_secs(at);
    Some(Run { at, forced })
}

/// The beginning of the local year after that of `now`.
pub(super) fn next_new_year(zone: Zone, now: Timestamp) -> Timestamp {
    let now = whole_seconds(now);
    let year = year_of(now + zone.offset_at(now));
    let local = days_to(year.saturating_add(1)) * DAY;
    let near = local - zone.offset_at(local);
    Timestamp::from_secs(local - zone.offset_at(near)).max(Timestamp::from_secs(now + 1))
}

/// The first second later than `after` at which a minute of the calendar begins.
fn next_match(calendar: &Calendar, config: &NightlyConfig, after: Timestamp) -> Option<i64> {
    let search = Search::new(calendar, config, after);
    let mut after = whole_seconds(after);
    loop {
        let found = search.first_after(after)?;
        if !config.repeated_once || config.zone.first_pass(found) == found {
            return Some(found);
        }
        after = found;
    }
}

struct Search<'a> {
    calendar: &'a Calendar,
    zone: Zone,
    after_gap: bool,
    /// The local year in which nothing is looked for any more.
    limit: i32,
}

impl<'a> Search<'a> {
    fn new(calendar: &'a Calendar, config: &NightlyConfig, after: Timestamp) -> Self {
        let after = whole_seconds(after);
        let offset = config.zone.offset_at(after);
        let candidate = next_minute(after, offset);
        let year = year_of(candidate + config.zone.offset_at(candidate));
        Self {
            calendar,
            zone: config.zone,
            after_gap: config.after_gap,
            limit: year.saturating_add(i32::from(config.search_years)),
        }
    }

    fn first_after(&self, after: i64) -> Option<i64> {
        let mut known = after;
        let mut offset = self.zone.offset_at(after);
        let mut from = next_minute(after, offset);
        loop {
            let found = self.first_local(from + offset).map(|local| local - offset);
            let bound = found.unwrap_or_else(|| days_to(self.limit) * DAY - offset);
            let Some(change) = self.first_change(known, bound) else {
                return found;
            };
            let changed = self.zone.offset_at(change);
            if self.after_gap && changed > offset {
                let skipped = self.first_local(change + offset);
                if skipped.is_some_and(|local| local < change + changed) {
                    return Some(change);
                }
            }
            (known, offset) = (change, changed);
            from = next_minute(change - 1, changed);
        }
    }

    /// The first instant later than `known` and not later than `bound` at which the offset is
    /// another one.
    fn first_change(&self, known: i64, bound: i64) -> Option<i64> {
        let offset = self.zone.offset_at(known);
        let mut same = known;
        let mut other = loop {
            if same >= bound {
                return None;
            }
            let probe = bound.min(same + STRIDE);
            if self.zone.offset_at(probe) != offset {
                break probe;
            }
            same = probe;
        };
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if self.zone.offset_at(middle) == offset {
                same = middle;
            } else {
                other = middle;
            }
        }
        Some(other)
    }

    /// The first local minute of the calendar at `from` or later, before the limit; local seconds.
    fn first_local(&self, from: i64) -> Option<i64> {
        let days = from.div_euclid(DAY);
        let minute = from.rem_euclid(DAY).div_euclid(60);
        let mut date = date_of(days)?;
        let mut time = None;
        if date.year() < self.limit && self.days_of(date) >> date.day() & 1 == 1 {
            time = self.first_time(u32::try_from(minute).ok()?);
        }
        if time.is_none() {
            date = self.first_date(date.succ_opt()?)?;
            time = self.first_time(0);
        }
        let since_epoch = date.signed_duration_since(NaiveDate::default()).num_days();
        Some(since_epoch * DAY + i64::from(time?) * 60)
    }

    /// The first minute of a day that matches, `from` or later.
    fn first_time(&self, from: u32) -> Option<u32> {
        let Calendar { minute, hour, .. } = self.calendar;
        let in_hour = |hour: u32, from| {
            let minute = minute.next(from).filter(|m| *m < 60)?;
            Some(hour * 60 + minute)
        };
        let this_hour = from / 60;
        let in_this_hour = hour
            .allows(this_hour)
            .then(|| in_hour(this_hour, from % 60))
            .flatten();
        in_this_hour.or_else(|| in_hour(hour.next(this_hour + 1).filter(|h| *h < 24)?, 0))
    }

    /// The first date that matches, `from` or later, before the limit.
    fn first_date(&self, from: NaiveDate) -> Option<NaiveDate> {
        let mut from = from;
        while from.year() < self.limit {
            let month = self.calendar.month.next(from.month()).filter(|m| *m <= 12);
            let (year, month) = match month {
                Some(month) => (from.year(), month),
                None => (from.year() + 1, self.calendar.month.next(1)?),
            };
            if (year, month) != (from.year(), from.month()) {
                from = NaiveDate::from_ymd_opt(year, month, 1)?;
                continue;
            }
            let days = Field::OneOf(self.days_of(from));
            if let Some(day) = days.next(from.day()) {
                return from.with_day(day);
            }
            from = from
                .with_day(1)?
                .checked_add_months(chrono::Months::new(1))?;
        }
        None
    }

    /// The days of `date`'s month that match, as bits (NIG-02).
    fn days_of(&self, date: NaiveDate) -> u64 {
        let Calendar {
            day_of_month,
            month,
            day_of_week,
            ..
        } = self.calendar;
        if !month.allows(date.month()) {
            return 0;
        }
        let length = u32::from(date.num_days_in_month());
        let all = ((1_u64 << length) - 1) << 1;
        let by_weekday = match day_of_week {
            Field::Any => return all & day_of_month.bits(),
            Field::OneOf(_) => {
                // The weekday of the day before the first.
                let before = (date.weekday().num_days_from_monday() + 35 - date.day()) % 7;
                let is_wanted = |day: &u32| day_of_week.allows((before + day) % 7);
                let days = (1..=length).filter(is_wanted);
                days.fold(0, |days, day| days | 1_u64 << day)
            }
        };
        all & match day_of_month {
            Field::Any => by_weekday,
            Field::OneOf(days) => by_weekday | days,
        }
    }
}

/// The instant after `after` at which the next local minute begins.
fn next_minute(after: i64, offset: i64) -> i64 {
    ((after + offset).div_euclid(60) + 1) * 60 - offset
}

/// Seconds since the epoch; fractions are dropped (NIG-03). Far away from any calendar it stays
/// there.
fn whole_seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000).clamp(-FAR, FAR)
}

fn date_of(days: i64) -> Option<NaiveDate> {
    Some(DateTime::from_timestamp(days.checked_mul(DAY)?, 0)?.date_naive())
}

fn year_of(local: i64) -> i32 {
    date_of(local.div_euclid(DAY)).map_or(0, |date| date.year())
}

/// Days from the epoch to the beginning of `year`.
fn days_to(year: i32) -> i64 {
    let date = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(NaiveDate::MAX);
    date.signed_duration_since(NaiveDate::default()).num_days()
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The steps, in seconds, in which the offset is looked at. Two changes that undo each other are
/// further apart than this in every zone since 1970, which a test proves.
pub(super) const STRIDE: i64 = 6 * DAY;

/// Seconds from the epoch to the end of the years 9999, and as many back: chrono's calendar reaches
/// further.
const FAR: i64 = 253_402_300_799;
