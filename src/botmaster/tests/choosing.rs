//! Who goes first, on which slave, and together with whom (BLD-05, BRQ-09).

use super::*;

/// One slave that takes one build at a time, for builders "a" and "b", and what is done to them.
fn one_at_a_time(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = config(&[("a", &["s"]), ("b", &["s"])]);
    slave_of(&mut config, 0).max_builds = Some(1);
    change(&mut config);
    config
}

fn priority_of_scheduler(config: &mut Config, name: &str, priority: i32) {
    let mut schedulers = config.schedulers.iter_mut();
    let scheduler = schedulers.find(|s| s.name.as_str() == name).unwrap();
    Arc::make_mut(scheduler).priority = priority;
}

/// Changes for "a", "b" and "a", a second after each other while nobody is there; then the slave
/// comes, or has come.
fn queue_up(h: &mut Harness) {
    for branch in ["a", "b", "a"] {
        h.change(branch);
        h.pass(1);
    }
}

/// The builders of the next `n` builds.
fn order(h: &mut Harness, n: usize) -> Vec<String> {
    let builds = (0..n).map(|_| {
        let plan = h.run();
        h.finish(plan.build, Results::Success, None);
        plan.builder.name.to_string()
    });
    builds.collect()
}

fn order_of(change: impl FnOnce(&mut Config)) -> Vec<String> {
    let mut h = Harness::new(one_at_a_time(change));
    queue_up(&mut h);
    h.attach("s");
    order(&mut h, 3)
}

#[test]
fn brq_09_priorities_of_requests_go_before_those_of_builders_and_these_before_age() {
    assert_eq!(order_of(|_| ()), ["a", "b", "a"]);
    let of_builder = |config: &mut Config| builder_of(config, 1).priority = 1;
    assert_eq!(order_of(of_builder), ["b", "a", "a"]);
    let low = |config: &mut Config| builder_of(config, 0).priority = -1;
    assert_eq!(order_of(low), ["b", "a", "a"]);
    let of_requests = |config: &mut Config| {
        builder_of(config, 1).priority = 10;
        priority_of_scheduler(config, "a", 1);
    };
    assert_eq!(order_of(of_requests), ["a", "a", "b"]);
}

#[test]
fn an_urgent_request_overtakes_those_that_a_full_slave_has_put_aside() {
    let config = one_at_a_time(|config| priority_of_scheduler(config, "b", 1));
    let mut h = Harness::new(config);
    h.attach("s");
    h.change("a");
    let plan = h.run();
    h.change("a");
    h.change("a");
    h.change("b");
    h.finish(plan.build, Results::Success, None);
    assert_eq!(order(&mut h, 3), ["b", "a", "a"]);
}

#[test]
fn a_new_priority_of_a_builder_counts_for_what_waits() {
    let plain = || one_at_a_time(|_| ());
    let raised = || one_at_a_time(|config| builder_of(config, 1).priority = 1);
    for (before, after, expected) in [
        (plain(), raised(), ["b", "a", "a"]),
        (raised(), plain(), ["a", "b", "a"]),
    ] {
        let mut h = Harness::new(before);
        h.attach("s");
        h.change("a");
        let plan = h.run();
        queue_up(&mut h);
        h.reconfigure(after);
        h.finish(plan.build, Results::Success, None);
        assert_eq!(order(&mut h, 3), expected);
    }
}

#[test]
fn bld_05_first_is_the_order_of_the_builder_also_after_a_reconfiguration() {
    let slaves = ["s", "t", "u"];
    let mut h = Harness::new(config(&[("b", &slaves)]));
    for slave in slaves {
        h.attach(slave);
    }
    let first = |h: &mut Harness| {
        h.change("b");
        let plan = h.run();
        h.finish(plan.build, Results::Success, None);
        plan.slave.to_string()
    };
    assert_eq!(first(&mut h), "s");
    let mut other = config(&[("b", &["u", "s", "t"])]);
    other.slaves.sort_by(|a, b| a.name.cmp(&b.name));
    h.reconfigure(other);
    assert_eq!(first(&mut h), "u");
    assert_eq!(first(&mut h), "u");
}

#[test]
fn bld_05_the_least_loaded_slave_is_chosen() {
    let mut config = config(&[("a", &["s"]), ("b", &["s", "t"])]);
    config.choose_slaves = SlaveChoice::LeastLoaded;
    let mut h = Harness::new(config);
    h.attach("s");
    h.attach("t");
    h.change("a");
    let busy = h.run();
    assert_eq!(busy.slave.as_str(), "s");
    let next = |h: &mut Harness| {
        h.change("b");
        let plan = h.run();
        h.finish(plan.build, Results::Success, None);
        plan.slave.to_string()
    };
    for _ in 0..100 {
        assert_eq!(next(&mut h), "t");
    }
    h.finish(busy.build, Results::Success, None);
    let on_s = (0..400).filter(|_| next(&mut h) == "s").count();
    assert!((140..=260).contains(&on_s), "{on_s}");
}

#[test]
fn bld_05_a_builder_has_its_own_rule() {
    let mut config = config(&[("b", &["t", "s"])]);
    config.choose_slaves = SlaveChoice::Random;
    builder_of(&mut config, 0).next_slave = Some(SlaveChoice::First);
    let mut h = Harness::new(config);
    h.attach("s");
    h.attach("t");
    for _ in 0..50 {
        h.change("b");
        let plan = h.run();
        assert_eq!(plan.slave.as_str(), "t");
        h.finish(plan.build, Results::Success, None);
    }
}

#[test]
fn brq_09_a_rule_for_merging_that_is_changed_counts_for_what_waits() {
    let merging = |rule| {
        let mut config = config(&[("b", &["s"])]);
        builder_of(&mut config, 0).merging.rule = rule;
        config
    };
    let mut h = Harness::new(merging(MergeRule::Compatible));
    h.change("b");
    h.change("b");
    h.reconfigure(merging(MergeRule::Never));
    h.attach("s");
    let plan = h.run();
    assert_eq!(plan.requests.len(), 1);
    h.change("b");
    h.reconfigure(merging(MergeRule::SameBranch));
    h.finish(plan.build, Results::Success, None);
    assert_eq!(h.run().requests.len(), 2);
}

#[test]
fn bld_05_a_build_says_why_it_is_on_its_slave() {
    let choice_of = |rule, attached: &[&str]| {
        let mut config = config(&[("b", &["s", "t", "u"])]);
        config.choose_slaves = rule;
        let mut h = Harness::new(config);
        for slave in attached {
            h.attach(slave);
        }
        h.change("b");
        let attempt = h.core.builds.iter().next().unwrap().1;
        attempt.choice.clone()
    };
    assert_eq!(
        choice_of(SlaveChoice::Random, &["u"]),
        "no other slave was idle"
    );
    let three = ["s", "t", "u"];
    let said = choice_of(SlaveChoice::Random, &three);
    assert_eq!(said, "at random of 3 idle slaves");
    let said = choice_of(SlaveChoice::First, &three);
    assert_eq!(said, "the first of 3 idle slaves");
    let said = choice_of(SlaveChoice::LeastLoaded, &three);
    assert_eq!(said, "with the fewest builds (0) of 3 idle slaves");
}
