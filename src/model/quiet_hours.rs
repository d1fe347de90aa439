//! The hours in which people are not reminded of anything (ESC-06).

/// Quiet hours of a day. At weekends the whole day is quiet, unless no hour is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QuietHours {
    /// The minute of the day at which they begin; the same as `until` if there are none.
    from: i64,
    /// The minute of the day at which they end.
    until: i64,
}

impl QuietHours {
    /// Those of people who have not said theirs: from 20 to 8 o'clock.
    pub const USUAL: Self = Self {
        from: 20 * 60,
        until: 8 * 60,
    };

    /// No quiet hours, at weekends neither.
    pub const NONE: Self = Self { from: 0, until: 0 };

    /// The hours that a text such as `22:00-07:00` or `none` says.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::NONE);
        }
        let (from, until) = text.split_once('-')?;
        let (from, until) = (minute(from)?, minute(until)?);
        (from != until).then_some(Self { from, until })
    }

    /// Whether it is quiet at this local time: seconds since 1970 on the clocks of the person.
    #[must_use]
    pub const fn has(self, local: i64) -> bool {
        if self.from == self.until {
            return false;
        }
        let minute = local.rem_euclid(86_400) / 60;
        // The first of January 1970 was a Thursday.
        let weekday = local.div_euclid(86_400).wrapping_add(3).rem_euclid(7);
        let is_between = if self.from < self.until {
            self.from <= minute && minute < self.until
        } else {
            minute >= self.from || minute < self.until
        };
        weekday >= 5 || is_between
    }
}

/// The minute of the day of a time such as `07:30`.
fn minute(text: &str) -> Option<i64> {
    let (hour, minute) = text.trim().split_once(':')?;
    let part = |text: &str, most: i64| {
        let is_number = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i64>().ok().filter(|_| is_number)?;
        (number < most).then_some(number)
    };
    Some(part(hour, 24)? * 60 + part(minute, 60)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const HOUR: i64 = 3600;

    /// 2026-11-27, a Friday.
    const FRIDAY: i64 = 1_795_737_600;

    #[test]
    fn esc_06_nights_and_weekends_are_quiet() {
        let quiet = QuietHours::USUAL;
        for (hour, is_quiet) in [(7, true), (8, false), (19, false), (20, true)] {
            assert_eq!(quiet.has(FRIDAY + hour * HOUR), is_quiet, "{hour}");
        }
        assert!(quiet.has(FRIDAY + 36 * HOUR));
        assert!(!quiet.has(FRIDAY + 84 * HOUR));
    }

    #[test]
    fn esc_06_people_have_quiet_hours_of_their_own() {
        let noon = QuietHours::parse("12:30-13:00").unwrap();
        assert!(!noon.has(FRIDAY + 12 * HOUR) && noon.has(FRIDAY + 12 * HOUR + 1800));
        assert!(!noon.has(FRIDAY + 13 * HOUR) && !noon.has(FRIDAY));
        assert!(noon.has(FRIDAY + 24 * HOUR), "a Saturday");
        let none = QuietHours::parse("none").unwrap();
        assert!(!none.has(FRIDAY + 36 * HOUR));
        for wrong in [
            "",
            "22-7",
            "22:00",
            "22:00-24:00",
            "7:60-8:00",
            "8:00-8:00",
            "+7:00-8:00",
        ] {
            assert_eq!(QuietHours::parse(wrong), None, "{wrong}");
        }
    }
}
