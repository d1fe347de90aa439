//! Slaves that come, go, are refused, and die in the middle of a build.

use rustix::process::Signal;

use crate::harness::client::Client;
use crate::harness::process::PATIENCE;
use crate::harness::setup::PASSWORD;
use crate::harness::{Build, Kind, Master, Sandbox, Setup, Slave, shell, wait_until};

#[test]
fn slave_0814_with_a_wrong_password_is_refused_and_with_the_right_one_attaches() {
    refused_then_attached(Kind::Slave0814);
}

#[test]
fn worker_430_with_a_wrong_password_is_refused_and_with_the_right_one_attaches() {
    refused_then_attached(Kind::Worker430);
}

#[test]
fn native_slave_with_a_wrong_password_is_refused_and_with_the_right_one_attaches() {
    refused_then_attached(Kind::Native);
}

#[test]
fn unknown_slave_is_refused_and_stays_alive() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &one_step("true").slave("bot"));

    let mut stranger = Slave::native(&sandbox, "stranger", master.port());

    wait_until("the refusal", || says_refused(&stranger));
    assert!(stranger.process.is_running(), "a refusal is no end");
    assert!(!master.is_attached("stranger"));
}

#[test]
fn second_slave_of_a_name_is_turned_away_while_the_first_is_alive() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let master = Master::start(&sandbox, &one_step(&gate.command()).slave("bot"));
    let _first = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    master.send_change("r1");
    gate.wait_until_reached(1);

    let mut second = Client::connect(master.port()).unwrap();
    second.login_as_slave("bot", PASSWORD).unwrap_err();

    gate.open();
    assert_eq!(result(&master.finished_build("full", 0)), "success");
    assert_eq!(gate.times_reached(), 1, "the build was not disturbed");
}

#[test]
fn second_slave_of_a_name_takes_over_from_one_that_hangs() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let master = Master::start(&sandbox, &one_step(&gate.command()).slave("bot"));
    let first = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    master.send_change("r1");
    gate.wait_until_reached(1);

    // It keeps its connection and says nothing any more.
    first.process.signal(Signal::STOP);
    let _second = Slave::native(&sandbox, "bot", master.port());

    gate.wait_until_reached(2);
    gate.open();
    assert_eq!(result(&master.finished_build("full", 0)), "retry");
    assert_eq!(result(&master.finished_build("full", 1)), "success");
}

#[test]
fn killed_native_slave_gets_its_build_again_when_it_returns() {
    killed_slave_gets_its_build_again(Kind::Native);
}

#[test]
fn killed_slave_0814_gets_its_build_again_when_it_returns() {
    killed_slave_gets_its_build_again(Kind::Slave0814);
}

#[test]
fn killed_worker_430_gets_its_build_again_when_it_returns() {
    killed_slave_gets_its_build_again(Kind::Worker430);
}

#[test]
fn build_of_a_lost_slave_goes_to_another() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = one_step(&gate.command()).slave("bot").slave("spare");
    let master = Master::start(&sandbox, &setup);
    let mut bot = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    master.send_change("r1");
    gate.wait_until_reached(1);
    let _spare = Slave::native(&sandbox, "spare", master.port());
    master.wait_until_attached("spare");

    bot.process.kill();

    gate.wait_until_reached(2);
    gate.open();
    assert_eq!(result(&master.finished_build("full", 0)), "retry");
    let second = master.finished_build("full", 1);
    assert_eq!(result(&second), "success");
    assert_eq!(second.slave.as_deref(), Some("spare"));
}

#[test]
fn slave_0814_comes_back_after_a_restart_of_the_master() {
    comes_back_to_a_restarted_master(Kind::Slave0814);
}

#[test]
fn worker_430_comes_back_after_a_restart_of_the_master() {
    comes_back_to_a_restarted_master(Kind::Worker430);
}

#[test]
fn native_slave_comes_back_after_a_restart_of_the_master() {
    comes_back_to_a_restarted_master(Kind::Native);
}

fn refused_then_attached(kind: Kind) {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &one_step("true").slave("bot"));
    let Some(mut wrong) = Slave::start_with(kind, &sandbox, "bot", master.port(), "guess") else {
        return;
    };
    wait_until("the refusal", || says_refused(&wrong));
    assert!(!master.is_attached("bot"));
    assert!(wrong.process.is_running(), "a refusal is no end");
    wrong.process.kill();

    let _right = Slave::start(kind, &sandbox, "bot", master.port());

    master.wait_until_attached("bot");
    master.send_change("r1");
    assert_eq!(result(&master.finished_build("full", 0)), "success");
}

fn killed_slave_gets_its_build_again(kind: Kind) {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let master = Master::start(&sandbox, &one_step(&gate.command()).slave("bot"));
    let Some(mut slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.send_change("r1");
    gate.wait_until_reached(1);

    slave.process.kill();

    master.wait_until_detached("bot");
    assert_eq!(result(&master.finished_build("full", 0)), "retry");
    gate.open();
    let _returned = Slave::restart(kind, &sandbox, slave.dir.clone());
    let second = master.finished_build("full", 1);
    assert_eq!(result(&second), "success");
    assert_eq!(second.changes(), master.finished_build("full", 0).changes());
}

fn comes_back_to_a_restarted_master(kind: Kind) {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &one_step("true").slave("bot"));
    let Some(mut slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");

    master.kill();
    master.run();

    master.wait_until_attached("bot");
    assert!(slave.process.is_running());
    master.send_change("r1");
    assert_eq!(result(&master.finished_build("full", 0)), "success");
}

fn one_step(line: &str) -> Setup {
    Setup::new(&[shell(
        "work",
        line,
        &format!("timeout = {}", PATIENCE.as_secs()),
    )])
}

fn result(build: &Build) -> &str {
    build.result.as_deref().unwrap()
}

/// Whether the slave says that the master does not want it; each kind has its own words.
fn says_refused(slave: &Slave) -> bool {
    let said = slave.said();
    ["unauthorized login", "the password is wrong"]
        .iter()
        .any(|words| said.contains(words))
}
