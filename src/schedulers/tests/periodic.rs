use super::*;

#[test]
fn per_02_it_builds_at_its_start_and_then_every_period() {
    let mut harness = Harness::start(1000.0, vec![periodic(100, false)]);
    assert_eq!(harness.times(1250.0), [1000.0, 1100.0, 1200.0]);
}

#[test]
fn per_03_missed_ticks_are_skipped_and_the_grid_stays() {
    let mut harness = Harness::start(1000.0, vec![periodic(100, false)]);
    harness.run_until(1150.0);
    harness.sets.clear();
    harness.wake(1360.0, 0);
    assert_eq!(harness.times(1450.0), [1360.0, 1400.0]);
}

#[test]
fn per_04_changes_have_no_effect() {
    let mut settings = periodic(100, false);
    periodic_of(&mut settings).what.branch = Some("rel".to_owned());
    let mut harness = Harness::start(1000.0, vec![settings]);
    harness.change(1050.0, 1, None, Some("rel"), "important");
    assert_eq!(harness.times(1100.0), [1000.0, 1100.0]);
    let rel = SourceStamps::from(SourceStamp {
        branch: Some("rel".to_owned()),
        ..SourceStamp::default()
    });
    assert!(harness.submissions.iter().all(|s| *s.stamps == rel));
}

#[test]
fn per_06_with_resume_the_last_run_counts_and_else_a_restart_builds_at_once() {
    for (resume, start, expected) in [
        (true, 1050.0, vec![1100.0, 1200.0]),
        (true, 1500.0, vec![1500.0, 1600.0]),
        (true, 1100.0, vec![1100.0, 1200.0]),
        (false, 1050.0, vec![1050.0, 1150.0]),
    ] {
        let mut harness = Harness::start(1000.0, vec![periodic(100, resume)]);
        assert_eq!(harness.times(1000.0), [1000.0]);
        harness.restart(start, periodic(100, resume));
        assert_eq!(harness.times(start + 150.0), expected);
    }
}

#[test]
fn per_06_resume_builds_at_the_very_first_start() {
    let mut harness = Harness::start(1000.0, vec![periodic(100, true)]);
    harness.restart(1001.0, periodic(100, true));
    assert_eq!(harness.times(1101.0), [1001.0, 1101.0]);
}

#[test]
fn a_late_run_before_a_restart_does_not_move_the_grid() {
    let mut harness = Harness::start(1000.0, vec![periodic(100, true)]);
    harness.run_until(1000.0);
    harness.wake(1360.0, 0);
    harness.sets.clear();
    harness.restart(1370.0, periodic(100, true));
    assert_eq!(harness.times(1500.0), [1400.0, 1500.0]);
}

#[test]
fn other_settings_do_not_make_it_build_at_once() {
    let mut harness = Harness::start(1000.0, vec![periodic(100, false)]);
    harness.reconfigure(1050.0, vec![periodic(80, false)]);
    assert_eq!(harness.times(1170.0), [1000.0, 1080.0, 1160.0]);
}

#[test]
fn only_if_changed_builds_what_has_come_since() {
    let mut settings = periodic(100, false);
    periodic_of(&mut settings).what.only_if_changed = Some(rules());
    let mut harness = Harness::start(1000.0, vec![settings]);
    harness.change(1010.0, 1, None, None, "doc");
    harness.change(1110.0, 2, None, None, "important");
    assert_eq!(harness.sets(2000.0), [(1200.0, vec![1, 2])]);
}
