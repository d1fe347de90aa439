//! Slaves that come, go, are refused, and die in the middle of a build.

use rustix::process::Signal;

use crate::harness::client::Client;
use crate::harness::process::PATIENCE;
use crate::harness::sandbox::Gate;
use crate::harness::setup::PASSWORD;
use crate::harness::{Build, Kind, Master, Sandbox, Setup, Slave, run, shell, wait_until};

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
    assert!(
        stranger.process.is_running(),
        "a rejected slave keeps running"
    );
    assert!(!master.is_attached("stranger"));
}

#[test]
fn second_native_slave_of_a_name_is_turned_away_while_the_first_is_alive() {
    second_is_turned_away(Kind::Native);
}

#[test]
fn second_slave_0814_of_a_name_is_turned_away_while_the_first_is_alive() {
    second_is_turned_away(Kind::Slave0814);
}

#[test]
fn second_worker_430_of_a_name_is_turned_away_while_the_first_is_alive() {
    second_is_turned_away(Kind::Worker430);
}

#[test]
fn second_native_slave_of_a_name_takes_over_from_one_that_hangs() {
    second_takes_over(Kind::Native);
}

#[test]
fn second_slave_0814_of_a_name_takes_over_from_one_that_hangs() {
    second_takes_over(Kind::Slave0814);
}

#[test]
fn second_worker_430_of_a_name_takes_over_from_one_that_hangs() {
    second_takes_over(Kind::Worker430);
}

#[test]
fn slv_05_native_slave_that_hangs_is_dropped_and_its_build_goes_to_another() {
    hung_slave_is_dropped(Kind::Native);
}

#[test]
fn slv_05_slave_0814_that_hangs_is_dropped_and_its_build_goes_to_another() {
    hung_slave_is_dropped(Kind::Slave0814);
}

#[test]
fn slv_05_worker_430_that_hangs_is_dropped_and_its_build_goes_to_another() {
    hung_slave_is_dropped(Kind::Worker430);
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
fn build_of_a_killed_native_slave_goes_to_another() {
    build_of_a_killed_slave_goes_to_another(Kind::Native);
}

#[test]
fn build_of_a_killed_slave_0814_goes_to_another() {
    build_of_a_killed_slave_goes_to_another(Kind::Slave0814);
}

#[test]
fn build_of_a_killed_worker_430_goes_to_another() {
    build_of_a_killed_slave_goes_to_another(Kind::Worker430);
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

#[test]
fn row_5_a_builder_whose_directory_a_native_slave_cannot_make_disturbs_nobody() {
    builder_without_directory_disturbs_nobody(Kind::Native);
}

#[test]
fn row_5_a_builder_whose_directory_slave_0814_cannot_make_disturbs_nobody() {
    builder_without_directory_disturbs_nobody(Kind::Slave0814);
}

#[test]
fn row_5_a_builder_whose_directory_worker_430_cannot_make_disturbs_nobody() {
    builder_without_directory_disturbs_nobody(Kind::Worker430);
}

#[test]
fn bld_12_a_slave_that_takes_no_builder_is_sent_away_and_why_tells_of_it() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &one_step("true").slave("bot"));
    master.send_change("r1");
    let refusal = "it could not be attached, and is to try again later";
    wait_until("the reason why it is held back", || {
        // It answers everything, but with nothing.
        let mut useless = Client::connect(master.port()).unwrap();
        useless.login_as_slave("bot", PASSWORD).unwrap_err();
        let mut why = master.program();
        why.args(["why", "1", "--basedir"]).arg(master.dir());
        let why = run(&mut why).ok();
        let is_held = why.contains("slave bot is held back until")
            && why.contains("no builder could be attached");
        is_held && master.process().printed().contains(refusal)
    });
}

#[test]
fn slv_07_one_mail_is_sent_when_a_slave_stays_away_also_through_a_restart() {
    let sandbox = Sandbox::new();
    let mut master = Master::prepare(&sandbox, &one_step("true").slave("bot"));
    let mails = sandbox.private_dir("mails");
    let line = format!(
        "cat > {0}/$$.part && mv {0}/$$.part {0}/$$",
        mails.display()
    );
    let top =
        format!("mail_command = [\"sh\", \"-c\", {line:?}]\nmail_from = \"ci@example.org\"\n");
    let wanted =
        "[[slaves]]\nnotify_on_missing = [\"admin@example.org\"]\nmissing_timeout = \"1s\"\n";
    let path = master.dir().join("master.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[[slaves]]\n", wanted);
    std::fs::write(&path, format!("{top}{text}")).unwrap();
    let arrived = || {
        let files = std::fs::read_dir(&mails)
            .unwrap()
            .map(|file| file.unwrap().path());
        files
            .filter(|file| file.extension().is_none())
            .collect::<Vec<_>>()
    };

    master.run();
    wait_until("the mail", || arrived().len() == 1);
    let mail = std::fs::read_to_string(&arrived()[0]).unwrap();
    let (headers, _) = mail.split_once("\n\n").unwrap();
    for header in [
        "From: ci@example.org",
        "To: admin@example.org",
        "Subject: End to end: build slave bot is missing",
    ] {
        assert!(
            headers.lines().any(|line| line == header),
            "{header}: {mail}"
        );
    }
    assert!(
        mail.contains("The build slave bot of End to end has been away since 2"),
        "{mail}"
    );

    // Killed before that is on record, the master would send it once more.
    wait_until("the mail is on record", || {
        let mut list = master.program();
        list.args(["outbox", "--all", "--basedir"])
            .arg(master.dir());
        run(&mut list).ok().contains("  delivered  ")
    });
    master.kill();
    master.run();
    let slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    drop(slave);
    wait_until("another mail", || arrived().len() == 2);
}

fn refused_then_attached(kind: Kind) {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &one_step("true").slave("bot"));
    let Some(mut wrong) = Slave::start_with(kind, &sandbox, "bot", master.port(), "guess") else {
        return;
    };
    wait_until("the refusal", || says_refused(&wrong));
    // SLV-06
    let line = master.process().wait_for_line("login rejected");
    assert!(
        line.contains("\"bot\"") && line.contains("127.0.0.1:"),
        "{line}"
    );
    assert!(!master.is_attached("bot"));
    assert!(wrong.process.is_running(), "a rejected slave keeps running");
    wrong.process.kill();

    let _right = Slave::start(kind, &sandbox, "bot", master.port());

    master.wait_until_attached("bot");
    master.send_change("r1");
    assert_eq!(result(&master.finished_build("full", 0)), "success");
}

fn builder_without_directory_disturbs_nobody(kind: Kind) {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = one_step(&gate.command()).slave("bot").builder("full", "");
    let mut master = Master::start(&sandbox, &setup);
    let Some(mut slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");
    master.send_change("r1");
    gate.wait_until_reached(1);

    // Where the directory would be is a file.
    let obstacle = slave.dir.join("blocked");
    std::fs::write(&obstacle, "").unwrap();
    let setup = setup.builder("bad", "slavebuilddir = \"blocked\"");
    std::fs::write(master.dir().join("master.toml"), setup.toml(master.port())).unwrap();
    run(master.program().arg("reconfig").arg(master.dir())).ok();
    master.process().wait_for_line("builder failed to attach");
    gate.open();
    assert_eq!(result(&master.finished_build("full", 0)), "success");
    master.send_change("r2");
    assert_eq!(result(&master.finished_build("full", 1)), "success");

    // The same when the slave comes with it.
    slave.process.kill();
    master.wait_until_detached("bot");
    let slave = Slave::restart(kind, &sandbox, slave.dir.clone());
    master.send_change("r3");
    assert_eq!(result(&master.finished_build("full", 2)), "success");
    assert!(master.build("bad", 0).is_none());
    // A slave of Buildbot takes a builder that has failed only when it is started again.
    if kind == Kind::Native {
        std::fs::remove_file(&obstacle).unwrap();
        assert_eq!(result(&master.finished_build("bad", 0)), "success");
    }
    drop(slave);
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

fn second_is_turned_away(kind: Kind) {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let master = Master::start(&sandbox, &one_step(&gate.command()).slave("bot"));
    let Some(_first) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");
    master.send_change("r1");
    gate.wait_until_reached(1);

    let mut second = Client::connect(master.port()).unwrap();
    second.login_as_slave("bot", PASSWORD).unwrap_err();

    gate.open();
    assert_eq!(result(&master.finished_build("full", 0)), "success");
    assert_eq!(gate.times_reached(), 1, "the build was not disturbed");
}

fn second_takes_over(kind: Kind) {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let master = Master::start(&sandbox, &one_step(&gate.command()).slave("bot"));
    let Some(first) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");
    master.send_change("r1");
    gate.wait_until_reached(1);

    // It keeps its connection and says nothing any more.
    first.process.signal(Signal::STOP);
    let _second = Slave::start(kind, &sandbox, "bot", master.port());

    gate.wait_until_reached(2);
    gate.open();
    assert_eq!(result(&master.finished_build("full", 0)), "retry");
    assert_eq!(result(&master.finished_build("full", 1)), "success");
}

/// Nothing else tells that it is gone: its connection stays.
fn hung_slave_is_dropped(kind: Kind) {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = one_step(&gate.command()).slave("bot").slave("spare");
    let mut master = Master::prepare(&sandbox, &setup);
    let path = master.dir().join("master.toml");
    let often = "[[slaves]]\nkeepalive_interval = \"1s\"\n";
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[[slaves]]\n", often);
    std::fs::write(&path, format!("keepalive_timeout = \"2s\"\n{text}")).unwrap();
    master.run();
    let Some(bot) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");
    master.send_change("r1");
    gate.wait_until_reached(1);
    let _spare = Slave::native(&sandbox, "spare", master.port());
    master.wait_until_attached("spare");

    bot.process.signal(Signal::STOP);

    goes_to_the_spare(&master, &gate);
    assert!(!master.is_attached("bot"));
}

fn build_of_a_killed_slave_goes_to_another(kind: Kind) {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = one_step(&gate.command()).slave("bot").slave("spare");
    let master = Master::start(&sandbox, &setup);
    let Some(mut bot) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");
    master.send_change("r1");
    gate.wait_until_reached(1);
    let _spare = Slave::native(&sandbox, "spare", master.port());
    master.wait_until_attached("spare");

    bot.process.kill();

    goes_to_the_spare(&master, &gate);
}

/// The build that waits at the gate is built again, once.
fn goes_to_the_spare(master: &Master<'_>, gate: &Gate) {
    gate.wait_until_reached(2);
    gate.open();
    assert_eq!(result(&master.finished_build("full", 0)), "retry");
    let second = master.finished_build("full", 1);
    assert_eq!(result(&second), "success");
    assert_eq!(second.slave.as_deref(), Some("spare"));
    assert!(master.build("full", 2).is_none());
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
