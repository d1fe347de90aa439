use super::*;

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

#[test]
fn nig_07_it_builds_the_latest_of_its_branch_at_each_slot() {
    let mut settings = nightly(3);
    settings.what.branch = Some("rel".to_owned());
    let mut harness = Harness::start(0.0, vec![night(settings)]);
    harness.change(100.0, 1, None, Some("rel"), "important");
    assert_eq!(harness.times(2.0 * DAY), [3.0 * HOUR, 27.0 * HOUR]);
    let rel = SourceStamps::from(SourceStamp {
        branch: Some("rel".to_owned()),
        ..SourceStamp::default()
    });
    assert!(harness.submissions.iter().all(|s| *s.stamps == rel));
}

#[test]
fn nig_08_a_timer_that_wakes_early_does_not_run_a_slot_twice() {
    let mut harness = Harness::start(0.0, vec![night(nightly(3))]);
    harness.wake(3.0 * HOUR - 0.0005, 0);
    assert_eq!(harness.pending("nightly"), [3.0 * HOUR]);
    harness.wake(3.0 * HOUR, 0);
    harness.wake(3.0 * HOUR, 0);
    assert_eq!(harness.pending("nightly"), [27.0 * HOUR]);
    assert_eq!(harness.times(20.0 * HOUR), [3.0 * HOUR]);
}

#[test]
fn nig_09_of_slots_that_a_clock_jumps_over_one_is_run() {
    let mut harness = Harness::start(0.0, vec![night(nightly(3))]);
    harness.wake(10.0 * DAY, 0);
    assert_eq!(harness.pending("nightly"), [10.0 * DAY + 3.0 * HOUR]);
    assert_eq!(harness.sets.len(), 1);
}

#[test]
fn nig_09_a_clock_set_back_repeats_no_slot() {
    let mut harness = Harness::start(0.0, vec![night(nightly(3))]);
    harness.run_until(4.0 * HOUR);
    harness.wake(2.0 * HOUR, 0);
    harness.restart(2.5 * HOUR, night(nightly(3)));
    assert_eq!(harness.times(28.0 * HOUR), [3.0 * HOUR, 27.0 * HOUR]);
}

#[test]
fn mas_07_a_restart_before_at_or_after_a_slot_leaves_it_one_run() {
    for restart in [3.0 * HOUR - 1.0, 3.0 * HOUR, 3.0 * HOUR + 1.0, 5.0 * HOUR] {
        for ran_before in [true, false] {
            let mut harness = Harness::start(0.0, vec![night(nightly(3))]);
            if ran_before {
                harness.run_until(restart);
            }
            harness.restart(restart, night(nightly(3)));
            assert_eq!(harness.times(DAY).len(), 1, "{restart} {ran_before}");
            assert_eq!(harness.pending("nightly"), [27.0 * HOUR]);
        }
    }
}

#[test]
fn other_settings_make_up_for_nothing() {
    let mut harness = Harness::start(0.0, vec![night(nightly(20))]);
    harness.restart(15.0 * HOUR, night(nightly(14)));
    assert_eq!(harness.times(2.0 * DAY), [38.0 * HOUR]);
}

#[test]
fn sb_04_no_next_run_is_reported_and_looked_for_again_at_the_new_year() {
    let fields = [0, 0, 29, 2].map(|n| Field::one_of([n]));
    let [minute, hour, day, month] = fields;
    let mut leap = nightly(0);
    leap.calendar = Calendar::new([minute, hour, day, month, Field::Any]).unwrap();
    let year = |n: u32| f64::from(n - 1970) * 365.0 * DAY + f64::from((n - 1969) / 4) * DAY;
    let mut harness = Harness::start(year(2026), vec![night(leap.clone())]);
    assert_eq!(harness.pending("nightly"), [0.0; 0]);
    assert_eq!(harness.problems.len(), 1);
    assert!(harness.problems[0].starts_with("nightly: no time within 2 calendar years"));
    harness.problems.clear();
    assert_eq!(harness.times(year(2027)), [0.0; 0]);
    assert_eq!(harness.pending("nightly"), [year(2028) + 59.0 * DAY]);
    harness.run_until(year(2028) + 60.0 * DAY);
    assert_eq!(harness.sets.len(), 1);
    assert_eq!(harness.problems.len(), 1, "the next one is far away again");
    leap.search_years = 4;
    let harness = Harness::start(year(2026), vec![night(leap)]);
    assert_eq!(harness.problems, [""; 0]);
}

fn only_if_changed() -> NightlyConfig {
    let mut settings = nightly(3);
    settings.what.only_if_changed = Some(rules());
    settings
}

#[test]
fn nig_12_only_if_changed_skips_a_slot_without_anything_important() {
    let mut harness = Harness::start(0.0, vec![night(only_if_changed())]);
    harness.run_until(DAY);
    harness.change(DAY, 1, None, None, "doc");
    harness.change(DAY, 2, None, Some("elsewhere"), "important");
    harness.run_until(2.0 * DAY);
    harness.restart(2.0 * DAY, night(only_if_changed()));
    harness.change(2.0 * DAY, 3, None, None, "important");
    assert_eq!(harness.sets(4.0 * DAY), [(51.0 * HOUR, vec![1, 3])]);
    let mut only_important = only_if_changed();
    let rules = only_important.what.only_if_changed.as_mut().unwrap();
    rules.only_important = true;
    let mut harness = Harness::start(0.0, vec![night(only_important)]);
    harness.change(100.0, 1, None, None, "doc");
    harness.change(100.0, 2, None, None, "important");
    assert_eq!(harness.sets(4.0 * DAY), [(3.0 * HOUR, vec![2])]);
}

#[test]
fn nig_12_at_forced_times_it_builds_even_if_nothing_has_changed() {
    let mut settings = only_if_changed();
    settings.force_at = Some(nightly(12).calendar);
    let mut harness = Harness::start(0.0, vec![night(settings)]);
    harness.change(13.0 * HOUR, 1, None, None, "doc");
    harness.change(30.0 * HOUR, 2, None, None, "important");
    assert_eq!(
        harness.sets(2.0 * DAY),
        [(12.0 * HOUR, vec![]), (36.0 * HOUR, vec![1, 2])]
    );
}

#[test]
fn changes_are_not_wanted_any_more_when_the_option_goes() {
    let mut harness = Harness::start(0.0, vec![night(only_if_changed())]);
    harness.change(100.0, 1, None, None, "important");
    harness.restart(200.0, night(nightly(3)));
    assert_eq!(harness.sets(DAY), [(3.0 * HOUR, vec![])]);
}
