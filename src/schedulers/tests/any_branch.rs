use super::super::trees::GRACE;
use super::*;

fn all(timer: Option<u64>) -> SchedulerConfig {
    config_of("any", any_branch(None, tree_stable(timer)))
}

#[test]
fn any_05_a_stopped_one_builds_no_branch() {
    let mut harness = Harness::new(all(Some(60)));
    for (id, branch) in [(1, "a"), (2, "b"), (3, "c")] {
        harness.change(100.0, id, None, Some(branch), "important");
    }
    harness.registry.stop(0);
    assert_eq!(harness.sets(1e6), []);
    assert_eq!(harness.pending("any"), [0.0; 0]);
}

#[test]
fn any_06_ten_thousand_idle_branches_are_gone_after_a_day() {
    let mut harness = Harness::new(all(Some(60)));
    for id in 1..=10_000 {
        let branch = format!("b{id}");
        harness.change(100.0, id, None, Some(&branch), "important");
    }
    assert_eq!(harness.stored.len(), 10_000);
    harness.run_until(200.0);
    assert_eq!(harness.sets.len(), 10_000);
    for n in 0..10_000 {
        harness.finish(300.0, n, n % 2 == 0);
    }
    let subs = |harness: &Harness| harness.registry.sub_schedulers(&"any".into()).len();
    let day = GRACE.as_secs_f64();
    harness.run_until(299.0 + day);
    assert_eq!(subs(&harness), 10_000);
    harness.run_until(300.0 + day);
    assert_eq!(subs(&harness), 0);
    assert!(harness.stored.is_empty());
    assert_eq!(harness.registry.next_due(0), None);
    harness.change(500.0 + day, 10_001, None, Some("b1"), "important");
    assert_eq!(subs(&harness), 1);
}

#[test]
fn a_branch_stays_while_it_waits_or_builds() {
    let mut harness = Harness::new(all(Some(60)));
    harness.change(100.0, 1, None, Some("builds"), "important");
    harness.change(100.0, 2, None, Some("waits"), "doc");
    harness.run_until(10.0 * 86_400.0);
    let subs = harness.registry.sub_schedulers(&"any".into());
    assert_eq!(subs, ["any.builds", "any.waits"]);
    harness.change(900_000.0, 3, None, Some("waits"), "important");
    harness.sets.remove(0);
    assert_eq!(harness.sets(1e6), [(900_060.0, vec![2, 3])]);
}

#[test]
fn each_branch_is_remembered_for_itself_and_survives_a_restart() {
    let mut harness = Harness::new(all(Some(60)));
    harness.change(100.0, 1, None, None, "important");
    harness.change(110.0, 2, None, Some(""), "important");
    harness.change(120.0, 3, None, Some("rel"), "doc");
    let names: Vec<_> = harness.stored.keys().map(SchedulerName::as_str).collect();
    assert_eq!(
        names,
        [
            "any\n[\"\",[\"\",\"\",\"\"]]",
            "any\n[\"rel\",[\"\",\"\",\"\"]]",
            "any\n[null,[\"\",\"\",\"\"]]"
        ]
    );
    harness.restart(130.0, all(Some(60)));
    assert_eq!(harness.pending("any"), [160.0, 170.0]);
    let only = any_branch(Some(vec![None]), tree_stable(Some(60)));
    harness.restart(140.0, config_of("any", only));
    assert_eq!(
        harness.stored.len(),
        1,
        "the others are not wanted any more"
    );
    assert_eq!(harness.sets(1e6), [(160.0, vec![1])]);
}

#[test]
fn what_an_any_branch_remembers_goes_with_it() {
    let mut harness = Harness::new(all(Some(60)));
    harness.change(100.0, 1, None, None, "important");
    harness.restart_all(110.0, vec![config(Some(60))]);
    assert!(harness.stored.is_empty());
}

#[test]
fn without_a_timer_each_important_change_of_a_branch_is_a_set() {
    let mut harness = Harness::new(all(None));
    harness.change(100.0, 1, None, Some("a"), "doc");
    harness.change(101.0, 2, None, Some("b"), "important");
    assert_eq!(harness.sets(1000.0), [(101.0, vec![2])]);
    assert!(harness.submissions[0].reason.contains("any.b"));
}
