//! Schedulers under SIGKILL: timers run, changes wait, try jobs arrive, and the master is killed
//! and started again.
//!
//! Each scheduler feeds a builder of its own that has its name, so that a request tells whose set
//! it is of. What is checked is what a master that was never killed would have done: every
//! acknowledged change is in one set of each scheduler that wants it (MAS-06, SCH-11); each success
//! of a set is followed once by those that depend on it (DEP-07, MAS-07); each try job is built
//! once; no tick comes twice (PER-06).

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, SystemTime};

use buildmaster::pb::{Luid, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

use crate::harness::client::Client;
use crate::harness::master::{ShownChange, optional_time, time};
use crate::harness::process::wait_for;
use crate::harness::{Build, Master, Sandbox, Setup, Slave, is_slow, run, shell, wait_until};
use crate::jobdir::{drop_job, files_in, job, jobdir, make_jobdir};

#[test]
fn mas_07_schedulers_of_a_killed_master_do_what_they_would_have_done() {
    let kills = if is_slow() { 60 } else { 5 };
    let seed =
        std::env::var("SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    eprintln!("the seed of these kills is {seed}; SEED={seed} repeats its choices");
    let mut rng = StdRng::seed_from_u64(seed);
    let sandbox = Sandbox::new();
    let mut master = Master::prepare(&sandbox, &setup());
    make_jobdir(&master);
    let _slave = Slave::native(&sandbox, "apart", master.port());
    let mut sent = Sent::default();
    let beginning = now();

    for _ in 0..kills {
        master.run();
        sent.some_changes(&master);
        sent.some_jobs(&master);
        // Before the timers end, just then, and while what they started is built.
        thread::sleep(Duration::from_millis(rng.random_range(0..1_500)));
        master.kill();
        check_what_follows(&master);
        if rng.random_ratio(1, 3) {
            master.run();
            master.kill();
        }
        sent.some_jobs(&master);
    }
    let last_start = now();
    master.run();
    wait_until_settled(&master, &sent);
    // What came twice would have come before these are built.
    sent.some_changes(&master);
    wait_until_settled(&master, &sent);
    wait_until("a tick after the last start", || {
        let ticks = requests(&master, "often");
        ticks.iter().any(|tick| tick.submitted_at > last_start)
    });
    assert!(master.terminate().success());

    check_what_follows(&master);
    check_changes(&master, &sent);
    check_jobs(&master, &sent);
    check_ticks(&master, beginning);
}

#[test]
fn sch_11_a_change_waits_out_its_hour_through_kills() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("ok", "true", "")])
        .local_slave("here")
        .schedulers(HOURS);
    let mut master = Master::start(&sandbox, &setup);
    let almost_over = now() - 3_600.0 + 4.0;
    send_at(&sandbox, &master, "trunk", almost_over);
    send_at(&sandbox, &master, "rel-1", now());
    let before: Vec<ShownFate> = (1..=2).map(|number| fate(&master, number)).collect();

    for _ in 0..3 {
        master.kill();
        master.run();
    }

    let built = wait_for("the end of the hour", || {
        requests(&master, "full").into_iter().next()
    });
    let until = before[0].timer_of("hour");
    assert!((until - almost_over - 3_600.0).abs() < 0.01, "{until}");
    assert!(built.submitted_at >= until, "{built:?}, not {until}");
    assert_eq!(master.finished_build("full", 0).changes(), [1]);
    let waits = fate(&master, 2);
    assert_eq!(waits, before[1]);
    assert!(waits.timer_of("hours") > now() + 3_000.0);
    assert_eq!((waits.sets.len(), requests(&master, "full").len()), (0, 1));
}

/// Two schedulers with long timers.
const HOURS: &str = r#"
[[schedulers]]
type = "Scheduler"
name = "hour"
branch = "trunk"
tree_stable_timer = "1h"
builders = ["full"]

[[schedulers]]
type = "AnyBranch"
name = "hours"
branches = ["rel-1"]
tree_stable_timer = "1h"
builders = ["full"]
"#;

fn setup() -> Setup {
    let names = [
        "quick", "every", "after", "last", "hourly", "often", "tail", "try",
    ];
    let line = format!("[ '%(buildername)s %(branch)s' != 'every {BROKEN}' ]");
    let setup = Setup::new(&[shell("unless-broken", &line, "")])
        .local_slave("here")
        .slave("apart")
        .schedulers(SCHEDULERS);
    let add = |setup: Setup, name: &&str| setup.builder(name, "merge_requests = false");
    names.iter().fold(setup, add)
}

const SCHEDULERS: &str = r#"
[[schedulers]]
type = "Scheduler"
name = "quick"
tree_stable_timer = "700ms"
builders = ["quick"]

[[schedulers]]
type = "AnyBranch"
name = "every"
tree_stable_timer = "400ms"
builders = ["every"]

[[schedulers]]
type = "Dependent"
name = "after"
upstream = "every"
builders = ["after"]

[[schedulers]]
type = "Dependent"
name = "last"
upstream = "after"
builders = ["last"]

[[schedulers]]
type = "Periodic"
name = "hourly"
period = "1h"
resume = true
builders = ["hourly"]

[[schedulers]]
type = "Periodic"
name = "often"
period = "3s"
resume = true
builders = ["often"]

[[schedulers]]
type = "Dependent"
name = "tail"
upstream = "often"
builders = ["tail"]

[[schedulers]]
type = "Try_Jobdir"
name = "try"
jobdir = "jobs"
builders = ["try"]
"#;

/// The period of `often`, in seconds.
const PERIOD: f64 = 3.0;
/// The branch whose builds fail, so that nothing follows.
const BROKEN: &str = "broken";
const BRANCHES: [Option<&str>; 3] = [None, Some("rel-1"), Some(BROKEN)];

/// The results of the sets that a change of a branch belongs into, by scheduler.
fn expected(branch: Option<&str>) -> BTreeMap<String, Vec<Option<String>>> {
    let sets: &[(&str, &str)] = match branch {
        None => &[
            ("quick", "success"),
            ("every", "success"),
            ("after", "success"),
            ("last", "success"),
        ],
        Some(BROKEN) => &[("every", "failure")],
        Some(_) => &[
            ("every", "success"),
            ("after", "success"),
            ("last", "success"),
        ],
    };
    let sets = sets.iter();
    sets.map(|(scheduler, result)| ((*scheduler).to_owned(), vec![Some((*result).to_owned())]))
        .collect()
}

/// What the master was given.
#[derive(Debug, Default)]
struct Sent {
    changes: usize,
    /// Revisions of the changes that the master has acknowledged.
    acknowledged: Vec<String>,
    jobs: usize,
}

impl Sent {
    /// Sends changes of all branches, and does not wait for what becomes of the last ones.
    fn some_changes(&mut self, master: &Master<'_>) {
        let mut client = Client::connect(master.port()).unwrap();
        let avatar: Luid = client.login("change", "changepw", Value::None).unwrap();
        let mut on_the_way = BTreeMap::new();
        for number in 0..CHANGES {
            let revision = format!("r{}", self.changes);
            self.changes += 1;
            let branch = BRANCHES[number % BRANCHES.len()];
            let request = client.send_change_on(avatar, "alice", &revision, branch);
            on_the_way.insert(request.unwrap(), revision);
        }
        while on_the_way.len() > UNKNOWN {
            let (request, answer) = client.next_answer().unwrap();
            answer.unwrap();
            let revision = on_the_way.remove(&request).unwrap();
            self.acknowledged.push(revision);
        }
    }

    fn some_jobs(&mut self, master: &Master<'_>) {
        for _ in 0..JOBS {
            let name = job_name(self.jobs);
            drop_job(master, &name, &job(&name));
            self.jobs += 1;
        }
    }
}

/// Changes that are sent at a time.
const CHANGES: usize = 9;
/// Those whose acknowledgement is not waited for.
const UNKNOWN: usize = 3;
/// Try jobs that are dropped at a time.
const JOBS: usize = 4;

fn job_name(number: usize) -> String {
    format!("job-{number:04}")
}

/// A request, as `show requests --json` prints it.
#[derive(Debug, Deserialize)]
struct Request {
    builder: String,
    reason: String,
    state: String,
    result: Option<String>,
    #[serde(deserialize_with = "time")]
    submitted_at: f64,
}

impl Request {
    fn is_success(&self) -> bool {
        self.result.as_deref() == Some("success")
    }
}

/// What became of a change, as `show change --json` prints it.
#[derive(Debug, Deserialize, PartialEq)]
struct ShownFate {
    schedulers: Vec<ShownDecision>,
    sets: Vec<ShownSet>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct ShownDecision {
    scheduler: String,
    decision: String,
    #[serde(default, deserialize_with = "optional_time")]
    at: Option<f64>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct ShownSet {
    id: u64,
    scheduler: String,
    result: Option<String>,
}

impl ShownFate {
    /// When the timer ends that the change has set.
    fn timer_of(&self, scheduler: &str) -> f64 {
        let mut its = self.schedulers.iter().filter(|d| d.scheduler == scheduler);
        let its = its.next().unwrap();
        assert_eq!(its.decision, "timer_runs");
        its.at.unwrap()
    }

    fn results(&self) -> BTreeMap<String, Vec<Option<String>>> {
        let mut results: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for set in &self.sets {
            let its = results.entry(set.scheduler.clone()).or_default();
            its.push(set.result.clone());
        }
        results
    }
}

fn fate(master: &Master<'_>, change: u64) -> ShownFate {
    let mut shown = master.show(&["change", &change.to_string()]);
    shown.pop().unwrap()
}

fn all_requests(master: &Master<'_>) -> Vec<Request> {
    master.show(&["requests", "--all"])
}

fn requests(master: &Master<'_>, builder: &str) -> Vec<Request> {
    let mut requests = all_requests(master);
    requests.retain(|request| request.builder == builder);
    requests
}

/// Waits until every change has all results that it gets and every job is built.
fn wait_until_settled(master: &Master<'_>, sent: &Sent) {
    for change in master.show::<ShownChange>(&["changes"]) {
        let expected = expected(change.branch.as_deref());
        wait_until(&format!("the builds of {change:?}"), || {
            let results = fate(master, change.number).results();
            let has_ended = |scheduler| {
                let sets = results.get(scheduler);
                sets.is_some_and(|sets| sets.iter().all(Option::is_some))
            };
            expected.keys().all(has_ended)
        });
    }
    wait_until("the try jobs", || {
        files_in(&jobdir(master).join("new")).is_empty()
            && requests(master, "try").len() >= sent.jobs
            && requests(master, "try")
                .iter()
                .all(|r| r.state == "finished")
    });
}

/// At each moment, every success has been followed, and nothing else has.
fn check_what_follows(master: &Master<'_>) {
    let all = all_requests(master);
    for (upstream, downstream) in [("every", "after"), ("after", "last"), ("often", "tail")] {
        let successes = all
            .iter()
            .filter(|r| r.builder == upstream && r.is_success());
        let followed = all.iter().filter(|r| r.builder == downstream);
        assert_eq!(
            successes.count(),
            followed.count(),
            "{downstream} after {upstream}: {all:#?}"
        );
    }
}

fn check_changes(master: &Master<'_>, sent: &Sent) {
    let mut known = BTreeSet::new();
    // The changes of each set, by scheduler.
    let mut sets: BTreeMap<String, BTreeMap<u64, BTreeSet<u64>>> = BTreeMap::new();
    let mut branches: BTreeMap<u64, Option<String>> = BTreeMap::new();
    for change in master.show::<ShownChange>(&["changes"]) {
        let fate = fate(master, change.number);
        assert_eq!(
            fate.results(),
            expected(change.branch.as_deref()),
            "{change:?} is in {:?}",
            fate.sets
        );
        for set in fate.sets {
            let branch = branches.entry(set.id).or_insert(change.branch.clone());
            assert_eq!(*branch, change.branch, "two branches in set {}", set.id);
            // What fails has nothing that follows.
            if set.result.as_deref() == Some("success") {
                let its = sets.entry(set.scheduler).or_default();
                its.entry(set.id).or_default().insert(change.number);
            }
        }
        let revision = change.revision.unwrap();
        assert!(known.insert(revision), "a change is there twice");
    }
    for revision in &sent.acknowledged {
        assert!(known.contains(revision), "{revision} is lost");
    }
    // Numbers of sets ascend, but those that follow may do so in another order.
    let grouped =
        |scheduler: &str| -> BTreeSet<&BTreeSet<u64>> { sets[scheduler].values().collect() };
    assert_eq!(grouped("after"), grouped("every"));
    assert_eq!(grouped("last"), grouped("every"));
}

fn check_jobs(master: &Master<'_>, sent: &Sent) {
    let expected: BTreeMap<String, usize> = (0..sent.jobs)
        .map(|number| (format!("'try' job by user {}", job_name(number)), 1))
        .collect();
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests(master, "try") {
        assert!(request.is_success(), "{request:?}");
        *asked.entry(request.reason).or_default() += 1;
    }
    assert_eq!(asked, expected);
    let mut built: BTreeMap<String, usize> = BTreeMap::new();
    let mut numbers = BTreeSet::new();
    for build in master.show::<Build>(&["builds", "try"]) {
        assert!(numbers.insert(build.number), "two builds {}", build.number);
        if build.result.as_deref() == Some("success") {
            *built.entry(build.reason.unwrap()).or_default() += 1;
        }
    }
    assert_eq!(built, expected);
}

/// Ticks are a period apart or more, and what is submitted at one can only be late.
fn check_ticks(master: &Master<'_>, beginning: f64) {
    let hourly = requests(master, "hourly");
    assert!(hourly.len() == 1 && hourly[0].is_success(), "{hourly:?}");
    let mut often: Vec<f64> = requests(master, "often")
        .iter()
        .map(|request| request.submitted_at)
        .collect();
    often.sort_by(f64::total_cmp);
    // Times are shown without what is less than a millisecond.
    let mut soonest = (beginning * 1000.0).floor() / 1000.0;
    for at in &often {
        assert!(
            *at >= soonest,
            "a tick too many since {beginning}: {often:?}"
        );
        soonest += PERIOD;
    }
}

/// The time, in seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// Sends a change that was made at a certain time.
fn send_at(sandbox: &Sandbox, master: &Master<'_>, branch: &str, when: f64) {
    run(sandbox
        .buildbot()
        .args(["sendchange", "--auth", "change:changepw", "--who", "alice"])
        .args(["--master", &format!("127.0.0.1:{}", master.port())])
        .args(["--when", &when.to_string(), "--branch", branch])
        .arg("src/main.c"))
    .ok();
}
