//! Many of everything: what an input costs must not grow with what waits.

use super::*;
use crate::model::journal::RecoveredSet;
use crate::model::{BuildRequest, BuildSet, SetId};

const BUILDERS: usize = 2000;
const REQUESTS: u64 = 100_000;

#[test]
fn a_hundred_thousand_requests_on_two_thousand_builders_go_oldest_first() {
    let names: Vec<String> = (0..BUILDERS).map(|n| format!("b{n}")).collect();
    let builders: Vec<(&str, &[&str])> = names.iter().map(|n| (n.as_str(), &["s"][..])).collect();
    let mut config = config(&builders);
    config.schedulers.clear();
    slave_of(&mut config, 0).max_builds = Some(1);
    let builders = names.iter().cycle().map(|n| BuilderName::from(n.as_str()));
    let (sets, requests) = (1..=REQUESTS).zip(builders).map(waiting).unzip();
    let recovered = Recovered {
        sets,
        requests,
        ..Recovered::default()
    };
    let mut h = Harness::recovered(config, recovered);
    h.attach("s");
    h.out.retain(is_ping);
    for expected in 1..=3000 {
        let plan = h.run();
        assert_eq!(plan.requests, [RequestId(expected)]);
        h.finish(plan.build, Results::Success, None);
        h.out.retain(is_ping);
    }
}

fn waiting((id, builder): (u64, BuilderName)) -> (RecoveredSet, BuildRequest) {
    let request = RequestId(id);
    let set = Arc::new(BuildSet {
        id: SetId(id),
        external_id: None,
        scheduler: None,
        stamps: Arc::default(),
        reason: String::new(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        requests: vec![(request, builder)],
        parent: None,
    });
    let request = OpenSets::requests_of(&set).next().unwrap();
    let finished = Vec::new();
    (RecoveredSet { set, finished }, request)
}

/// An answer looks at what is ahead in its own queue and at the slaves of its builder, not at what
/// else waits; with a look at all pairs of requests this would not end.
#[test]
fn why_is_answered_with_ten_thousand_waiting_in_one_queue_and_more_in_others() {
    let names: Vec<String> = (0..100).map(|n| format!("s{n}")).collect();
    let slaves: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut config = config(&[("b", &slaves), ("other", &slaves)]);
    config.schedulers.clear();
    let builders = (0..).map(|n| {
        if n < 10_000 {
            "b".into()
        } else {
            "other".into()
        }
    });
    let (sets, requests) = (1..=REQUESTS).zip(builders).map(waiting).unzip();
    let recovered = Recovered {
        sets,
        requests,
        ..Recovered::default()
    };
    let h = Harness::recovered(config, recovered);
    for id in (1..=10_000).rev().step_by(100) {
        let why = h.core.why(RequestId(id), &[]).unwrap();
        assert_eq!(
            why.len(),
            if id == 1 { 1 } else { 2 },
            "equal sentences are one"
        );
        assert_eq!(why.last().unwrap().slaves.len(), slaves.len());
    }
}
