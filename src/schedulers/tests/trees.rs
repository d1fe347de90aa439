//! Changes of different trees wait apart, whatever the kind of scheduler (CBS-02).

use super::*;

/// Two changes, on one branch, of two repositories.
fn two(harness: &mut Harness) {
    for (at, id, repository) in [(100.0, 1, "one"), (110.0, 2, "two")] {
        offer(harness, at, id, None, repository);
    }
}

fn offer(harness: &mut Harness, at: f64, id: u64, branch: Option<&str>, repository: &str) {
    harness.run_until(at);
    let arrived_at = harness.wall(at);
    let content = NewChange {
        branch: branch.map(str::to_owned),
        repository: repository.to_owned(),
        files: vec!["important".to_owned()],
        ..NewChange::default()
    };
    let change = Change {
        number: ChangeNumber(id),
        arrived_at,
        when: arrived_at,
        content,
    };
    harness.offer(at, Arc::new(change));
}

/// One of each kind that builds changes, by the name under which its state is.
fn kinds(separate: bool) -> [SchedulerConfig; 4] {
    let mut rules = rules();
    rules.separate = separate;
    let settings = || {
        let mut settings = tree_stable(Some(60));
        settings.rules = rules.clone();
        settings
    };
    let what = || TimedBuild {
        only_if_changed: Some(rules.clone()),
        ..TimedBuild::default()
    };
    let mut daily = nightly(3);
    daily.what = what();
    let mut often = periodic(200, false);
    periodic_of(&mut often).what = what();
    let kind = single_branch(None, settings());
    [
        config_of("quick", kind),
        config_of("any", any_branch(None, settings())),
        often,
        night(daily),
    ]
}

/// What the stamps say that were submitted: repository and changes.
fn stamps(harness: &Harness) -> Vec<(String, Vec<u64>)> {
    let stamps = harness.submissions.iter().map(|set| set.stamps.first());
    let numbers = |stamp: &SourceStamp| stamp.changes.iter().map(|c| c.number.0).collect();
    stamps
        .map(|stamp| (stamp.repository.clone(), numbers(stamp)))
        .collect()
}

#[test]
fn each_kind_makes_a_set_for_each_repository_also_after_a_restart() {
    let apart = [("one".to_owned(), vec![1]), ("two".to_owned(), vec![2])];
    for config in kinds(true) {
        let mut harness = Harness::start(0.0, vec![config.clone()]);
        two(&mut harness);
        harness.restart(120.0, config.clone());
        harness.run_until(20_000.0);
        assert_eq!(stamps(&harness), apart, "{}", config.name);
    }
}

#[test]
fn each_kind_mixes_repositories_if_told_to_and_names_none_then() {
    for config in kinds(false) {
        let mut harness = Harness::start(0.0, vec![config.clone()]);
        two(&mut harness);
        harness.restart(120.0, config.clone());
        harness.run_until(20_000.0);
        let together = [(String::new(), vec![1, 2])];
        assert_eq!(stamps(&harness), together, "{}", config.name);
    }
}

#[test]
fn a_scheduler_that_mixes_has_one_timer_for_the_branches_of_its_filter() {
    let [mut config, ..] = kinds(false);
    let all = crate::config::TextMatch::regex(&["rel-."]).unwrap();
    of(&mut config).rules.filter.branch = Some(all);
    let mut harness = Harness::new(config);
    offer(&mut harness, 100.0, 1, Some("rel-1"), "");
    offer(&mut harness, 110.0, 2, Some("rel-2"), "");
    assert_eq!(harness.sets(1000.0), [(170.0, vec![1]), (170.0, vec![2])]);
}

#[test]
fn each_tree_has_its_own_timer() {
    let [scheduler, any, ..] = kinds(true);
    for config in [scheduler, any] {
        let name = config.name.clone();
        let mut harness = Harness::new(config);
        two(&mut harness);
        assert_eq!(harness.pending(name.as_str()), [160.0, 170.0]);
        assert_eq!(harness.sets(1000.0), [(160.0, vec![1]), (170.0, vec![2])]);
    }
}

/// What an older version has stored: a Scheduler under its name, an AnyBranch by branch.
#[test]
fn state_of_an_older_version_is_taken_over_and_sorted_by_tree() {
    let [scheduler, any, ..] = kinds(true);
    let state = serde_json::json!({
        "changes": [1, 2], "important": [1, 2], "next": 99_999_999_999_i64,
    });
    for (config, key) in [(scheduler, "quick"), (any, "any\n[null,null]")] {
        let mut harness = Harness::start(0.0, vec![]);
        two(&mut harness);
        harness.stored = [(key.into(), state.clone())].into();
        harness.restart(120.0, config);
        assert!(!harness.stored.contains_key(&SchedulerName::from(key)));
        assert_eq!(harness.sets(1000.0), [(160.0, vec![1]), (170.0, vec![2])]);
    }
}

#[test]
fn changes_find_their_tree_when_mixing_is_turned_on_or_off() {
    let [apart, ..] = kinds(true);
    let [mixed, ..] = kinds(false);
    let mut harness = Harness::new(apart.clone());
    two(&mut harness);
    harness.reconfigure(120.0, vec![mixed]);
    assert_eq!(harness.pending("quick"), [170.0]);
    harness.reconfigure(130.0, vec![apart]);
    assert_eq!(harness.sets(1000.0), [(160.0, vec![1]), (170.0, vec![2])]);
}
