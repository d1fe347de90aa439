#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};

use super::*;
use crate::botmaster::{BotMaster, Command, Input, ReplyId};
use crate::clock::Clock;
use crate::config::parse;
use crate::control::Newsroom;
use crate::model::{Change, ChangeNumber, Delivery, Mono, Now, Pruned, TakenChange, Zone};
use crate::store::Store;

const MASTER: &str = r#"
slave_port = 9989
[[slaves]]
name = "s"
password = "x"
[factories.f]
steps = [{ type = "ShellCommand", command = "true" }]
[[builders]]
name = "b"
slaves = ["s"]
factory = "f"
[[schedulers]]
name = "each"
type = "AnyBranch"
builders = ["b"]
[[repositories]]
name = "lib"
urls = ["git://h/lib", "git@h:lib.git"]
[[change_sources]]
type = "PB"
name = "mirror"
password = "x"
filter = { branch = { not = "attic" } }
set = { project = "widget" }
skip_marks = ["[skip ci]"]
"#;

/// A master of a store and a core, whose clock can be set back.
struct World {
    dir: tempfile::TempDir,
    control: Control,
    /// How far the clock of the core is behind, in seconds.
    behind: Arc<AtomicI64>,
    /// At which offer, and after which step of it, the core is killed.
    dies: Arc<Mutex<Option<(usize, Step)>>>,
}

impl World {
    fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(dir: tempfile::TempDir) -> Self {
        let (store, mut recovered) = Store::open(dir.path()).unwrap();
        let writer = store.start(Box::new(|_| ())).unwrap();
        let (config, _) = parse(MASTER, "master.toml", &Ok(Zone::UTC)).unwrap();
        let config = Arc::new(config);
        let (ask, mut questions) = mpsc::channel(8);
        let control = Control::new(
            ask,
            writer.clone(),
            Newsroom::new(),
            mpsc::channel(1).0,
            watch::channel(Arc::clone(&config)).1,
            Clock::system(),
        )
        .with_fingerprints(std::mem::take(&mut recovered.fingerprints));
        let behind = Arc::new(AtomicI64::new(0));
        let shift = Arc::clone(&behind);
        let dies = Arc::new(Mutex::new(None));
        let end = Arc::clone(&dies);
        tokio::spawn(async move {
            let now = || {
                let wall = Clock::system().wall();
                let behind = shift.load(Ordering::Relaxed);
                Now {
                    mono: Mono::default(),
                    wall: Timestamp(wall.0 - behind * 1_000_000),
                }
            };
            let mut core = BotMaster::new(config, recovered, 1, now());
            let mut waiting = HashMap::new();
            while let Some(question) = questions.recv().await {
                let Question::Offer(offer, offered) = question else {
                    panic!("{question:?}");
                };
                let reply = ReplyId(u64::try_from(waiting.len()).unwrap());
                let number = waiting.len();
                let dies = |step| *end.lock().unwrap() == Some((number, step));
                waiting.insert(reply, Some(offered));
                core.handle(now(), Input::Offered { offer, reply });
                if dies(Step::Taken) {
                    return;
                }
                while let Some(command) = core.next_command() {
                    if let Command::Persist { ticket, ops } = command {
                        let is_offer = ops.iter().any(|op| matches!(op, Op::OfferTaken(_)));
                        writer.write_and_wait(ops).await;
                        if is_offer && dies(Step::Written) {
                            return;
                        }
                        if let Some(ticket) = ticket {
                            core.handle(now(), Input::Persisted(ticket));
                        }
                        if is_offer && dies(Step::Confirmed) {
                            return;
                        }
                    } else if let Command::Reply { to, result } = command {
                        waiting.get_mut(&to).unwrap().take().unwrap().settle(result);
                    }
                }
            }
        });
        Self {
            dir,
            control,
            behind,
            dies,
        }
    }

    /// Another master on the same state.
    async fn restart(self) -> Self {
        self.control.writer().clone().close().await;
        Self::on(self.dir)
    }

    async fn try_offer(&self, offer: Offer) -> Result<OfferAnswer, String> {
        self.control.offer(offer).await?.answer().await
    }

    async fn offer(&self, offer: Offer) -> OfferAnswer {
        self.try_offer(offer).await.unwrap()
    }

    fn at(&self, secs_ago: i64) {
        self.behind.store(secs_ago, Ordering::Relaxed);
    }

    async fn changes(&self) -> Vec<Change> {
        let read = self.control.reader().read(|state| state.changes(99));
        let mut changes = read.await.unwrap();
        changes.reverse();
        changes
    }

    async fn report(&self, source: &str) -> crate::model::SourceReport {
        let read = self.control.reader().read(State::source_reports);
        read.await.unwrap().remove(source).unwrap()
    }
}

fn commit(digit: &str, branch: &str) -> NewChange {
    NewChange {
        src: Some("git".to_owned()),
        revision: Some(digit.repeat(40)),
        branch: Some(branch.to_owned()),
        repository: "widget".to_owned(),
        ..NewChange::default()
    }
}

/// What a poller offers.
fn polled(cursor: &str, changes: &[NewChange]) -> Offer {
    Offer {
        source: "poller".into(),
        cursor: Some(cursor.to_owned()),
        changes: changes.to_vec(),
        ..Offer::default()
    }
}

/// What `sendchange` offers.
fn sent(change: NewChange) -> Offer {
    Offer {
        source: "change".into(),
        changes: vec![change],
        ..Offer::default()
    }
}

fn taken(changes: &[(u64, bool)]) -> OfferAnswer {
    let changes = changes.iter().map(|&(number, is_new)| TakenChange {
        number: ChangeNumber(number),
        is_new,
    });
    OfferAnswer::Taken(changes.collect())
}

#[tokio::test]
async fn int_04_the_same_commit_from_another_source_has_the_number_of_the_first() {
    let world = World::new();
    let (one, two) = (commit("a", "main"), commit("b", "main"));
    let answer = world.offer(polled("1", &[one.clone(), two.clone()])).await;
    assert_eq!(answer, taken(&[(1, true), (2, true)]));
    assert_eq!(world.offer(sent(two.clone())).await, taken(&[(2, false)]));
    let rel = commit("b", "rel");
    assert_eq!(world.offer(sent(rel)).await, taken(&[(3, true)]));
    let world = world.restart().await;
    let again = polled("2", &[one, two, commit("c", "main"), commit("c", "main")]);
    let expected = taken(&[(1, false), (2, false), (4, true), (4, false)]);
    assert_eq!(world.offer(again).await, expected);
    let decided = world
        .control
        .reader()
        .read(|state| state.decisions(ChangeNumber(2)));
    assert_eq!(decided.await.unwrap().unwrap().len(), 1);
    assert_eq!(world.changes().await.len(), 4);
    let report = world.report("poller").await;
    assert_eq!((report.taken, report.known), (3, 3));
}

#[tokio::test]
async fn int_04_two_who_bring_the_same_at_once_bring_it_once() {
    let world = World::new();
    let both = [commit("a", "main"), commit("b", "main")];
    let turned = [both[1].clone(), both[0].clone()];
    let (one, two) = tokio::join!(
        world.offer(polled("1", &both)),
        world.offer(polled("2", &turned))
    );
    assert_eq!(one, taken(&[(1, true), (2, true)]));
    assert_eq!(two, taken(&[(2, false), (1, false)]));
}

#[tokio::test]
async fn int_02_cursor_and_changes_are_on_disk_together_and_no_answer_comes_before() {
    let world = World::new();
    world
        .offer(polled("{\"main\":1}", &[commit("a", "main")]))
        .await;
    world.offer(polled("{\"main\":2}", &[])).await;
    let poller = SourceName::from("poller");
    let cursor = world.control.source_cursor(&poller).await.unwrap();
    assert_eq!(cursor.as_deref(), Some("{\"main\":2}"));
    let world = world.restart().await;
    let cursor = world.control.source_cursor(&poller).await.unwrap();
    assert_eq!(cursor.as_deref(), Some("{\"main\":2}"));
    let none = world.control.source_cursor(&"other".into()).await.unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn int_03_a_delivery_is_taken_once_and_forgotten_after_thirty_days() {
    let world = World::new();
    let mail = |source: &str| Offer {
        source: source.into(),
        delivery: Some(Delivery::of(b"<x@y>")),
        changes: vec![NewChange::default()],
        ..Offer::default()
    };
    assert_eq!(world.offer(mail("in")).await, taken(&[(1, true)]));
    assert_eq!(world.offer(mail("in")).await, OfferAnswer::Redelivered);
    assert_eq!(world.offer(mail("other")).await, taken(&[(2, true)]));
    let world = world.restart().await;
    assert_eq!(world.offer(mail("in")).await, OfferAnswer::Redelivered);
    world.control.writer().write_and_wait(Vec::new()).await;
    assert_eq!(world.report("in").await.redelivered, 2);
    let later = Op::Pruned(Pruned::Deliveries(Timestamp(i64::MAX)));
    world.control.writer().write_and_wait(vec![later]).await;
    let old = |state: &State| state.has_old_deliveries(Timestamp(i64::MAX));
    assert!(!world.control.reader().read(old).await.unwrap());
    assert_eq!(world.offer(mail("in")).await, taken(&[(3, true)]));
}

#[tokio::test]
async fn int_06_the_same_from_the_same_door_is_new_after_an_hour_or_on_request() {
    let world = World::new();
    let change = commit("a", "main");
    world.at(3700);
    assert_eq!(world.offer(sent(change.clone())).await, taken(&[(1, true)]));
    world.at(0);
    assert_eq!(world.offer(sent(change.clone())).await, taken(&[(2, true)]));
    assert_eq!(
        world.offer(sent(change.clone())).await,
        taken(&[(2, false)])
    );
    let again = Offer {
        again: true,
        ..sent(change.clone())
    };
    assert_eq!(world.offer(again).await, taken(&[(3, true)]));
    assert_eq!(world.offer(sent(change)).await, taken(&[(3, false)]));
    // What a poller brings is not sent on purpose, at no time.
    world.at(7200);
    let polled = |digit| polled("1", &[commit(digit, "main")]);
    assert_eq!(world.offer(polled("b")).await, taken(&[(4, true)]));
    world.at(0);
    assert_eq!(world.offer(polled("b")).await, taken(&[(4, false)]));
    assert_eq!(
        world.offer(sent(commit("b", "main"))).await,
        taken(&[(4, false)])
    );
}

#[tokio::test]
async fn int_05_an_offer_has_at_most_two_hundred_changes() {
    let world = World::new();
    let many = |count| polled("1", &vec![NewChange::default(); count]);
    let OfferAnswer::Taken(all) = world.offer(many(200)).await else {
        panic!("taken");
    };
    assert_eq!(all.last().unwrap().number, ChangeNumber(200));
    let refused = world.try_offer(many(201)).await.unwrap_err();
    assert_eq!(
        refused,
        "201 changes were offered together; the maximum is 200"
    );
}

#[tokio::test]
async fn int_01_errors_are_kept_and_counted() {
    let world = World::new();
    let tried = |error: Option<&str>| {
        world.control.source_tried(SourceAttempt {
            source: "poller".into(),
            at: Timestamp(7),
            next: Some(Timestamp(9)),
            error: error.map(str::to_owned),
            note: None,
        });
    };
    tried(Some("no such host"));
    tried(Some("refused"));
    let world_report = async |world: &World| {
        world.control.writer().write_and_wait(Vec::new()).await;
        world.report("poller").await
    };
    let report = world_report(&world).await;
    assert_eq!((report.errors, report.failing), (2, 2));
    assert_eq!(report.last_success, None);
    tried(None);
    let report = world_report(&world).await;
    assert_eq!((report.errors, report.failing), (2, 0));
    assert_eq!(report.last_error.as_deref(), Some("refused"));
    assert_eq!(report.next_attempt, Some(Timestamp(9)));
    let world = world.restart().await;
    assert_eq!(world_report(&world).await, report);
}

#[tokio::test]
async fn a_change_that_is_pruned_has_no_identity_any_more() {
    let world = World::new();
    world.offer(sent(commit("a", "main"))).await;
    let pruned = Op::Pruned(Pruned::Changes(vec![ChangeNumber(1)]));
    world.control.writer().write_and_wait(vec![pruned]).await;
    assert_eq!(
        world.offer(sent(commit("a", "main"))).await,
        taken(&[(2, true)])
    );
}

#[tokio::test]
async fn int_07_what_a_filter_drops_is_counted_and_not_stored() {
    let world = World::new();
    let all = [
        commit("a", "main"),
        commit("b", "attic"),
        commit("c", "main"),
    ];
    let offer = Offer {
        source: "mirror".into(),
        ..polled("1", &all)
    };
    assert_eq!(world.offer(offer).await, taken(&[(1, true), (2, true)]));
    let report = world.report("mirror").await;
    assert_eq!((report.taken, report.dropped), (2, 1));
    let changes = world.changes().await;
    assert!(changes.iter().all(|change| change.project == "widget"));
}

#[tokio::test]
async fn cbs_01_one_repository_under_two_addresses_has_one_identity() {
    let world = World::new();
    let at = |address: &str| {
        sent(NewChange {
            repository: address.to_owned(),
            ..commit("a", "main")
        })
    };
    assert_eq!(
        world.offer(at("git://h/lib.git")).await,
        taken(&[(1, true)])
    );
    assert_eq!(world.offer(at("git@h:lib")).await, taken(&[(1, false)]));
    let [change] = world.changes().await.try_into().unwrap();
    assert_eq!(change.repository, "lib");
}

#[tokio::test]
async fn int_10_a_change_that_need_not_be_built_is_stored_and_unimportant() {
    let world = World::new();
    let change = NewChange {
        comments: "Fix a typo [skip ci]".to_owned(),
        ..commit("a", "main")
    };
    let offer = Offer {
        source: "mirror".into(),
        ..sent(change)
    };
    assert_eq!(world.offer(offer).await, taken(&[(1, true)]));
    let [change] = world.changes().await.try_into().unwrap();
    assert!(change.is_skipped);
    let decided = world
        .control
        .reader()
        .read(|state| state.decisions(ChangeNumber(1)));
    let [(_, decision)] = decided.await.unwrap().unwrap().try_into().unwrap();
    assert_eq!(decision, crate::model::Decision::Dropped);
}

/// After which step of taking an offer the master is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// The core has the offer; nothing is written.
    Taken,
    /// It is on disk; the core has not heard of that.
    Written,
    /// The core has heard of it; the source has no answer.
    Confirmed,
}

/// A poller that offers two commits at a time from where it last was, until all are taken or the
/// master is killed.
async fn poll(world: &World, commits: &[&str]) -> Result<(), String> {
    let poller = SourceName::from("poller");
    loop {
        let cursor = world.control.source_cursor(&poller).await.unwrap();
        let next: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let batch: Vec<_> = commits.iter().skip(next).take(2).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let changes: Vec<_> = batch.iter().map(|digit| commit(digit, "main")).collect();
        let cursor = (next + batch.len()).to_string();
        world.try_offer(polled(&cursor, &changes)).await?;
    }
}

#[tokio::test]
async fn int_02_killed_at_any_step_each_change_is_taken_once_and_in_order() {
    let commits = ["a", "b", "c", "d", "e"];
    for step in [Step::Taken, Step::Written, Step::Confirmed] {
        for offer in 0..3 {
            let world = World::new();
            *world.dies.lock().unwrap() = Some((offer, step));
            assert!(poll(&world, &commits).await.is_err());
            let world = world.restart().await;
            let left = match step {
                Step::Taken => 2 * offer,
                Step::Written | Step::Confirmed => (2 * offer + 2).min(5),
            };
            assert_eq!(world.changes().await.len(), left, "{step:?} {offer}");
            poll(&world, &commits).await.unwrap();
            let changes = world.changes().await;
            let revisions: Vec<_> = changes
                .iter()
                .map(|c| c.revision.clone().unwrap())
                .collect();
            let expected: Vec<_> = commits.iter().map(|digit| digit.repeat(40)).collect();
            assert_eq!(revisions, expected, "{step:?} {offer}");
            let numbers: Vec<_> = changes.iter().map(|change| change.number.0).collect();
            assert_eq!(numbers, [1, 2, 3, 4, 5], "{step:?} {offer}");
            // A hook brings the last one again.
            let again = sent(commit("e", "main"));
            assert_eq!(world.offer(again).await, taken(&[(5, false)]));
            let report = world.report("poller").await;
            assert_eq!((report.taken, report.known), (5, 0));
        }
    }
}

#[tokio::test]
async fn int_11_only_a_source_that_polls_can_be_poked() {
    let world = World::new();
    let poke = |name: &str| world.control.poke(&name.into());
    let poller = world.control.pokes().listen(&"widget".into());
    poke("widget").unwrap();
    poller.wait().await;
    let why = poke("widgte").unwrap_err();
    assert_eq!(
        why,
        "there is no change source widgte; did you mean widget?"
    );
    let why = poke("mirror").unwrap_err();
    assert_eq!(
        why,
        "change source mirror does not poll: it takes what it is sent"
    );
    let why = poke("other").unwrap_err();
    assert_eq!(
        why,
        "there is no change source other; `buildmaster show sources` lists them"
    );
}
