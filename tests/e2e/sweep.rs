//! The sweeps: changes as fast as the master takes them, slaves attached, and SIGKILL or SIGTERM at
//! random moments.
//!
//! What is checked at the end: every acknowledged change was built to its end exactly once by each
//! builder, whether requests are merged or not, and none that was refused; no build number was used
//! twice and no finished build changed afterwards; no command ran more often than there are builds
//! that could have run it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use buildmaster::pb::{Luid, RequestNumber, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::harness::client::Client;
use crate::harness::master::{ShownChange, ShownRequest};
use crate::harness::process::PATIENCE;
use crate::harness::{Build, Master, Sandbox, Setup, Slave, is_slow, shell, wait_until};

#[test]
fn no_acknowledged_change_is_lost_or_built_twice_however_often_the_master_is_killed() {
    sweep(if is_slow() { LONG } else { USUAL }, |master| master.kill());
}

#[test]
fn no_acknowledged_change_is_lost_or_built_twice_however_often_the_master_is_stopped() {
    let size = if is_slow() { LONG_STOPS } else { STOPS };
    sweep(size, |master| assert!(master.terminate().success()));
}

/// Ends the master again and again by `end`.
fn sweep(size: Size, end: impl Fn(&mut Master<'_>)) {
    let seed =
        std::env::var("SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    eprintln!("the seed of this sweep is {seed}; SEED={seed} repeats its choices");
    let mut rng = StdRng::seed_from_u64(seed);
    let sandbox = Sandbox::new();
    let executions = sandbox.path("executions");
    let line = format!(
        "echo %(buildername)s %(revision)s >>'{}'",
        executions.display()
    );
    let setup = setup(size, &line);
    let mut master = Master::start(&sandbox, &setup);
    let _slaves: Vec<_> = (0..size.slaves)
        .map(|number| Slave::native(&sandbox, &slave_name(number), master.port()))
        .collect();
    let acknowledged = AtomicUsize::new(0);
    let mut seen = Seen::default();

    let sent: Vec<Sent> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (port, acknowledged) = (master.port(), &acknowledged);
                scope.spawn(move || send_all(sender, size.changes / SENDERS, port, acknowledged))
            })
            .collect();
        for number in 0..size.ends {
            // Spread over the time in which changes come in, and once or twice over what is left to
            // build.
            wait_for_count(
                &acknowledged,
                size.changes * number / size.ends.saturating_sub(1).max(1),
            );
            thread::sleep(Duration::from_millis(rng.random_range(0..300)));
            end(&mut master);
            if rng.random_ratio(1, 2) {
                seen.look_at(&master);
            }
            master.run();
        }
        senders
            .into_iter()
            .flat_map(|sender| sender.join().unwrap())
            .collect()
    });

    wait_until_all_built(&master);
    seen.look_at(&master);
    let numbers = check_changes(&master, &sent);
    check_builds(&seen, &numbers, &fs::read_to_string(executions).unwrap());
    eprintln!("{}", seen.summary(numbers.len()));
    assert!(master.terminate().success());
}

/// How much.
#[derive(Clone, Copy, Debug)]
struct Size {
    changes: usize,
    ends: usize,
    slaves: usize,
}

const USUAL: Size = Size {
    changes: 1_000,
    ends: 20,
    slaves: 20,
};
const LONG: Size = Size {
    changes: 10_000,
    ends: 200,
    slaves: 20,
};
const STOPS: Size = Size {
    changes: 400,
    ends: 5,
    slaves: 8,
};
const LONG_STOPS: Size = Size {
    changes: 4_000,
    ends: 50,
    slaves: 8,
};
const SENDERS: usize = 4;

/// A change that was sent, under a revision of its own.
#[derive(Debug)]
struct Sent {
    revision: String,
    /// What the master said to it, if it said anything.
    answer: Option<Answer>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    Acknowledged,
    Refused,
}

/// One builder keeps a build for every change; the other merges what waits.
fn setup(size: Size, line: &str) -> Setup {
    let steps = [shell("work", line, "")];
    let setup = Setup::new(&steps)
        .builder(EACH, "merge_requests = false")
        .builder(MERGED, "merge_requests = true");
    (0..size.slaves).fold(setup, |setup, number| setup.slave(&slave_name(number)))
}

fn slave_name(number: usize) -> String {
    format!("bot-{number}")
}

const EACH: &str = "each";
const MERGED: &str = "merged";

/// Sends `count` changes over one connection after another, several on the way at a time, until all
/// of them are acknowledged. One whose connection broke is sent anew as another change: nobody
/// knows what became of it. So is one that a master refused because it is stopping.
fn send_all(sender: usize, count: usize, port: u16, acknowledged: &AtomicUsize) -> Vec<Sent> {
    let mut sent = Vec::new();
    let mut done = 0;
    while done < count {
        // An error is the end of the master; what was not acknowledged by then stays so.
        drop(send_some(
            sender,
            count,
            port,
            &mut sent,
            &mut done,
            acknowledged,
        ));
    }
    sent
}

fn send_some(
    sender: usize,
    count: usize,
    port: u16,
    sent: &mut Vec<Sent>,
    done: &mut usize,
    acknowledged: &AtomicUsize,
) -> io::Result<()> {
    wait_for_listener(port);
    let mut client = Client::connect(port)?;
    let avatar: Luid = client
        .login("change", "changepw", Value::None)
        .map_err(io::Error::other)?;
    let mut on_the_way: BTreeMap<RequestNumber, usize> = BTreeMap::new();
    while *done < count {
        while on_the_way.len() < ON_THE_WAY && *done + on_the_way.len() < count {
            let revision = format!("s{sender}-{}", sent.len());
            sent.push(Sent {
                revision: revision.clone(),
                answer: None,
            });
            let request = client.send_change(avatar, &format!("sender {sender}"), &revision)?;
            on_the_way.insert(request, sent.len() - 1);
        }
        let (request, answer) = client.next_answer()?;
        let change = &mut sent[on_the_way.remove(&request).unwrap()];
        if let Err(failure) = answer {
            let why = failure.to_string();
            if !why.contains("stopped before it could be stored") {
                assert!(why.contains("shutting down"), "not taken: {why}");
                change.answer = Some(Answer::Refused);
            }
            return Err(io::Error::other(why));
        }
        change.answer = Some(Answer::Acknowledged);
        *done += 1;
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Changes of a sender that wait for their acknowledgement.
const ON_THE_WAY: usize = 8;

fn wait_for_listener(port: u16) {
    wait_until("the master to listen again", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
}

fn wait_for_count(acknowledged: &AtomicUsize, count: usize) {
    wait_until("acknowledgements", || {
        acknowledged.load(Ordering::Relaxed) >= count
    });
}

/// Waits as long as builds go on ending: how long all take depends on the machine.
fn wait_until_all_built(master: &Master<'_>) {
    let mut left = usize::MAX;
    let mut progress = Instant::now();
    while left > 0 {
        let requests: Vec<ShownRequest> = master.show(&["requests"]);
        let unfinished = requests.iter().filter(|r| !r.is_over()).count();
        if unfinished < left {
            progress = Instant::now();
            left = unfinished;
        }
        assert!(
            progress.elapsed() < PATIENCE,
            "{left} requests are left and none is built, as {:?}",
            requests.iter().find(|request| !request.is_over())
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// The builds that were seen finished so far.
#[derive(Debug, Default)]
struct Seen(BTreeMap<(String, u64), Build>);

impl Seen {
    /// Looks at all builds, with or without a running master: a finished one must be as it was when
    /// it was seen before, and no two have the same number.
    fn look_at(&mut self, master: &Master<'_>) {
        let mut numbers = BTreeSet::new();
        for builder in [EACH, MERGED] {
            for build in master.show::<Build>(&["builds", builder]) {
                let key = (build.builder.clone(), build.number);
                assert!(numbers.insert(key.clone()), "two builds {key:?}");
                if build.is_finished() {
                    let before = self.0.entry(key).or_insert_with(|| build.clone());
                    assert_eq!(*before, build, "a finished build changed");
                }
            }
        }
        for key in self.0.keys() {
            assert!(numbers.contains(key), "the finished build {key:?} is gone");
        }
    }

    /// What the sweep had to do with, for the one who reads the output.
    fn summary(&self, changes: usize) -> String {
        let retried = self
            .0
            .values()
            .filter(|b| b.result.as_deref() == Some("retry"));
        format!(
            "{changes} changes in {} builds, {} of them cut short",
            self.0.len(),
            retried.count()
        )
    }

    /// The finished builds of a builder that held a change.
    fn of_change(&self, builder: &str, change: u64) -> Vec<&Build> {
        self.0
            .values()
            .filter(|build| build.builder == builder && build.changes().contains(&change))
            .collect()
    }
}

/// Every acknowledged change is there, no refused one is, none is there twice; returns their
/// numbers by revision.
fn check_changes(master: &Master<'_>, sent: &[Sent]) -> BTreeMap<String, u64> {
    let mut numbers = BTreeMap::new();
    for change in master.show::<ShownChange>(&["changes"]) {
        let revision = change.revision.unwrap();
        let known = numbers.insert(revision, change.number);
        assert_eq!(known, None, "a change that was sent once is there twice");
    }
    assert!(!numbers.is_empty());
    for change in sent {
        let is_there = numbers.contains_key(&change.revision);
        let ought_to_be = match change.answer {
            Some(answer) => answer == Answer::Acknowledged,
            None => is_there,
        };
        assert_eq!(is_there, ought_to_be, "{change:?}");
    }
    numbers
}

/// Every change that is there was built to its end once by each builder. That holds for those which
/// were not acknowledged as well: a change is taken with all its consequences or not at all.
fn check_builds(seen: &Seen, numbers: &BTreeMap<String, u64>, executions: &str) {
    for (revision, number) in numbers {
        for builder in [EACH, MERGED] {
            let builds = seen.of_change(builder, *number);
            let results: Vec<_> = builds.iter().filter_map(|b| b.result.as_deref()).collect();
            let last = results.iter().filter(|result| **result != "retry");
            assert_eq!(
                last.collect::<Vec<_>>(),
                [&"success"],
                "{revision} on {builder}"
            );
        }
        let builds = seen.of_change(EACH, *number);
        let line = format!("{EACH} {revision}");
        let runs = executions.lines().filter(|run| *run == line).count();
        assert!(
            (1..=builds.len()).contains(&runs),
            "{line}: {runs} runs in {} builds",
            builds.len()
        );
    }
}
