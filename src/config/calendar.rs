//! When `Nightly` runs: minutes of the local calendar (NIG-01, NIG-02).

use std::fmt;

use serde::Serialize;

/// A set of local minutes that comes again and again. There is at least one minute in it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Calendar {
    /// 0 to 59.
    pub minute: Field,
    /// 0 to 23.
    pub hour: Field,
    /// 1 to 31. Where days of the week are restricted too, one of the two is enough.
    pub day_of_month: Field,
    /// 1 to 12.
    pub month: Field,
    /// 0 is Monday, 6 is Sunday.
    pub day_of_week: Field,
}

/// What one field of a calendar may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Field {
    /// Anything.
    Any,
    /// One of the numbers whose bits are set. Even a full list is a restriction.
    OneOf(u64),
}

/// Fields that no minute matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NeverMatches;

impl Calendar {
    /// A calendar of these fields, if a minute can match them (NIG-06).
    ///
    /// # Errors
    /// No month of `month` has a day of `day_of_month`, or a field is empty.
    pub fn new(
        [minute, hour, day_of_month, month, day_of_week]: [Field; 5],
    ) -> Result<Self, NeverMatches> {
        let empty = |field: Field| field == Field::OneOf(0);
        if [minute, hour, day_of_month, month, day_of_week]
            .into_iter()
            .any(empty)
        {
            return Err(NeverMatches);
        }
        let has_day = |(month_number, length): (u32, u32)| {
            month.allows(month_number) && (1..=length).any(|day| day_of_month.allows(day))
        };
        let on_weekdays = day_of_week != Field::Any;
        if !on_weekdays && !(1..).zip(LONGEST_MONTHS).any(has_day) {
            return Err(NeverMatches);
        }
        Ok(Self {
            minute,
            hour,
            day_of_month,
            month,
            day_of_week,
        })
    }
}

impl Default for Calendar {
    /// On the hour, every hour.
    fn default() -> Self {
        Self {
            minute: Field::one_of([0]),
            hour: Field::Any,
            day_of_month: Field::Any,
            month: Field::Any,
            day_of_week: Field::Any,
        }
    }
}

impl Calendar {
    /// Its fields, from the minute to the day of the week.
    #[must_use]
    pub const fn fields(&self) -> [Field; 5] {
        [
            self.minute,
            self.hour,
            self.day_of_month,
            self.month,
            self.day_of_week,
        ]
    }
}

impl Field {
    /// The numbers of `numbers`, which are below 64.
    #[must_use]
    pub fn one_of(numbers: impl IntoIterator<Item = u32>) -> Self {
        let bit = |number: u32| 1_u64.checked_shl(number).unwrap_or(0);
        Self::OneOf(numbers.into_iter().fold(0, |set, n| set | bit(n)))
    }

    /// Whether `number` is one of its own.
    #[must_use]
    pub fn allows(self, number: u32) -> bool {
        self.bits().checked_shr(number).unwrap_or(0) & 1 == 1
    }

    /// Its least number that is `from` or more.
    #[must_use]
    pub fn next(self, from: u32) -> Option<u32> {
        let rest = u64::MAX.checked_shl(from).unwrap_or(0) & self.bits();
        (rest != 0).then(|| rest.trailing_zeros())
    }

    /// Its numbers as bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        match self {
            Self::Any => u64::MAX,
            Self::OneOf(bits) => bits,
        }
    }
}

impl fmt::Display for NeverMatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no day of the calendar matches")
    }
}

impl std::error::Error for NeverMatches {}

/// Days of the months, in leap years.
const LONGEST_MONTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

#[cfg(test)]
mod tests {
    use super::*;

    fn days(day_of_month: Field, month: Field, day_of_week: Field) -> bool {
        Calendar::new([Field::Any, Field::Any, day_of_month, month, day_of_week]).is_ok()
    }

    #[test]
    fn nig_06_what_can_never_match_is_told_from_what_seldom_does() {
        let only = |n| Field::one_of([n]);
        assert!(days(only(29), only(2), Field::Any), "in leap years");
        assert!(!days(only(30), only(2), Field::Any));
        assert!(!days(only(31), only(4), Field::Any));
        assert!(days(only(31), Field::one_of([4, 5]), Field::Any));
        assert!(
            days(only(30), only(2), only(0)),
            "Mondays of February match"
        );
        assert!(!days(Field::one_of([]), Field::Any, Field::Any));
        assert!(!days(Field::one_of([]), Field::Any, only(1)));
        assert!(days(Field::Any, only(2), only(1)));
    }

    #[test]
    fn fields_find_their_next_number() {
        let field = Field::one_of([3, 15]);
        assert_eq!(
            [0, 3, 4, 15, 16, 63, 64].map(|n| field.next(n)),
            [Some(3), Some(3), Some(15), Some(15), None, None, None]
        );
        assert_eq!(Field::Any.next(60), Some(60));
        assert!(field.allows(15) && !field.allows(14) && !field.allows(70));
    }
}
