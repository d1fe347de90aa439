use super::*;

#[test]
fn scb_09_equal_settings_are_left_alone() {
    let all = || {
        vec![
            config(Some(60)),
            config_of("any", any_branch(None, tree_stable(Some(60)))),
            periodic(100, false),
            night(nightly(3)),
        ]
    };
    let mut harness = Harness::start(0.0, all());
    harness.change(130.0, 1, None, None, "important");
    harness.run_until(160.0);
    let stored = harness.stored.clone();
    let sets = harness.sets.len();
    let mut other_order = all();
    other_order.reverse();
    harness.reconfigure(160.0, other_order);
    assert_eq!(harness.stored, stored);
    assert_eq!(harness.sets.len(), sets, "a Periodic does not start again");
    assert_eq!(harness.pending("quick"), [190.0]);
    assert_eq!(harness.pending("any"), [190.0]);
    assert_eq!(harness.pending("hourly"), [200.0]);
    assert_eq!(
        harness.sets(195.0)[sets..],
        [(190.0, vec![1]), (190.0, vec![1])]
    );
}

#[test]
fn sb_12_a_changed_scheduler_hands_its_changes_and_its_time_over() {
    let mut harness = Harness::start(0.0, vec![config(Some(60))]);
    harness.change(100.0, 1, None, None, "doc");
    harness.change(110.0, 2, None, None, "important");
    let mut other = config(Some(60));
    other.builders = vec!["b3".into()];
    harness.reconfigure(120.0, vec![other]);
    harness.run_until(1000.0);
    assert_eq!(harness.sets[0].builders, ["b3"]);
    assert_eq!(harness.sets(1000.0), [(170.0, vec![1, 2])]);
}

#[test]
fn a_scheduler_of_another_kind_hands_nothing_over() {
    let mut harness = Harness::start(0.0, vec![config(Some(60))]);
    harness.change(100.0, 1, None, None, "important");
    let other = config_of("quick", any_branch(None, tree_stable(Some(60))));
    harness.reconfigure(120.0, vec![other]);
    assert_eq!(harness.sets(1000.0), []);
    assert!(harness.stored.is_empty());
}

#[test]
fn what_is_removed_is_forgotten() {
    let any = config_of("any", any_branch(None, tree_stable(Some(60))));
    let mut harness = Harness::start(0.0, vec![config(Some(60)), any, night(nightly(3))]);
    harness.change(100.0, 1, None, None, "important");
    assert_eq!(harness.stored.len(), 3);
    harness.reconfigure(120.0, vec![]);
    assert!(harness.stored.is_empty());
    assert_eq!(harness.sets(1e6), []);
}

#[test]
fn sb_05_a_dependent_with_other_builders_uses_them_and_follows_a_replaced_upstream() {
    let mut harness = Harness::start(0.0, vec![config(None), dependent("d", "quick")]);
    harness.change(100.0, 1, None, None, "important");
    let mut other = dependent("d", "quick");
    other.builders = vec!["b9".into()];
    harness.reconfigure(110.0, vec![config(Some(5)), other]);
    harness.finish(120.0, 0, true);
    let builders: Vec<_> = harness.sets.iter().map(|s| s.builders.clone()).collect();
    assert_eq!(builders, [vec!["b1", "b2"], vec!["b9"]]);
    harness.change(130.0, 2, None, None, "important");
    harness.run_until(200.0);
    harness.finish(200.0, 2, true);
    let names = harness.submissions.iter().map(|s| s.scheduler.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["quick", "d", "quick", "d"]);
}

#[test]
fn sb_06_a_set_that_cannot_be_made_does_not_stop_the_next() {
    let mut harness = Harness::start(0.0, vec![periodic(10, false), night(nightly(3))]);
    harness.run_until(0.0);
    for n in 0..3 {
        assert_eq!(harness.submissions.len(), n + 1);
        // What the core answers when a builder does not exist.
        harness.finish(10.0 * n as f64, n, false);
        harness.run_until(10.0 * (n + 1) as f64);
    }
    assert_eq!(harness.pending("nightly"), [3.0 * 3600.0]);
}
