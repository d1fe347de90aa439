//! What the master does about what is flaky: it builds again what is suspect, and puts tests in
//! quarantine (FLK-04, FLK-07).

use std::fs;

use serde_json::Value;

use crate::harness::web::whole;
use crate::harness::{Master, Sandbox, Setup, free_port, run, shell, wait_until};

/// What a verb of the program lists, one JSON object a line.
fn listed(master: &Master<'_>, words: &[&str]) -> Vec<Value> {
    let mut command = master.program();
    command.args(words).arg("--json").arg("--basedir");
    let shown = run(command.arg(master.dir())).ok();
    let lines = shown.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn flk_04_what_failed_three_times_by_itself_is_built_once_more_and_proved_flaky() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("flags");
    let command = format!("test ! -e {}/broken", dir.display());
    let setup = Setup::new(&[shell("make", &command, "")])
        .local_slave("here")
        .tables("[search]\ngather = 86400\n");
    let mut master = Master::start(&sandbox, &setup);
    for (number, fails) in [false, true, false, true, false, true, false]
        .into_iter()
        .enumerate()
    {
        let number = number as u64;
        if fails {
            fs::write(dir.join("broken"), "").unwrap();
        }
        master.send_change(&format!("r{number}"));
        let build = master.finished_build("full", number);
        let result = if fails { "failure" } else { "success" };
        assert_eq!(build.result.as_deref(), Some(result));
        if fails {
            fs::remove_file(dir.join("broken")).unwrap();
        }
    }
    assert_eq!(listed(&master, &["bisect", "list"]), [] as [Value; 0]);
    // It looks when it starts, and each time when problems could have gathered.
    master.kill();
    master.run();
    let searches = || listed(&master, &["bisect", "list"]);
    wait_until("a verdict", || {
        searches().iter().any(|search| !search["verdict"].is_null())
    });
    let all = searches();
    assert_eq!(all.len(), 1, "{all:?}");
    let search = &all[0];
    assert_eq!(search["verdict"]["verdict"], "flaky", "{search}");
    assert_eq!(
        (&search["problem"], &search["who"]),
        (&Value::Null, &"".into())
    );
    let builds = search["builds"].as_array().unwrap();
    assert_eq!(
        (builds.len(), &builds[0]["change"]),
        (1, &6.into()),
        "{search}"
    );
    master.kill();
    master.run();
    master.send_change("r8");
    master.finished_build("full", 8);
    assert_eq!(searches_of(&master), 1, "it is proved");
}

fn searches_of(master: &Master<'_>) -> usize {
    listed(master, &["bisect", "list"]).len()
}

/// Reports a test that fails at first and passes when it is tried again, and one that passes.
const FLAKY: &str = "echo '<testsuite name=\"io\"><testcase classname=\"io\" name=\"reads\">\
    <flakyFailure message=\"late\"/></testcase><testcase classname=\"io\" name=\"writes\"/></testsuite>'";

#[test]
fn flk_07_a_test_that_is_proved_flaky_is_put_in_quarantine_and_the_front_page_warns() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let tables = format!(
        "[web]\nport = \"tcp:{port}:interface=127.0.0.1\"\n\
         [problems]\nauto_quarantine = true\nquarantine_days = 3\n[search]\ngather = 0\n\
         [[owners]]\nbuilders = [\"full\"]\npeople = [\"ann\"]\n"
    );
    let report = "tests = [{ format = \"junit\", log = \"stdio\" }]";
    let setup = Setup::new(&[shell("check", FLAKY, report)])
        .local_slave("here")
        .tables(&tables);
    let master = Master::start(&sandbox, &setup);
    for number in 0..5 {
        assert_eq!(listed(&master, &["quarantine"]), [] as [Value; 0]);
        master.send_change(&format!("r{number}"));
        master.finished_build("full", number);
    }
    let quarantine = || listed(&master, &["quarantine"]);
    wait_until("the test to be in quarantine", || !quarantine().is_empty());
    let one = &quarantine()[0];
    assert_eq!(
        (&one["builder"], &one["owner"]),
        (&"full".into(), &"ann".into())
    );
    assert_eq!(one["by"], "", "the master");
    let span = one["until"].as_i64().unwrap() - one["at"].as_i64().unwrap();
    assert_eq!(span, 3 * 86_400 * 1_000_000);
    let says = "1 of the 2 tests of step check are in quarantine";
    let page = whole(port, "/");
    assert!(page.contains(says), "{page}");
    let mut remove = master.program();
    remove.args(["quarantine", "remove", "--builder", "full", "io.reads"]);
    run(remove.arg("--basedir").arg(master.dir())).ok();
    let page = whole(port, "/");
    assert!(!page.contains("in quarantine"), "{page}");
}

#[test]
fn flk_07_the_owner_is_told_a_day_before_a_quarantine_ends() {
    let sandbox = Sandbox::new();
    let mails = sandbox.private_dir("mails");
    let tables = format!(
        "[[status]]\ntype = \"MailNotifier\"\nfrom = \"ci@example.org\"\nmode = []\n\
         problems = true\nlookup = \"example.org\"\nvia = [\"sh\", \"-c\", \"cat > {}/$$\"]\n",
        mails.display()
    );
    let report = "tests = [{ format = \"junit\", log = \"stdio\" }]";
    let setup = Setup::new(&[shell("check", FLAKY, report)])
        .local_slave("here")
        .tables(&tables);
    let mut master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    master.finished_build("full", 0);
    let add = |master: &Master<'_>, test: &str, hours: i64| {
        let until = chrono::Utc::now() + chrono::Duration::hours(hours);
        let mut command = master.program();
        command.args(["quarantine", "add", test, "--owner", "ann", "--reason"]);
        command.args(["a slow machine", "--until", &until.to_rfc3339()]);
        run(command.arg("--basedir").arg(master.dir())).ok();
    };
    add(&master, "io.reads", 20);
    add(&master, "io.writes", 30);
    let all = || -> Vec<String> {
        let entries = fs::read_dir(&mails).unwrap();
        let texts = entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        texts.filter(|text| text.ends_with('\n')).collect()
    };
    wait_until("the mail", || !all().is_empty());
    let mail = all().remove(0);
    for part in [
        "To: ann@example.org",
        "quarantine of test io.reads ends",
        "a slow machine",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    wait_until("its delivery", || {
        let letters = listed(&master, &["outbox", "--all"]);
        letters.iter().all(|letter| letter["state"] == "delivered")
    });
    master.kill();
    master.run();
    master.send_change("r2");
    master.finished_build("full", 1);
    assert_eq!(all().len(), 1, "each is told once, and not too early");
}
