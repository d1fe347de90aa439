//! The data file as it is, and a walk from minute to minute over whatever a generator thinks of.

use chrono::{DateTime, Datelike, Timelike};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::search::STRIDE;
use super::*;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
    sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    tz: String,
    spec: Spec,
    now: At,
    next: Option<At>,
}

#[derive(Deserialize)]
struct Sequence {
    id: String,
    tz: String,
    spec: Spec,
    start: At,
    fires: Vec<At>,
}

#[derive(Deserialize)]
struct At {
    epoch: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    minute: Option<Json>,
    hour: Option<Json>,
    day_of_month: Option<Json>,
    month: Option<Json>,
    day_of_week: Option<Json>,
}

impl Spec {
    /// The fields, also those that the configuration would refuse.
    fn calendar(&self) -> Option<Calendar> {
        let field = |value: &Option<Json>, default| match value {
            None => default,
            Some(Json::String(any)) if any == "*" => Field::Any,
            Some(Json::Array(list)) => Field::one_of(list.iter().map(number)),
            Some(one) => Field::one_of([number(one)]),
        };
        let calendar = Calendar::new([
            field(&self.minute, Field::one_of([0])),
            field(&self.hour, Field::Any),
            field(&self.day_of_month, Field::Any),
            field(&self.month, Field::Any),
            field(&self.day_of_week, Field::Any),
        ]);
        calendar.ok()
    }
}

/// A number; what none of the fields counts up to stands for what is none.
fn number(value: &Json) -> u32 {
    let number = value.as_i64().and_then(|n| u32::try_from(n).ok());
    number.unwrap_or(63)
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("../../../tests/data/nightly-cases.json")).unwrap()
}

#[test]
fn all_cases_of_nightly() {
    let cases = cases().cases;
    assert_eq!(cases.len(), 215);
    for case in cases {
        let Some(calendar) = case.spec.calendar() else {
            assert!(case.next.is_none(), "{}", case.id);
            continue;
        };
        let zone = Zone::named(&case.tz).unwrap();
        let config = NightlyConfig {
            calendar,
            zone,
            ..nightly(0)
        };
        let next = next_run(&config, Timestamp::from_secs_f64(case.now.epoch));
        let expected = case.next.map(|at| Timestamp::from_secs_f64(at.epoch));
        assert_eq!(next.map(|run| run.at), expected, "{}", case.id);
    }
}

#[test]
fn all_sequences_of_nightly() {
    let sequences = cases().sequences;
    assert_eq!(sequences.len(), 10);
    for sequence in sequences {
        let calendar = sequence.spec.calendar().unwrap();
        let zone = Zone::named(&sequence.tz).unwrap();
        let config = NightlyConfig {
            calendar,
            zone,
            ..nightly(0)
        };
        let mut harness = Harness::start(sequence.start.epoch, vec![night(config)]);
        let fires: Vec<f64> = sequence.fires.iter().map(|at| at.epoch).collect();
        let times = harness.times(*fires.last().unwrap());
        assert_eq!(times, fires, "{}", sequence.id);
    }
}

#[test]
fn sb_26_an_hour_that_comes_twice_without_daylight_saving_is_run_twice() {
    let moscow = Zone::named("Europe/Moscow").unwrap();
    let config = NightlyConfig {
        zone: moscow,
        ..nightly(1)
    };
    let first = Timestamp::from_secs(1_414_270_800);
    let before = first - Duration::from_secs(1);
    let run = next_run(&config, before).unwrap();
    assert_eq!(run.at, first);
    let again = next_run(&config, run.at).unwrap();
    assert_eq!(again.at, first + Duration::from_secs(3600));
}

#[test]
fn nig_10_local_time_is_that_of_the_zone() {
    let kolkata = Zone::named("Asia/Kolkata").unwrap();
    let config = NightlyConfig {
        zone: kolkata,
        ..nightly(0)
    };
    let run = next_run(&config, Timestamp(0)).unwrap();
    assert_eq!(run.at, Timestamp::from_secs(18 * 3600 + 30 * 60));
}

#[test]
fn nig_12_a_repeated_slot_may_run_once_and_a_skipped_one_after_the_gap() {
    let new_york = Zone::named("America/New_York").unwrap();
    let plain = NightlyConfig {
        zone: new_york,
        ..nightly(1)
    };
    let once = NightlyConfig {
        repeated_once: true,
        ..plain.clone()
    };
    let next = |config, at| next_run(config, Timestamp::from_secs(at)).unwrap().at;
    let first = 1_793_509_200;
    assert_eq!(next(&plain, first), Timestamp::from_secs(first + 3600));
    assert_eq!(next(&once, first), Timestamp::from_secs(first + 90_000));

    let gone = NightlyConfig {
        zone: new_york,
        ..nightly(2)
    };
    let moved = NightlyConfig {
        after_gap: true,
        ..gone.clone()
    };
    let (before, gap) = (1_772_900_000, 1_772_953_200);
    assert_eq!(next(&gone, before), Timestamp::from_secs(gap + 23 * 3600));
    assert_eq!(next(&moved, before), Timestamp::from_secs(gap));
    assert_eq!(next(&moved, gap), Timestamp::from_secs(gap + 23 * 3600));
}

/// The search takes steps of less than the time between two changes of an offset that undo each
/// other.
#[test]
fn no_zone_changes_its_offset_back_within_the_stride() {
    let (quarter, end) = (6 * 3600, 2_208_988_800);
    let apart = STRIDE + 6 * 3600;
    for name in Zone::names() {
        let zone = Zone::named(name).unwrap();
        let (mut offset, mut since) = (zone.offset_at(0), -i64::MAX);
        let mut before = None;
        for at in (0..end).step_by(quarter) {
            let now = zone.offset_at(at);
            if now != offset {
                let undone = before == Some(now);
                assert!(!undone || at - since > apart, "{name} at {at}");
                (before, offset, since) = (Some(offset), now, at);
            }
        }
    }
}

/// The definition: from minute to minute in absolute time, until one matches (NIG-02 to NIG-05).
fn walk(config: &NightlyConfig, after: i64) -> Option<i64> {
    let offset = config.zone.offset_at(after);
    let mut at = ((after + offset).div_euclid(60) + 1) * 60 - offset;
    let local = |at: i64| DateTime::from_timestamp(at + config.zone.offset_at(at), 0).unwrap();
    let limit = local(at).year() + i32::from(config.search_years);
    while local(at).year() < limit {
        let now = local(at);
        let calendar = &config.calendar;
        let day = calendar.day_of_month.allows(now.day());
        let weekday = calendar
            .day_of_week
            .allows(now.weekday().num_days_from_monday());
        let restricted = |field: Field| field != Field::Any;
        let either = restricted(calendar.day_of_month) && restricted(calendar.day_of_week);
        if calendar.minute.allows(now.minute())
            && calendar.hour.allows(now.hour())
            && calendar.month.allows(now.month())
            && if either {
                day || weekday
            } else {
                day && weekday
            }
        {
            return Some(at);
        }
        at += 60;
    }
    None
}

fn field(least: u32, greatest: u32) -> impl Strategy<Value = Field> {
    let few = proptest::collection::vec(least..=greatest, 1..4).prop_map(Field::one_of);
    prop_oneof![2 => Just(Field::Any), 3 => few]
}

prop_compose! {
    /// Any minute of any zone; half of them shortly before the zone changes its offset.
    fn zone_and_time()(
        zone in proptest::sample::select(Zone::names().collect::<Vec<_>>()),
        at in 126_230_400_i64..2_208_988_800,
        near in any::<bool>(),
        before in 0_i64..200_000,
    ) -> (Zone, i64) {
        let zone = Zone::named(zone).unwrap();
        let changes = |&at: &i64| zone.offset_at(at) != zone.offset_at(at + 86_400);
        let change = (at..).step_by(86_400).take(400).find(changes).filter(|_| near);
        (zone, change.map_or(at, |change| change + 86_400 - before))
    }
}

fn config_of_fields() -> impl Strategy<Value = (NightlyConfig, i64)> {
    let fields = (
        field(0, 59),
        field(0, 23),
        field(1, 31),
        field(1, 12),
        field(0, 6),
    );
    (fields, zone_and_time()).prop_filter_map("it can match", |(fields, (zone, at))| {
        let (minute, hour, day_of_month, month, day_of_week) = fields;
        let calendar = Calendar::new([minute, hour, day_of_month, month, day_of_week]).ok()?;
        let config = NightlyConfig {
            calendar,
            zone,
            search_years: 1,
            ..nightly(0)
        };
        Some((config, at))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_search_finds_what_a_walk_over_absolute_minutes_finds((config, at) in config_of_fields()) {
        let found = next_run(&config, Timestamp::from_secs(at)).map(|run| run.at);
        prop_assert_eq!(found, walk(&config, at).map(Timestamp::from_secs));
    }

    #[test]
    fn a_slot_that_counts_once_is_the_first_of_its_local_time((config, at) in config_of_fields()) {
        let once = NightlyConfig { repeated_once: true, ..config.clone() };
        if let Some(run) = next_run(&once, Timestamp::from_secs(at)) {
            let found = run.at.0 / 1_000_000;
            prop_assert_eq!(config.zone.first_pass(found), found);
            let plain = next_run(&config, Timestamp::from_secs(at)).map(|run| run.at);
            prop_assert!(plain.is_some_and(|plain| plain <= run.at));
        }
    }

    #[test]
    fn no_time_is_too_far_for_a_search((config, _) in config_of_fields(), at in any::<i64>()) {
        if let Some(run) = next_run(&config, Timestamp(at)) {
            prop_assert!(run.at > Timestamp(at) || at > 253_402_300_799_000_000);
        }
    }
}
