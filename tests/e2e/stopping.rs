//! The verbs `stop`, `restart` and `cancel-stop`, as an operator uses them while builds run
//! (MAS-05).

use rustix::process::Signal;

use crate::harness::process::PATIENCE;
use crate::harness::setup::CHANGE_AUTH;
use crate::harness::{Build, Finished, Master, Process, Sandbox, Setup, run, shell, wait_until};

#[test]
fn sigint_stops_at_once_and_the_build_runs_again() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut master = Master::start(&sandbox, &waiting(&gate.command()));
    master.send_change("r1");
    gate.wait_until_reached(1);

    master.process().signal(Signal::INT);
    assert!(master.process().wait().success());
    gate.open();
    master.run();

    assert_eq!(result(&master.finished_build("full", 0)), "retry");
    assert_eq!(result(&master.finished_build("full", 1)), "success");
}

#[test]
fn clean_stop_ends_with_the_last_build() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut master = Master::start(&sandbox, &waiting(&gate.command()));
    master.send_change("r1");
    gate.wait_until_reached(1);

    let mut stop = begin(&master, &["stop", "--clean"]);
    master.process().wait_for_line(DRAINS);
    assert!(stop.is_running() && master.process().is_running());
    gate.open();

    stop.wait_for_line("buildmaster has stopped");
    assert!(stop.wait().success());
    assert!(master.process().wait().success());
    assert_eq!(result(&master.build("full", 0).unwrap()), "success");
    let none = verb(&master, &["stop", "--clean"]).fails_with(1);
    assert!(none.contains("no master is running in"), "{none}");
}

#[test]
fn clean_stop_that_is_cancelled_says_so_and_a_restart_starts_nothing() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut master = Master::start(&sandbox, &waiting(&gate.command()));
    master.send_change("r1");
    gate.wait_until_reached(1);
    let pid = master.process().pid();

    let early = verb(&master, &["cancel-stop"]).fails_with(1);
    assert!(early.contains("the master is not shutting down"), "{early}");
    for words in [["stop", "--clean"], ["restart", "--clean"]] {
        let mut stop = begin(&master, &words);
        wait_until("a stop to cancel", || {
            verb(&master, &["cancel-stop"]).code == Some(0)
        });
        stop.wait_for_line("the clean stop was cancelled");
        assert_eq!(stop.wait().code(), Some(1), "{words:?}");
    }

    gate.open();
    assert_eq!(result(&master.finished_build("full", 0)), "success");
    master.send_change("r2");
    assert_eq!(result(&master.finished_build("full", 1)), "success");
    assert_eq!(master.process().pid(), pid);
    assert!(master.process().is_running());
}

#[test]
fn clean_restart_waits_for_the_build_and_starts_a_master() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut master = Master::start(&sandbox, &waiting(&gate.command()));
    master.send_change("r1");
    gate.wait_until_reached(1);

    let mut restart = begin(&master, &["restart", "--clean", "--nodaemon"]);
    master.process().wait_for_line(DRAINS);
    gate.open();

    restart.wait_for_line("buildmaster is running");
    assert!(master.process().wait().success());
    assert_eq!(result(&master.build("full", 0).unwrap()), "success");
    master.send_change("r2");
    assert_eq!(result(&master.finished_build("full", 1)), "success");
    verb(&master, &["stop"]).ok();
    assert!(restart.wait().success());
}

#[test]
fn restart_with_a_configuration_that_cannot_start_leaves_the_master_alone() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &waiting("true"));
    let file = master.dir().join("master.toml");
    let good = std::fs::read_to_string(&file).unwrap();

    std::fs::write(&file, good.replace("type = \"local\"", "type = \"lokal\"")).unwrap();
    let wrong = verb(&master, &["restart"]).fails_with(2);
    assert!(wrong.contains("lokal"), "{wrong}");
    assert!(wrong.contains("nothing was stopped"), "{wrong}");
    let secret = "password_file = \"not-there\"";
    std::fs::write(&file, good.replace("password = \"changepw\"", secret)).unwrap();
    let unreadable = verb(&master, &["restart", "--clean"]).fails_with(2);
    assert!(unreadable.contains("not-there"), "{unreadable}");
    assert!(unreadable.contains("nothing was stopped"), "{unreadable}");

    assert!(master.process().is_running());
    master.send_change("r1");
    assert_eq!(result(&master.finished_build("full", 0)), "success");
}

#[test]
fn verbs_take_the_directory_either_way() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &waiting("true"));
    for words in [["reconfig", "--dry-run"], ["stop", "--quiet"]] {
        let mut program = master.program();
        run(program.args(words).arg("--basedir").arg(master.dir())).ok();
    }
    let mut both = master.program();
    let both = run(both.args(["stop", ".", "--basedir"]).arg(master.dir()));
    assert!(both.fails_with(2).contains("cannot be used with"));
}

/// One step on a slave inside the master, which may wait at a gate for as long as a test does.
fn waiting(line: &str) -> Setup {
    let timeout = format!("timeout = {}", PATIENCE.as_secs());
    Setup::new(&[shell("work", line, &timeout)]).local_slave("here")
}

/// Starts a verb that takes its time.
fn begin(master: &Master<'_>, words: &[&str]) -> Process {
    let mut program = master.program();
    Process::start(words[0], program.args(words).arg(master.dir()))
}

fn verb(master: &Master<'_>, words: &[&str]) -> Finished {
    let mut program = master.program();
    run(program.args(words).arg(master.dir()))
}

fn result(build: &Build) -> &str {
    build.result.as_deref().unwrap()
}

/// What the master logs when a clean stop begins.
const DRAINS: &str = "waiting for running builds";

/// The sender of a change hears the truth while the master stops: the change is kept, or it is not.
#[test]
fn every_change_that_is_kept_at_a_stop_was_answered_with_yes() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &waiting("true"));
    let senders: Vec<Process> = (0..12)
        .map(|number| {
            let mut command = sandbox.buildbot();
            let address = format!("127.0.0.1:{}", master.port());
            command.args(["sendchange", "--auth", CHANGE_AUTH, "--who", "alice"]);
            command.args(["--master", &address, "--revision", &number.to_string()]);
            Process::start("sendchange", command.arg("src/main.c"))
        })
        .collect();
    wait_until("the first change", || {
        !master.show::<serde_json::Value>(&["changes"]).is_empty()
    });
    assert!(master.terminate().success());
    let mut accepted = 0;
    for mut sender in senders {
        accepted += usize::from(sender.wait().success());
    }
    let kept = master.show::<serde_json::Value>(&["changes"]).len();
    assert_eq!(accepted, kept);
}
