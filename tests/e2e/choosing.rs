//! Who goes first and on which slave, by expressions, properties, windows and programs.

use std::fs;

use crate::harness::process::PATIENCE;
use crate::harness::{Finished, Master, Sandbox, Setup, Slave, run, shell, wait_until};

/// A step that ends when the gate is open.
fn until_open(command: &str) -> String {
    shell(
        "wait",
        command,
        &format!("timeout = {}", PATIENCE.as_secs()),
    )
}

fn force(master: &Master<'_>, reason: &str, properties: &[&str]) {
    let mut arguments = vec!["force", "full", "--reason", reason];
    for property in properties {
        arguments.extend(["--property", property]);
    }
    told(master, &arguments).ok();
}

fn told(master: &Master<'_>, arguments: &[&str]) -> Finished {
    let mut program = master.program();
    run(program.args(arguments).arg("--basedir").arg(master.dir()))
}

/// The reasons and slaves of the first builds.
fn builds(master: &Master<'_>, count: u64) -> Vec<(String, String)> {
    let builds = (0..count).map(|number| {
        let build = master.finished_build("full", number);
        (build.reason.unwrap(), build.slave.unwrap())
    });
    builds.collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let expected = expected.iter();
    expected
        .map(|(reason, slave)| ((*reason).to_owned(), (*slave).to_owned()))
        .collect()
}

#[test]
fn a_builder_says_who_goes_first_and_which_slave_may_take_it_also_after_a_kill() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = Setup::new(&[until_open(&gate.command())])
        .settings("merge_requests = false\n")
        .slave("one")
        .slave("two")
        .builder(
            "full",
            "slave_if = \"not prop.big or slave.name == 'two'\"\n\
             slave_order = [\"slave.name == 'one'\"]\n\
             request_order = [\"prop.level | int\"]",
        );
    let mut master = Master::start(&sandbox, &setup);
    let _slaves = ["one", "two"].map(|name| Slave::native(&sandbox, name, master.port()));
    for slave in ["one", "two"] {
        master.wait_until_attached(slave);
    }

    force(&master, "first", &["big=1"]);
    gate.wait_until_reached(1);
    force(&master, "second", &["big=1", "level=1"]);
    force(&master, "third", &["big=1", "level=5"]);
    let why = told(&master, &["why", "2"]).ok();
    let refused = "slave one may not take it: slave_if of builder full is false: not prop.big";
    assert!(why.contains(refused), "{why}");
    let behind = "1 other request goes first on builder full (request_order)";
    assert!(why.contains(behind), "{why}");
    // What slave one may take does not wait for what it may not.
    force(&master, "small", &["level=0"]);
    gate.wait_until_reached(2);

    master.kill();
    master.run();
    for slave in ["one", "two"] {
        master.wait_until_attached(slave);
    }
    gate.wait_until_reached(4);
    gate.open();
    let lost = [("first", "two"), ("small", "one")];
    let mut seen = builds(&master, 5);
    assert_eq!(seen.drain(..2).collect::<Vec<_>>(), pairs(&lost));
    // Their keys put them back to their places (BRQ-01).
    let small = seen.iter().position(|(reason, _)| reason == "small");
    assert_eq!(seen.remove(small.unwrap()).1, "one");
    let rest = [("third", "two"), ("second", "two")];
    assert_eq!(seen, pairs(&rest), "the first one is behind them");
    let last = master.finished_build("full", 5);
    assert_eq!(last.reason.unwrap(), "first");
}

#[test]
fn a_request_goes_to_the_slave_it_names_and_later_ones_to_where_the_last_build_ran() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("say", "true", "")])
        .settings("choose_slaves = \"first\"\n")
        .slave("one")
        .slave("two")
        .builder(
            "full",
            "max_builds = 1\nslave_property = \"where\"\nslave_order = [\"slave.used_last\"]",
        );
    let mut master = Master::start(&sandbox, &setup);
    let _slaves = ["one", "two"].map(|name| Slave::native(&sandbox, name, master.port()));
    let all_attached = |master: &Master<'_>| {
        for slave in ["one", "two"] {
            master.wait_until_attached(slave);
        }
    };
    all_attached(&master);
    force(&master, "named", &["where=two"]);
    master.finished_build("full", 0);
    master.kill();
    master.run();
    all_attached(&master);
    force(&master, "any", &[]);
    let expected = [("named", "two"), ("any", "two")];
    assert_eq!(builds(&master, 2), pairs(&expected));
    let shown = told(&master, &["show", "build", "full", "1"]).ok();
    assert!(
        shown.contains("on slave two: slave_order [1], first of 2"),
        "{shown}"
    );

    force(&master, "nowhere", &["where=three"]);
    let why = told(&master, &["why", "3"]).ok();
    let said = "slaves one and two may not take it: its property where names slave three";
    assert!(why.contains(said), "{why}");
}

/// Whatever day it is, one of the slaves is held on it.
#[test]
fn a_slave_takes_no_builds_in_a_window() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let hold = |days: &str| {
        format!("type = \"local\"\nhold = [{{ days = \"{days}\", time_zone = \"UTC\" }}]")
    };
    let setup = Setup::new(&[until_open(&gate.command())])
        .settings("merge_requests = false\n")
        .slave_with("odd", &hold("Mon, Wed, Fri, Sun"))
        .slave_with("even", &hold("Tue, Thu, Sat"))
        .builder("full", "");
    let master = Master::start(&sandbox, &setup);
    for slave in ["odd", "even"] {
        master.wait_until_attached(slave);
    }
    force(&master, "first", &[]);
    gate.wait_until_reached(1);
    force(&master, "second", &[]);
    let why = told(&master, &["why", "2"]).ok();
    let busy = master.build("full", 0).unwrap().slave.unwrap();
    let other = if busy == "odd" { "even" } else { "odd" };
    let said = format!("slave {other} takes no builds until ");
    assert!(why.contains(&said) && why.contains(": hold "), "{why}");
    gate.open();
    let both = builds(&master, 2);
    assert_eq!(both, pairs(&[("first", &busy), ("second", &busy)]));
}

#[test]
fn a_program_says_whether_a_slave_may_take_a_build() {
    let sandbox = Sandbox::new();
    let asked = sandbox.path("asked");
    let answer = sandbox.file("answer", "echo 'no: the board is taken'");
    let script = format!("cat >'{}'; . '{}'", asked.display(), answer.display());
    let check = format!(
        "slave_check = {{ command = [\"sh\", \"-c\", {script:?}], every = \"1s\", timeout = \"2s\" }}"
    );
    let setup = Setup::new(&[shell("say", "true", "")])
        .slave("one")
        .builder("full", &check);
    let mut master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "one", master.port());
    master.wait_until_attached("one");
    assert!(!asked.exists(), "nothing waits");
    force(&master, "checked", &[]);
    let until_why = |master: &Master<'_>, text: &str| {
        wait_until(text, || told(master, &["why", "1"]).ok().contains(text));
    };
    let rule = "slave one may not take it: the slave_check of builder full";
    until_why(
        &master,
        &format!("{rule} said no: the board is taken, asked again"),
    );
    let question = fs::read_to_string(&asked).unwrap();
    let question: serde_json::Value = serde_json::from_str(&question).unwrap();
    assert_eq!(question["builder"], "full");
    assert_eq!(question["slave"]["name"], "one");

    for (script, why) in [
        ("exec sleep 600", "it took too long"),
        (
            "echo maybe",
            "it printed `maybe`, which is neither `yes` nor `no`",
        ),
        ("echo oops >&2; exit 3", "it ended with exit code 3: oops"),
    ] {
        fs::write(&answer, script).unwrap();
        until_why(
            &master,
            &format!("{rule} failed, which counts as no: {why}, asked"),
        );
    }
    master.kill();
    master.run();
    master.wait_until_attached("one");
    until_why(&master, "it ended with exit code 3: oops");
    fs::write(&answer, "echo yes").unwrap();
    assert_eq!(builds(&master, 1), pairs(&[("checked", "one")]));
    let log = fs::read_to_string(master.dir().join("buildmaster.log"));
    let said = log.unwrap_or_default() + &master.process().printed();
    assert!(said.contains("its slave_check has failed"), "{said}");
}
