use super::*;
use crate::botmaster::{LockBlock, Starting};
use crate::cli::show::screen::Zone;
use crate::cli::show::{json, pages};
use crate::model::{BuildNumber, RequestId, SetId, Timestamp};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_300_000_000 + secs)
}

fn page(show: impl FnOnce(&mut Screen<'_>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    let mut screen = Screen {
        is_coloured: false,
        width: None,
        zone: Zone::Utc,
        out: &mut out,
        notes: &mut io::sink(),
    };
    show(&mut screen).expect("a buffer takes all");
    String::from_utf8(out).expect("text")
}

fn slave(name: &str, connected: bool) -> SlaveRow {
    SlaveRow {
        name: name.into(),
        connected,
        seen_at: None,
        heard_at: None,
        paused: None,
        info: BTreeMap::new(),
        builders: Vec::new(),
    }
}

fn request(id: u64, builder: &str) -> RequestRow {
    RequestRow {
        id: RequestId(id),
        set: SetId(id),
        builder: builder.into(),
        reason: String::new(),
        submitted_at: at(id.try_into().expect("small")),
        build: None,
        merged_into: None,
        priority: 0,
        retries: 0,
        start_count: 0,
        finished: None,
        why: None,
    }
}

#[test]
fn what_keeps_a_slave_from_builds_is_shown() {
    let states = [
        ("idle", true, LiveSlave::default()),
        (
            "going",
            true,
            LiveSlave {
                graceful_since: Some(at(1)),
                ..LiveSlave::default()
            },
        ),
        (
            "told",
            true,
            LiveSlave {
                graceful_since: Some(at(1)),
                told_to_end_at: Some(at(2)),
                ..LiveSlave::default()
            },
        ),
        (
            "gone",
            false,
            LiveSlave {
                graceful_since: Some(at(1)),
                ..LiveSlave::default()
            },
        ),
        (
            "held",
            true,
            LiveSlave {
                held_until: Some(at(60)),
                ..LiveSlave::default()
            },
        ),
        (
            "cloud",
            false,
            LiveSlave {
                instance: Some((InstanceState::Down, at(0))),
                ..LiveSlave::default()
            },
        ),
        (
            "coming",
            false,
            LiveSlave {
                instance: Some((InstanceState::Starting, at(3))),
                ..LiveSlave::default()
            },
        ),
    ];
    let rows: Vec<_> = states
        .iter()
        .map(|(name, is, _)| slave(name, *is))
        .collect();
    let live: BTreeMap<_, _> = states
        .iter()
        .map(|(name, _, live)| ((*name).into(), live.clone()))
        .collect();
    insta::assert_snapshot!(page(|screen| pages::slaves(screen, &rows, &live)), @r"
    SLAVE   STATE                                           LAST SEEN  VERSION  BUILDERS
    idle    connected                                       never
    going   connected, ends when idle                       never
    told    connected, told to end at 2011-03-13 07:06:42   never
    gone    offline, was told to end                        never
    held    connected, held back until 2011-03-13 07:07:40  never
    cloud   not started                                     never
    coming  instance starting since 2011-03-13 07:06:43     never
    ");
    let told = json::slave(&rows[2], live.get(&rows[2].name));
    assert_eq!(told["graceful_since"], 1_300_000_001.0);
    assert_eq!(told["told_to_end_at"], 1_300_000_002.0);
    assert_eq!(told["instance"], Value::Null);
    let coming = json::slave(&rows[6], live.get(&rows[6].name));
    assert_eq!(coming["instance"]["state"], "starting");
    assert_eq!(json::slave(&rows[6], None)["instance"], Value::Null);
}

#[test]
fn brq_09_requests_are_listed_in_the_order_in_which_they_go() {
    let mut rows = [request(1, "a"), request(2, "b"), request(3, "a")];
    rows[2].priority = 1;
    put_in_order(&mut rows, &[("a".into(), -1), ("b".into(), 2)].into());
    assert_eq!(rows.map(|row| row.id.0), [3, 2, 1]);
}

#[test]
fn bld_03_a_request_whose_build_is_being_started_waits_no_longer() {
    let starting = Starting {
        builder: "a".into(),
        slave: "s".into(),
        since: at(5),
    };
    let live = Live {
        starting: [(RequestId(1), starting)].into(),
        ..Live::default()
    };
    let rows = [request(1, "a"), request(2, "a")];
    insta::assert_snapshot!(page(|screen| pages::requests(screen, &rows, &live)), @r"
    REQUEST  BUILDER  STATE     QUEUED               SET  REASON
    1        a        starting  2011-03-13 07:06:41  1
    2        a        pending   2011-03-13 07:06:42  2
    ");
    assert_eq!(live.request(&rows[0])["state"], "starting");
    assert_eq!(live.request(&rows[1])["state"], "pending");
    let mut builders = ["a", "b"].map(|name| BuilderRow {
        name: name.into(),
        state: "idle".to_owned(),
        slaves: Vec::new(),
        pending: 2,
        pending_since: None,
        building: Vec::new(),
        last: None,
    });
    live.correct_pending(&mut builders);
    assert_eq!(builders.map(|builder| builder.pending), [1, 2]);
}

#[test]
fn lck_11_who_waits_for_which_lock_who_holds_it_and_at_which_place() {
    let step = |name: &str| LockUser::Step {
        index: 1,
        name: name.into(),
    };
    let wait = LockWait {
        builder: "a".into(),
        number: BuildNumber(7),
        user: step("test"),
        since: at(1),
        blocks: vec![LockBlock {
            lock: "db".into(),
            slave: Some("s".into()),
            mode: LockMode::Exclusive,
            holders: vec![LockHolder {
                builder: "b".into(),
                number: Some(BuildNumber(3)),
                user: Some(LockUser::Build),
            }],
            place: 2,
        }],
    };
    insta::assert_snapshot!(page(|screen| locks(screen, std::slice::from_ref(&wait))), @r"
    WAITING           SINCE                LOCK     HELD BY  PLACE
    step test of a/7  2011-03-13 07:06:41  db of s  b/3      2
    ");
    assert_eq!(
        lock_wait(&wait),
        json!({
            "builder": "a",
            "number": 7,
            "step": "test",
            "since": 1_300_000_001.0,
            "locks": [{
                "lock": "db",
                "slave": "s",
                "mode": "exclusive",
                "holders": [{"builder": "b", "number": 3, "step": null}],
                "place": 2,
            }],
            "text": "step test of build a/7 waits for lock db of slave s, held by b/3, place 2",
        })
    );
    assert_eq!(
        page(|screen| locks(screen, &[])),
        "nothing waits for a lock\n"
    );
    let wire = serde_json::to_value(&wait).expect("it can be sent");
    assert_eq!(
        serde_json::from_value::<LockWait>(wire).expect("and read"),
        wait
    );
}
