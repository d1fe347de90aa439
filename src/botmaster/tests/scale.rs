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
    h.out.retain(|c| matches!(c, Command::Ping { .. }));
    for expected in 1..=3000 {
        let plan = h.run();
        assert_eq!(plan.requests, [RequestId(expected)]);
        h.finish(plan.build, Results::Success, None);
        h.out.retain(|c| matches!(c, Command::Ping { .. }));
    }
}

fn waiting((id, builder): (u64, BuilderName)) -> (RecoveredSet, BuildRequest) {
    let request = RequestId(id);
    let set = Arc::new(BuildSet {
        id: SetId(id),
        external_id: None,
        scheduler: None,
        stamp: Arc::default(),
        reason: String::new(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        requests: vec![(request, builder)],
    });
    let request = OpenSets::requests_of(&set).next().unwrap();
    let finished = Vec::new();
    (RecoveredSet { set, finished }, request)
}
