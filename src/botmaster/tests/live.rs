//! What is known beyond what is on disk.

use super::*;

fn starting(h: &Harness) -> Vec<(u64, String)> {
    let live = h.core.live();
    let all = live.starting.iter();
    all.map(|(id, it)| (id.0, it.slave.to_string())).collect()
}

#[test]
fn bld_03_a_request_is_starting_until_its_build_is_on_record() {
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.change("b");
    assert_eq!(starting(&h), []);
    h.attach("s");
    assert_eq!(starting(&h), [(1, "s".to_owned())], "pinged");
    h.pong(true);
    h.started(Ok(()));
    assert_eq!(starting(&h), [(1, "s".to_owned())], "being written");
    h.persisted();
    assert_eq!(starting(&h), []);
}

#[test]
fn what_keeps_a_slave_from_builds_has_its_times() {
    let mut config = config(&[("b", &["s"])]);
    builder_of(&mut config, 0).priority = 3;
    let mut h = Harness::new(config);
    let slave = |h: &Harness| h.core.live().slaves["s"].clone();
    assert_eq!(h.core.live().priorities, [("b".into(), 3)].into());
    assert_eq!(slave(&h), LiveSlave::default());
    h.attach("s");
    h.change("b");
    let plan = h.run();
    let (slave_name, reply) = ("s".into(), h.new_reply());
    h.input(Input::Asked {
        ask: Ask::Graceful {
            slave: slave_name,
            cancel: false,
        },
        reply,
    });
    let since = Some(h.now.wall);
    assert_eq!(slave(&h).graceful_since, since);
    h.pass(5);
    h.finish(plan.build, Results::Success, None);
    let told = slave(&h);
    assert_eq!(told.graceful_since, since);
    assert_eq!(told.told_to_end_at, Some(h.now.wall));
}

#[test]
fn bld_17_how_many_requests_wait_is_known_with_the_oldest_of_them() {
    let mut h = Harness::new(config(&[("b", &["s"]), ("idle", &["s"])]));
    h.attach("s");
    for _ in 0..3 {
        h.change("b");
    }
    let queues = h.core.live().queues.unwrap();
    let queued = queues[&BuilderName::from("b")];
    assert_eq!((queued.count, queued.first), (2, RequestId(2)));
    assert_eq!(queues.len(), 1);
}
