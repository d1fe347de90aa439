use super::*;

fn chain(names: &[&str]) -> Vec<SchedulerConfig> {
    let mut all = vec![config(Some(60))];
    let mut upstream = "quick";
    for &name in names {
        all.push(dependent(name, upstream));
        upstream = name;
    }
    // The order of the file does not matter.
    all.reverse();
    all
}

fn names(harness: &Harness) -> Vec<&str> {
    let sets = harness.submissions.iter();
    sets.map(|s| s.scheduler.as_str()).collect()
}

#[test]
fn dep_03_and_dep_05_a_chain_builds_the_same_stamp_link_by_link() {
    let links = ["d1", "d2", "d3", "d4"];
    let mut harness = Harness::start(0.0, chain(&links));
    harness.change(100.0, 1, None, None, "doc");
    harness.change(110.0, 2, None, None, "important");
    harness.run_until(1000.0);
    for n in 0..=links.len() {
        assert_eq!(harness.submissions.len(), n + 1, "one after the other");
        harness.finish(1000.0, n, true);
    }
    assert_eq!(names(&harness), ["quick", "d1", "d2", "d3", "d4"]);
    let first = &harness.submissions[0].stamps;
    assert_eq!(first.changes().count(), 2);
    assert!(
        harness
            .submissions
            .iter()
            .all(|s| Arc::ptr_eq(&s.stamps, first))
    );
    assert_eq!(
        harness.submissions[4].properties.get("scheduler"),
        Some(&"d4".into())
    );
}

#[test]
fn scb_05_watchers_hear_of_success_alone_and_in_order() {
    let all = vec![
        dependent("second", "quick"),
        config(None),
        dependent("third", "quick"),
    ];
    let mut harness = Harness::start(0.0, all);
    harness.change(100.0, 1, None, None, "important");
    harness.finish(110.0, 0, false);
    assert_eq!(names(&harness), ["quick"]);
    harness.finish(110.0, 0, true);
    assert_eq!(names(&harness), ["quick", "second", "third"]);
}

#[test]
fn scb_06_who_is_stopped_or_gone_notifies_nobody_and_is_not_notified() {
    let all = || vec![config(None), dependent("d", "quick")];
    let mut harness = Harness::start(0.0, all());
    harness.change(100.0, 1, None, None, "important");
    harness.registry.stop(0);
    harness.finish(110.0, 0, true);
    assert_eq!(names(&harness), ["quick"]);

    let mut harness = Harness::start(0.0, all());
    harness.change(100.0, 1, None, None, "important");
    harness.registry.stop(1);
    harness.finish(110.0, 0, true);
    assert_eq!(names(&harness), ["quick"]);

    let mut harness = Harness::start(0.0, all());
    harness.change(100.0, 1, None, None, "important");
    harness.reconfigure(105.0, vec![periodic(3600, false), dependent("d", "hourly")]);
    harness.finish(106.0, 0, true);
    assert_eq!(names(&harness), ["quick"]);
}

#[test]
fn dep_02_one_that_was_away_hears_of_what_comes_later() {
    let mut harness = Harness::start(0.0, vec![config(None), dependent("d", "quick")]);
    harness.change(100.0, 1, None, None, "important");
    harness.reconfigure(105.0, vec![config(None)]);
    harness.finish(106.0, 0, true);
    harness.change(107.0, 2, None, None, "important");
    harness.reconfigure(110.0, vec![config(None), dependent("d", "quick")]);
    harness.finish(111.0, 1, true);
    assert_eq!(names(&harness), ["quick", "quick", "d"]);
}

#[test]
fn any_04_a_success_on_each_branch_is_one_of_its_own() {
    let any = config_of("any", any_branch(None, tree_stable(Some(60))));
    let mut harness = Harness::start(0.0, vec![dependent("d", "any"), any]);
    harness.change(100.0, 1, None, Some("x"), "important");
    harness.change(110.0, 2, None, Some("y"), "important");
    harness.run_until(1000.0);
    harness.finish(1000.0, 0, true);
    harness.finish(1000.0, 1, true);
    let branches = harness.sets.iter().map(|s| s.branch.as_deref());
    let branches: Vec<_> = branches.collect();
    assert_eq!(branches, [Some("x"), Some("y"), Some("x"), Some("y")]);
    assert_eq!(names(&harness), ["any", "any", "d", "d"]);
}

#[test]
fn scb_04_each_kind_reports_its_future_builds() {
    let any = config_of("any", any_branch(None, tree_stable(Some(100))));
    let all = vec![
        config(Some(60)),
        any,
        dependent("d", "e"),
        dependent("e", "any"),
        periodic(500, false),
        night(nightly(3)),
        config_of(
            "asked",
            SchedulerKind::Triggerable(TriggerableConfig::default()),
        ),
    ];
    let mut harness = Harness::start(10.0, all);
    harness.run_until(10.0);
    assert_eq!(harness.pending("quick"), [0.0; 0]);
    assert_eq!(harness.pending("hourly"), [510.0]);
    assert_eq!(harness.pending("nightly"), [3.0 * 3600.0]);
    harness.change(100.0, 1, None, None, "important");
    harness.change(120.0, 2, None, Some("x"), "important");
    assert_eq!(harness.pending("quick"), [160.0]);
    assert_eq!(harness.pending("any"), [200.0, 220.0]);
    assert_eq!(harness.pending("d"), [200.0, 220.0]);
    assert_eq!(harness.pending("asked"), [0.0; 0]);
    assert_eq!(harness.pending("nobody"), [0.0; 0]);
}

#[test]
fn a_circle_that_came_in_all_the_same_does_no_harm() {
    let harness = Harness::start(0.0, vec![dependent("a", "b"), dependent("b", "a")]);
    assert_eq!(harness.pending("a"), [0.0; 0]);
}

#[test]
fn a_triggerable_builds_what_it_is_asked_for() {
    let mut asked = config_of(
        "asked",
        SchedulerKind::Triggerable(TriggerableConfig::default()),
    );
    asked.properties.set("p", 1, "Scheduler");
    asked.properties.set("q", 1, "Scheduler");
    let mut harness = Harness::start(0.0, vec![asked, config(None)]);
    let registry = &mut harness.registry;
    let stamps = Arc::new(SourceStamps::from(SourceStamp {
        branch: Some("rel".to_owned()),
        ..SourceStamp::default()
    }));
    let mut properties = Properties::new();
    properties.set("q", 2, "Trigger");
    let now = Timestamp(0).into();
    let effects = registry.trigger(&"asked".into(), &stamps, &properties, now);
    let [set] = &effects.submissions[..] else {
        panic!("{effects:?}");
    };
    assert!(Arc::ptr_eq(&set.stamps, &stamps));
    assert_eq!(set.properties.get("p"), Some(&1.into()));
    assert_eq!(set.properties.get("q"), Some(&2.into()));
    assert!(!registry.takes_triggers(&"quick".into()));
    let none = registry.trigger(&"quick".into(), &stamps, &properties, now);
    assert_eq!(none, Effects::default());
}

#[test]
fn a_nightly_triggerable_builds_at_its_time_what_it_was_asked_for_last() {
    let clock = Box::new(NightlyTriggerableConfig(nightly(3)));
    let later = config_of("later", SchedulerKind::NightlyTriggerable(clock));
    let mut harness = Harness::start(0.0, vec![later.clone()]);
    assert_eq!(harness.pending("later"), [0.0; 0]);
    for revision in ["r1", "r2"] {
        let stamps = Arc::new(SourceStamps::from(SourceStamp {
            revision: Some(revision.to_owned()),
            ..SourceStamp::default()
        }));
        let mut properties = Properties::new();
        properties.set("q", revision, "Trigger");
        let now = Timestamp(0).into();
        let registry = &mut harness.registry;
        let effects = registry.trigger(&"later".into(), &stamps, &properties, now);
        assert!(effects.submissions.is_empty());
        harness.take(effects, 0.0);
    }
    assert_eq!(harness.pending("later"), [3.0 * 3600.0]);
    harness.restart(100.0, later);
    harness.run_until(30.0 * 3600.0);
    let sets = harness.submissions.iter();
    let revisions = sets.map(|set| set.stamps.first().revision.as_deref());
    assert_eq!(revisions.collect::<Vec<_>>(), [Some("r2")]);
    assert_eq!(harness.pending("later"), [0.0; 0]);
}
