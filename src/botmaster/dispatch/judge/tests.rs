//! Orders and merging as in the cases of the specification.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;
use crate::botmaster::dispatch::{Dispatch, Way};
use crate::botmaster::ids::{BuilderIx, SlaveIx};
use crate::config::expression::Mode;
use crate::config::{MergeRule, Merging};
use crate::model::{RequestId, SetId, SourceStamp, SourceStamps, Timestamp};

fn cases(group: &str) -> Vec<Json> {
    let text = include_str!("../../../../tests/data/config-cases.json");
    let cases: Json = serde_json::from_str(text).unwrap();
    cases[group].as_array().unwrap().clone()
}

fn expressions(list: &Json) -> Vec<Expression> {
    let texts = list.as_array().into_iter().flatten();
    let compile = |text: &Json| Expression::compile(text.as_str().unwrap(), Mode::Core, "t");
    texts.map(|text| compile(text).unwrap()).collect()
}

fn builder(request_order: &Json, merge_by: &Json, slave_order: &Json) -> BuilderConfig {
    BuilderConfig {
        queue: QueueRules {
            request_order: expressions(request_order),
            merge_by: expressions(merge_by),
            merge_limit: None,
        },
        slave_rules: SlaveRules {
            slave_order: expressions(slave_order),
            ..SlaveRules::default()
        },
        ..BuilderConfig::default()
    }
}

fn request(case: &Json) -> BuildRequest {
    let mut properties = Properties::default();
    for (name, value) in case["prop"].as_object().into_iter().flatten() {
        properties.set(name.as_str(), value.clone(), "test");
    }
    let branch = case["src"]["branch"].as_str().map(str::to_owned);
    BuildRequest {
        id: RequestId(case["n"].as_u64().unwrap()),
        set: SetId(1),
        builder: "b".into(),
        stamps: Arc::new(SourceStamps::from(SourceStamp {
            branch,
            ..SourceStamp::default()
        })),
        reason: "".into(),
        properties: Arc::new(properties),
        submitted_at: Timestamp(0),
        priority: case["priority"].as_i64().unwrap_or(0).try_into().unwrap(),
        retries: 0,
        start_count: 0,
    }
}

/// The builds for these requests, one after the other.
fn builds(builder: &BuilderConfig, rules: (Merging, Option<u32>), requests: &Json) -> Json {
    let mut dispatch = Dispatch::new(1);
    let (slave, ix) = (SlaveIx(0), BuilderIx(0));
    dispatch.add_slave();
    dispatch.add_builder(Merging::default());
    let judge = Judge::of(&Config::default(), builder);
    dispatch.set_queue_rules(ix, rules, judge, [].iter());
    for case in requests.as_array().unwrap() {
        dispatch.enqueue(ix, &request(case));
    }
    dispatch.set_willing(slave, true);
    dispatch.set_idle(slave, ix, Way::Attached);
    let mut builds = Vec::new();
    while let Some(found) = dispatch.next(|_, _| true) {
        builds.push(json!(
            found.requests.iter().map(|id| id.0).collect::<Vec<_>>()
        ));
        dispatch.set_idle(slave, ix, Way::Attached);
    }
    builds.into()
}

#[test]
fn cfl_120_and_121_requests_are_ordered_as_in_the_cases() {
    let never = Merging {
        rule: MergeRule::Never,
        ..Merging::default()
    };
    let cases = cases("orders");
    assert_eq!(cases.len(), 12);
    for case in cases.iter().filter(|case| case.get("order").is_some()) {
        let builder = builder(&case["request_order"], &json!([]), &json!([]));
        let judge = Judge::of(&Config::default(), &builder).unwrap();
        for one in case["requests"].as_array().unwrap() {
            let (order, _) = judge.place(&request(one), &mut Vec::new());
            let values: Vec<f64> = order.values().collect();
            assert_eq!(json!(values), case["keys"][one["n"].to_string()], "{case}");
        }
        let order: Vec<Json> = case["order"].as_array().unwrap().clone();
        let expected: Vec<Json> = order.iter().map(|n| json!([n])).collect();
        let got = builds(&builder, (never, None), &case["requests"]);
        assert_eq!(got, json!(expected), "{case}");
    }
}

#[test]
fn cfl_132_slaves_are_ordered_as_in_the_cases() {
    for case in cases("orders")
        .iter()
        .filter(|case| case.get("best").is_some())
    {
        let builder = builder(&json!([]), &json!([]), &case["slave_order"]);
        let judge = Judge::of(&Config::default(), &builder).unwrap();
        let asks = request(&json!({ "n": 1, "prop": case["properties"] }));
        let (_, scope) = judge.class(&asks);
        let slaves = case["slaves"].as_array().unwrap().iter();
        let orders: Vec<(Order, &Json)> = slaves
            .map(|slave| {
                let order = judge.order_of_slave(&scope, slave.clone(), &mut Vec::new());
                let values: Vec<f64> = order.values().collect();
                let name = slave["name"].as_str().unwrap();
                assert_eq!(json!(values), case["keys"][name], "{case}");
                (order, &slave["name"])
            })
            .collect();
        let first = orders.iter().map(|(order, _)| order).min().unwrap();
        let best = orders.iter().filter(|(order, _)| order == first);
        let best: Vec<&Json> = best.map(|(_, name)| *name).collect();
        assert_eq!(json!(best), case["best"], "{case}");
    }
}

#[test]
fn cfl_122_and_123_requests_share_builds_as_in_the_cases() {
    let cases = cases("merging");
    assert_eq!(cases.len(), 5);
    for case in &cases {
        let builder = builder(&json!([]), &case["merge_by"], &json!([]));
        let limit = case["merge_limit"].as_u64();
        let limit = limit.map(|limit| u32::try_from(limit).unwrap());
        let got = builds(&builder, (Merging::default(), limit), &case["requests"]);
        assert_eq!(got, case["groups"], "{case}");
    }
}

#[test]
fn cfl_131_requests_are_of_one_class_if_what_is_looked_at_is_equal() {
    let class_of = |text: &str, case: &Json| {
        let builder = BuilderConfig {
            slave_rules: SlaveRules {
                slave_if: Some(Condition::If(
                    Expression::compile(text, Mode::Core, "t").unwrap(),
                )),
                ..SlaveRules::default()
            },
            ..BuilderConfig::default()
        };
        let judge = Judge::of(&Config::default(), &builder).unwrap();
        judge.class(&request(case)).0
    };
    let one = json!({ "n": 1, "prop": { "big": true, "x": 1 }, "priority": 3 });
    let other = json!({ "n": 2, "prop": { "big": true, "x": 2 }, "priority": 3 });
    for (text, are_one) in [
        ("prop.big", true),
        ("prop.big and src.branch == 'a'", true),
        ("request.priority > 2", true),
        ("prop.x", false),
        ("request.number", false),
        ("'big' in prop", false),
        ("prop[src.branch]", false),
    ] {
        assert_eq!(
            class_of(text, &one) == class_of(text, &other),
            are_one,
            "{text}"
        );
    }
}

#[test]
fn cfl_131_a_slave_is_asked_once_for_a_class() {
    const CLASSES: u64 = 10;
    const SLAVES: usize = 100;
    let slave_if = Expression::compile("prop.class == slave.n", Mode::Core, "t").unwrap();
    let builder = BuilderConfig {
        slave_rules: SlaveRules {
            slave_if: Some(Condition::If(slave_if)),
            ..SlaveRules::default()
        },
        ..BuilderConfig::default()
    };
    let mut dispatch = Dispatch::new(1);
    dispatch.add_builder(Merging::default());
    let judge = Judge::of(&Config::default(), &builder);
    dispatch.set_queue_rules(BuilderIx(0), (Merging::default(), None), judge, [].iter());
    for slave in (0..SLAVES).map(SlaveIx) {
        dispatch.add_slave();
        dispatch.set_willing(slave, true);
        dispatch.set_idle(slave, BuilderIx(0), Way::Attached);
    }
    for n in 0..2000 {
        let case = json!({ "n": n, "prop": { "class": n % CLASSES } });
        dispatch.enqueue(BuilderIx(0), &request(&case));
        assert_eq!(dispatch.next(|_, _| true), None, "none may take it");
    }
    assert_eq!(dispatch.asked.get(), CLASSES * SLAVES as u64);
    // Other facts: what was answered for this slave is asked again, and only that.
    dispatch.set_facts(SlaveIx(7), json!({ "n": 3 }));
    let found = dispatch.next(|_, _| true).unwrap();
    assert_eq!((found.slave, found.requests.len()), (SlaveIx(7), 200));
    assert_eq!(dispatch.asked.get(), CLASSES * (SLAVES as u64 + 1));
}
