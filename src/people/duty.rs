//! Who is on duty (ESC-10): whose turn it is, or who has taken it by hand.

use crate::config::Rota;
use crate::model::{Duty, Timestamp};

/// The duty of `rota` at `now`: the one that was taken by hand, if it has not ended, else the turn.
#[must_use]
pub fn on_duty(rota: &Rota, taken: &[Duty], now: Timestamp) -> Duty {
    let mut taken = taken.iter();
    let by_hand = taken.find(|duty| duty.rota == rota.name && now < duty.until);
    by_hand.cloned().unwrap_or_else(|| turn(rota, now))
}

/// Whose turn of `rota` it is at `now`. Turns have gone round since a Monday long ago, by the
/// clocks of the zone.
fn turn(rota: &Rota, now: Timestamp) -> Duty {
    let now = now.0.div_euclid(1_000_000);
    let local = now.saturating_add(rota.zone.offset_at(now));
    let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(1);
    let (first, turn) = (
        FIRST_MONDAY + seconds(rota.starts),
        seconds(rota.turn).max(1),
    );
    let number = local.saturating_sub(first).div_euclid(turn);
    let people = i64::try_from(rota.people.len()).unwrap_or(1).max(1);
    let place = usize::try_from(number.rem_euclid(people)).unwrap_or(0);
    let end = first.saturating_add(number.saturating_add(1).saturating_mul(turn));
    Duty {
        rota: rota.name.clone(),
        person: rota.people.get(place).cloned().unwrap_or_default(),
        until: Timestamp::from_secs(rota.zone.instant_of(end)),
    }
}

/// 1970-01-05, in seconds since 1970 began on local clocks.
const FIRST_MONDAY: i64 = 4 * 86_400;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;
    use crate::model::Zone;

    const DAY: u64 = 86_400;

    fn rota(zone: &str, days: u64) -> Rota {
        Rota {
            name: "sheriff".to_owned(),
            people: ["ann", "bob", "cid"].map(str::to_owned).into(),
            turn: Duration::from_secs(days * DAY),
            starts: Duration::from_secs(9 * 3600),
            zone: Zone::named(zone).unwrap(),
        }
    }

    fn at(text: &str) -> Timestamp {
        let time = chrono::DateTime::parse_from_rfc3339(text).unwrap();
        Timestamp::from_secs(time.timestamp())
    }

    #[test]
    fn esc_10_turns_go_round_by_the_clocks_of_the_zone() {
        let rota = rota("Europe/Berlin", 7);
        let who = |time: &str| on_duty(&rota, &[], at(time));
        // Clocks go back on 2026-10-25, a Sunday: the next turn still begins at 09:00.
        let before = who("2026-10-26T08:59:59+01:00");
        let after = who("2026-10-26T09:00:00+01:00");
        assert_eq!(before.until, at("2026-10-26T09:00:00+01:00"));
        assert_eq!(after.until, at("2026-11-02T09:00:00+01:00"));
        let people: Vec<_> = rota.people.iter().chain(&rota.people).collect();
        let place = people
            .iter()
            .position(|name| **name == before.person)
            .unwrap();
        assert_eq!(&after.person, people[place + 1]);
        assert_eq!(who("2026-10-19T09:00:00+02:00").person, before.person);
        assert_eq!(who("2026-11-09T09:00:00+01:00").person, before.person);
        // Before the first turn of all, too.
        assert!(rota.people.contains(&who("1969-01-01T00:00:00Z").person));
    }

    #[test]
    fn esc_10_a_duty_by_hand_counts_until_its_end() {
        let rota = rota("UTC", 1);
        let now = at("2026-11-27T12:00:00Z");
        let until = at("2026-11-27T18:00:00Z");
        let own = on_duty(&rota, &[], now);
        let duty = |rota: &str| Duty {
            rota: rota.to_owned(),
            person: "eve".to_owned(),
            until,
        };
        assert_eq!(
            on_duty(&rota, &[duty("other"), duty("sheriff")], now),
            duty("sheriff")
        );
        assert_eq!(on_duty(&rota, &[duty("other")], now), own);
        assert_eq!(on_duty(&rota, &[duty("sheriff")], until), own);
    }
}
