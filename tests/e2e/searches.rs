//! Culprit searches on real slaves with real repositories (SRH-15): of ten commits the seventh
//! breaks.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Kind, Master, Sandbox, Setup, Slave, run, shell, wait_until};

/// A version control system: its step, a shell line that makes an empty repository in the directory
/// `repo`, and one that commits `$N` as the file `text` and prints the revision.
struct System {
    step: &'static str,
    setup: &'static str,
    commit: &'static str,
}

const GIT: System = System {
    step: r#"type = "Git", repourl = "DIR/repo""#,
    setup: "git init -q repo && cd repo && git config user.name me && git config user.email me@example.org",
    commit: "cd repo && echo $N >text && git add text && git commit -q -m $N && git rev-parse HEAD",
};

const SVN: System = System {
    step: r#"type = "SVN", repourl = "file://DIR/repo""#,
    setup: "svnadmin create repo && svn -q checkout file://$PWD/repo work",
    commit: "cd work && echo $N >text && svn -q add --force text && svn -q commit -m $N && svn -q update && \
             svn info --show-item revision",
};

const HG: System = System {
    step: r#"type = "Mercurial", repourl = "DIR/repo""#,
    setup: "hg init repo",
    commit: "cd repo && echo $N >text && hg commit -qA -u me -m $N && hg log -r . --template '{node}'",
};

/// Whether the tree is good.
const TEST: &str = "test $(cat text) -lt 7";

#[test]
fn srh_15_git_on_a_native_slave() {
    the_seventh_commit_is_found(&GIT, Kind::Native);
}

#[test]
fn srh_15_git_on_slave_0814() {
    the_seventh_commit_is_found(&GIT, Kind::Slave0814);
}

#[test]
fn srh_15_svn_on_a_native_slave() {
    the_seventh_commit_is_found(&SVN, Kind::Native);
}

#[test]
fn srh_15_svn_on_slave_0814() {
    the_seventh_commit_is_found(&SVN, Kind::Slave0814);
}

#[test]
fn srh_15_hg_on_a_native_slave() {
    the_seventh_commit_is_found(&HG, Kind::Native);
}

#[test]
fn srh_15_hg_on_slave_0814() {
    the_seventh_commit_is_found(&HG, Kind::Slave0814);
}

/// Ten commits, of which the first was built with success, and the last with a failure.
struct Broken<'a> {
    master: Master<'a>,
    _slave: Slave,
}

impl<'a> Broken<'a> {
    /// Nothing if the slave cannot be had here.
    fn new(sandbox: &'a Sandbox, system: &System, kind: Kind, test: &str) -> Option<Self> {
        Self::with(sandbox, system, kind, (test, "", ""))
    }

    /// The same with these settings of the test step and tables in the configuration.
    fn with(
        sandbox: &'a Sandbox,
        system: &System,
        kind: Kind,
        (test, settings, tables): (&str, &str, &str),
    ) -> Option<Self> {
        let dir = sandbox.private_dir("source");
        let dir_text = dir.to_str().unwrap();
        let steps = [
            format!("{{ {} }}", system.step.replace("DIR", dir_text)),
            shell("test", test, settings),
            shell("publish", "echo published", "always_run = true"),
        ];
        let setup = Setup::new(&steps).slave("bot").tables(tables);
        let master = Master::start(sandbox, &setup);
        let slave = Slave::start(kind, sandbox, "bot", master.port())?;
        let line = |line: &str, number: u32| {
            let mut command: Command = sandbox.command("sh");
            command.args(["-c", line]).current_dir(&dir);
            run(command.env("N", number.to_string()))
                .ok()
                .trim()
                .to_owned()
        };
        line(system.setup, 0);
        master.wait_until_attached("bot");
        master.send_change(&line(system.commit, 1));
        let first = master.finished_build("full", 0);
        assert_eq!(first.result.as_deref(), Some("success"));
        run(&mut program(&master, &["pause-builder", "full"])).ok();
        for number in 2..=10 {
            master.send_change(&line(system.commit, number));
        }
        run(&mut program(&master, &["unpause-builder", "full"])).ok();
        let last = master.finished_build("full", 1);
        assert_eq!(last.result.as_deref(), Some("failure"));
        Some(Self {
            master,
            _slave: slave,
        })
    }

    fn bisect(&self, words: &[&str]) -> Command {
        let words: Vec<&str> = ["bisect"].iter().chain(words).copied().collect();
        program(&self.master, &words)
    }

    /// Search 1, as a program sees it.
    fn search(&self) -> Value {
        let shown = run(&mut self.bisect(&["show", "1", "--json"])).ok();
        serde_json::from_str(&shown).unwrap()
    }
}

/// A verb of our program, for this master.
fn program(master: &Master<'_>, words: &[&str]) -> Command {
    let mut command = master.program();
    command.args(words).arg("--basedir").arg(master.dir());
    command
}

/// The changes that were built, in that order, and what was said.
fn said(search: &Value) -> Vec<(u64, &str)> {
    let builds = search["builds"].as_array().unwrap().iter();
    builds
        .map(|build| {
            (
                build["change"].as_u64().unwrap(),
                build["said"].as_str().unwrap(),
            )
        })
        .collect()
}

fn the_seventh_commit_is_found(system: &System, kind: Kind) {
    let sandbox = Sandbox::new();
    let Some(broken) = Broken::new(&sandbox, system, kind, TEST) else {
        return;
    };
    let mut bisect = broken.bisect(&["full", "1", "#1", "--step", "test", "--wait"]);
    let told = run(&mut bisect).ok();
    assert!(
        told.contains("found: change 7 fails, change 6 passes"),
        "{told}"
    );
    let search = broken.search();
    assert_eq!(search["verdict"]["bad"], 7);
    assert_eq!(search["who"].as_str().map(str::is_empty), Some(false));
    let mut ends = said(&search);
    let mut halving = ends.split_off(2);
    ends.sort_unstable();
    assert_eq!(ends, [(1, "pass"), (10, "fail")]);
    // The step had passed once, so the two points of the verdict are built twice.
    let mut proof = halving.split_off(3);
    proof.sort_unstable();
    assert_eq!(halving, [(5, "pass"), (7, "fail"), (6, "pass")]);
    assert_eq!(proof, [(6, "pass"), (7, "fail")]);
    // A build of a search ends with the step in question, also before a step that always runs.
    let number = search["builds"][0]["build"].as_u64().unwrap();
    let build = broken.master.build("full", number).unwrap();
    let ran: Vec<&str> = build.ran().into_iter().map(|(step, _)| step).collect();
    assert_eq!(ran.last(), Some(&"test"));
    // The problem of the step has its suspects narrowed.
    let problem = run(&mut program(&broken.master, &["problems", "1", "--json"])).ok();
    let problem: Value = serde_json::from_str(&problem).unwrap();
    assert_eq!(problem["suspects"], json!([{"change": 7, "who": "alice"}]));
}

#[test]
fn srh_14_a_search_outlives_a_kill_of_the_master() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let test = format!(
        "if test $(cat text) = 5; then ( {} ); fi; {TEST}",
        gate.command()
    );
    let mut broken = Broken::new(&sandbox, &GIT, Kind::Native, &test).unwrap();
    run(&mut broken.bisect(&["full", "#0", "#1", "--step", "test"])).ok();
    gate.wait_until_reached(1);
    broken.master.kill();
    gate.open();
    broken.master.run();
    let found = || {
        let search = broken.search();
        search["verdict"]["verdict"] == "found" && search["verdict"]["bad"] == 7
    };
    wait_until("the verdict", found);
    let search = broken.search();
    let said = said(&search);
    assert_eq!(said.len(), 7, "nothing is asked twice: {said:?}");
}

#[test]
fn srh_10_why_says_what_a_search_does_and_costs() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let test = format!(
        "if test $(cat text) = 5; then ( {} ); fi; {TEST}",
        gate.command()
    );
    let broken = Broken::new(&sandbox, &GIT, Kind::Native, &test).unwrap();
    run(&mut broken.bisect(&["full", "#0", "#1", "--step", "test"])).ok();
    gate.wait_until_reached(1);
    let search = broken.search();
    let builds = search["builds"].as_array().unwrap();
    let request = builds.last().unwrap()["request"].to_string();
    let why = run(&mut program(&broken.master, &["why", &request])).ok();
    let cost = "culprit search 1 looks for the change that broke test of builder full, one of 9 \
                changes after 1 up to 10: 3 of at most";
    assert!(why.contains(cost), "{why}");
    assert!(why.contains("of slave time; in 24 hours"), "{why}");
    gate.open();
}

#[test]
fn srh_13_a_search_ends_with_its_builder_and_keeps_no_other_from_going_on() {
    let sandbox = Sandbox::new();
    let other = "[[builders]]\nname = \"other\"\nslaves = [\"bot\"]\nfactory = \"steps\"\n";
    let mut broken = Broken::with(&sandbox, &GIT, Kind::Native, (TEST, "", other)).unwrap();
    run(&mut program(&broken.master, &["pause-builder", "other"])).ok();
    run(&mut broken.bisect(&["other", "1", "10", "--step", "test"])).ok();
    let toml = broken.master.dir().join("master.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, text.replace(other, "")).unwrap();
    run(broken
        .master
        .program()
        .arg("reconfig")
        .arg(broken.master.dir()))
    .ok();
    let is_over = || {
        let shown = run(&mut broken.bisect(&["show", "1"])).ok();
        shown.contains("builder other was removed from the configuration")
    };
    wait_until("the end of the search", is_over);
    let told = run(&mut broken.bisect(&["full", "1", "10", "--step", "test", "--wait"])).ok();
    assert!(told.contains("found: change 7 fails"), "{told}");
    broken.master.terminate();
}

#[test]
fn srh_16_what_cannot_be_searched_is_refused_with_its_exit_code() {
    let sandbox = Sandbox::new();
    let broken = Broken::new(&sandbox, &GIT, Kind::Native, TEST).unwrap();
    for (words, why) in [
        (["full", "1", "99", "--wait"].as_slice(), "no change"),
        (&["full", "10", "1", "--wait"], "not older"),
        (
            &["full", "1", "10", "--step", "tset", "--wait"],
            "has no step tset",
        ),
        (&["fll", "1", "10", "--wait"], "does not exist"),
        (&["full", "1", "#7", "--wait"], "no build full/7"),
        (&["full", "1", "10", "--runs", "99", "--wait"], "1 to 10"),
    ] {
        let refused = run(&mut broken.bisect(words)).fails_with(3);
        assert!(refused.contains(why), "{refused}");
    }
    // Without a step the question is whether the build succeeds. With a fix there is none to find:
    // the newer end fails, as it did.
    let mut fixed = broken.bisect(&["full", "1", "10", "--fixed", "--wait"]);
    run(&mut fixed).fails_with(2);
    let mut whole = broken.bisect(&["full", "1", "10", "--wait"]);
    let told = run(&mut whole).ok();
    assert!(told.contains("found: change 7 fails"), "{told}");
    // One that waits is stopped, and its builds are ended.
    run(&mut program(&broken.master, &["pause-builder", "full"])).ok();
    run(&mut broken.bisect(&["full", "1", "10"])).ok();
    run(&mut broken.bisect(&["stop", "3", "--reason", "enough"])).ok();
    let shown = run(&mut broken.bisect(&["show", "3"])).ok();
    assert!(shown.contains("enough"), "{shown}");
    let again = run(&mut broken.bisect(&["stop", "3"])).fails_with(1);
    assert!(again.contains("search 3 is over"), "{again}");
    let waiting = || broken.master.show::<Value>(&["requests"]);
    let is_open = |request: &Value| request["finished_at"].is_null();
    wait_until("the builds of the search to be ended", || {
        !waiting().iter().any(is_open)
    });
}

#[test]
fn srh_02_the_master_searches_by_itself_when_a_problem_has_gathered() {
    let sandbox = Sandbox::new();
    let tables = (TEST, "", "[search]\ngather = 0\n");
    let broken = Broken::with(&sandbox, &GIT, Kind::Native, tables).unwrap();
    let first = || {
        let shown = run(&mut broken.bisect(&["list", "--json"])).ok();
        let line = shown.lines().next()?.to_owned();
        Some(serde_json::from_str::<Value>(&line).unwrap())
    };
    wait_until("the verdict of the search", || {
        first().is_some_and(|search| !search["verdict"].is_null())
    });
    let search = first().unwrap();
    assert_eq!(search["verdict"]["bad"], 7, "{search}");
    assert_eq!(search["who"], "");
    assert_eq!(search["problem"], 1);
    let shown = run(&mut program(&broken.master, &["problems", "1"])).ok();
    assert!(shown.contains("search 1: found"), "{shown}");
}

/// Two tests in TAP: `early` fails from commit 3 on, and `late` from commit 7 on.
const TESTS: &str = "n=$(cat text); r=0; echo 1..2; for t in '3 early' '7 late'; do \
                     set -- $t; if test $n -lt $1; then echo ok - $2; \
                     else echo not ok - $2; r=1; fi; done; exit $r";

/// How the step reports them.
const REPORT: &str = r#"tests = [{ format = "tap", log = "stdio" }]"#;

#[test]
fn srh_16_a_test_is_the_question() {
    let sandbox = Sandbox::new();
    let tables = "[search]\nautomatic = false\n";
    let broken = Broken::with(&sandbox, &GIT, Kind::Native, (TESTS, REPORT, tables)).unwrap();
    let shown = run(&mut program(&broken.master, &["problems", "1", "--json"])).ok();
    let story: Value = serde_json::from_str(&shown).unwrap();
    let why = "The master does not search by itself: `[search]` says so.";
    assert_eq!(story["unsearched"], why);
    let unknown = ["full", "1", "#1", "--test", "lite", "--wait"];
    let refused = run(&mut broken.bisect(&unknown)).fails_with(3);
    assert!(
        refused.contains("no report has had a test lite"),
        "{refused}"
    );
    let late = ["full", "1", "#1", "--test", "late", "--wait"];
    let told = run(&mut broken.bisect(&late)).ok();
    assert!(told.contains("full: test: late  found: change 7"), "{told}");
    let search = broken.search();
    assert_eq!(search["step"], "test");
    assert_eq!(search["test"], json!(["late"]));
    // What the builds of that search say of the other test costs nothing.
    let early = ["full", "#0", "#1", "--test", "early", "--wait"];
    let told = run(&mut broken.bisect(&early)).ok();
    assert!(told.contains("found: change 3"), "{told}");
    let shown = run(&mut broken.bisect(&["show", "2", "--json"])).ok();
    let search: Value = serde_json::from_str(&shown).unwrap();
    let built = said(&search).into_iter().map(|(change, _)| change);
    assert!(!built.collect::<Vec<_>>().contains(&5));
}

#[test]
fn srh_10_each_test_that_fails_is_searched_for_itself() {
    let sandbox = Sandbox::new();
    let tables = "[search]\ngather = 0\n";
    let broken = Broken::with(&sandbox, &GIT, Kind::Native, (TESTS, REPORT, tables)).unwrap();
    let searches = || -> Vec<Value> {
        let shown = run(&mut broken.bisect(&["list", "--json"])).ok();
        shown
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let is_over = |search: &Value| !search["verdict"].is_null();
    wait_until("the verdicts of both searches", || {
        let all = searches();
        all.len() == 2 && all.iter().all(is_over)
    });
    let mut found: Vec<_> = searches()
        .iter()
        .map(|search| {
            (
                search["test"][0].to_string(),
                search["verdict"]["bad"].clone(),
            )
        })
        .collect();
    found.sort_by_key(|(test, _)| test.clone());
    let expected = [("\"early\"", 3), ("\"late\"", 7)];
    assert_eq!(
        found,
        expected.map(|(test, bad)| (test.to_owned(), json!(bad)))
    );
}

#[test]
fn srh_13_a_search_ends_with_its_problem_and_one_by_hand_goes_on() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let test = format!(
        "if test $(cat text) = 5; then ( {} ); fi; {TEST}",
        gate.command()
    );
    let tables = "[search]\ngather = 0\n";
    let broken = Broken::with(&sandbox, &GIT, Kind::Native, (&test, "", tables)).unwrap();
    gate.wait_until_reached(1);
    run(&mut broken.bisect(&["full", "1", "#1", "--step", "test"])).ok();
    run(&mut program(
        &broken.master,
        &["problems", "dismiss", "1", "it is known"],
    ))
    .ok();
    let verdict = |number: &str| -> Value {
        let shown = run(&mut broken.bisect(&["show", number, "--json"])).ok();
        serde_json::from_str(&shown).unwrap()
    };
    wait_until("the end of the search for what is dismissed", || {
        !verdict("1")["verdict"].is_null()
    });
    let search = verdict("1");
    assert_eq!(search["verdict"]["verdict"], "stopped");
    assert_eq!(search["why"], "its problem is dismissed");
    gate.open();
    wait_until("the verdict of the search by hand", || {
        verdict("2")["verdict"]["bad"] == 7
    });
}
