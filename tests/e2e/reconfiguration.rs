//! Another configuration comes while the master runs: what has changed changes, and nothing else
//! notices.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use rustix::fs::FlockOperation;
use rustix::process::Signal;

use crate::harness::process::wait_for;
use crate::harness::setup::PASSWORD;
use crate::harness::{
    Build, Finished, Master, Sandbox, Setup, Slave, free_port, run, shell, wait_until,
};

#[test]
fn fifty_running_builds_do_not_notice_that_everything_around_them_changes() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let old = [
        shell("wait", &gate.command(), ""),
        shell("after", "echo old", ""),
    ];
    let new = [shell("other", "echo new", "")];
    let names: Vec<String> = (0..BUILDS).map(|n| format!("b{n}")).collect();
    let setup = |steps: &[String]| {
        let setup = Setup::new(steps).slave("bot").slave("second");
        let add = |setup: Setup, name: &String| setup.builder(name, "");
        names.iter().fold(setup, add)
    };
    let mut master = Master::start(&sandbox, &setup(&old));
    let _slaves = ["bot", "second"].map(|name| Slave::native(&sandbox, name, master.port()));
    master.wait_until_attached("bot");
    master.wait_until_attached("second");
    master.send_change("r1");
    gate.wait_until_reached(BUILDS);

    // The same again: nothing but a word that it was done.
    let again = reconfigure(&master, &[]).ok();
    assert_eq!(again.trim(), "nothing has changed in master.toml");

    // Other steps, a builder less, another one, and a slave more.
    let changed = setup(&new).builder("late", "").local_slave("here");
    let text = changed.toml(master.port()).replace("\"b7\"", "\"seven\"");
    write(&master, &text);
    let plan = reconfigure(&master, &["--dry-run"]).ok();
    for line in [
        "slave here: added",
        "builder b7: removed",
        "builder seven: added",
        "49 builders: changed: slaves, factory (b0, b1, b2, b3, …)",
    ] {
        assert!(plan.contains(line), "{line} is not in {plan}");
    }
    let plan = reconfigure(&master, &["--dry-run", "--verbose"]).ok();
    assert_eq!(
        plan.matches(": changed: slaves, factory").count(),
        49,
        "{plan}"
    );
    let done = reconfigure(&master, &[]).ok();
    assert!(done.contains("the new configuration is in force"), "{done}");
    master.wait_until_attached("here");
    gate.open();

    for name in &names {
        let build = master.finished_build(name, 0);
        assert_eq!(build.result.as_deref(), Some("success"), "{name}");
        assert_eq!(build.ran(), [("wait", "success"), ("after", "success")]);
    }
    assert_eq!(gate.times_reached(), BUILDS, "none was built twice");
    master.send_change("r2");
    for name in ["b0", "seven", "late"] {
        let number = u64::from(name == "b0");
        let build = master.finished_build(name, number);
        assert_eq!(build.ran(), [("other", "success")], "{name}");
    }
    assert!(master.terminate().success());
}

#[test]
fn a_wrong_configuration_changes_nothing_and_says_what_is_wrong() {
    let sandbox = Sandbox::new();
    let setup = one_step("true").slave("bot");
    let mut master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    let good = setup.toml(master.port());

    write(&master, &good.replace("factory =", "factroy ="));
    let refused = reconfigure(&master, &[]);
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("factroy"), "{refused}");
    master.process().signal(Signal::HUP);
    master
        .process()
        .wait_for_line("reconfigure failed, nothing has changed");

    // A port that somebody else has.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    write(&master, &setup.toml(port));
    let refused = reconfigure(&master, &[]);
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(
        refused.stderr.contains(&format!("127.0.0.1:{port}")),
        "{refused}"
    );

    // Nothing of all that has happened.
    write(&master, &good);
    let again = reconfigure(&master, &[]).ok();
    assert_eq!(again.trim(), "nothing has changed in master.toml");
    assert!(master.is_attached("bot"));
    master.send_change("r1");
    assert_eq!(
        master.finished_build("full", 0).result.as_deref(),
        Some("success")
    );
}

#[test]
fn cfl_75_all_files_are_read_again_and_named() {
    let sandbox = Sandbox::new();
    let setup = one_step("true").slave("bot");
    let mut master = Master::start(&sandbox, &setup);
    let farm = "[vars]\ntargets = { lines = \"targets.txt\" }\n\
                [[builders]]\nfor = { target = \"{{ targets }}\" }\n\
                name = \"build {{ target }}\"\nslaves = [\"bot\"]\nfactory = \"steps\"\n";
    fs::write(master.dir().join("farm.toml"), farm).unwrap();
    fs::write(master.dir().join("targets.txt"), "arm\n").unwrap();
    let text = format!("include = [\"farm.toml\"]\n{}", setup.toml(master.port()));
    write(&master, &text);
    let done = reconfigure(&master, &[]).ok();
    assert!(done.contains("builder build arm: added"), "{done}");
    assert!(
        done.contains("is in force: master.toml and 2 more files"),
        "{done}"
    );

    // A line more in the data alone.
    fs::write(master.dir().join("targets.txt"), "arm\nmips\n").unwrap();
    master.process().signal(Signal::HUP);
    master
        .process()
        .wait_for_line("reconfigured from master.toml and 2 more files");
    master
        .process()
        .wait_for_line("reconfigured: builder build mips: added");

    // A mistake in the included file.
    fs::write(
        master.dir().join("farm.toml"),
        farm.replace("factory", "factroy"),
    )
    .unwrap();
    let refused = reconfigure(&master, &[]);
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("farm.toml:7:1"), "{refused}");
    fs::write(master.dir().join("farm.toml"), farm).unwrap();
    let again = reconfigure(&master, &[]).ok();
    assert_eq!(
        again.trim(),
        "nothing has changed in master.toml and 2 more files"
    );
    assert!(master.terminate().success());
}

#[test]
fn cfl_77_a_running_build_renders_the_old_values_to_its_end() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut steps = vec![shell("wait", &gate.command(), "")];
    steps.push(shell("say", "echo %(kw:greeting)s {{ name }}", ""));
    steps.push(shell(
        "more",
        "true",
        "do_step_if = \"kw.greeting == 'hello'\"",
    ));
    let values = |greeting: &str, name: &str| {
        format!("[vars]\nname = \"{name}\"\n[values]\ngreeting = \"'{greeting}'\"\n")
    };
    let setup = |greeting: &str, name: &str| {
        Setup::new(&steps)
            .slave("bot")
            .tables(&values(greeting, name))
    };
    let mut master = Master::start(&sandbox, &setup("hello", "ann"));
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    let ends_with = |master: &Master<'_>, number: u64, said: &[u8], more: &str| {
        let build = master.finished_build("full", number);
        assert_eq!(master.log("full", number, "say"), said);
        let last = build.steps.last().unwrap();
        assert_eq!(last.result.as_deref(), Some(more), "build {number}");
    };

    // Another value by the command, another variable by the signal.
    master.send_change("r0");
    gate.wait_until_reached(1);
    write(&master, &setup("bye", "ann").toml(master.port()));
    let done = reconfigure(&master, &[]).ok();
    let told: Vec<_> = done
        .lines()
        .filter(|line| line.contains("changed"))
        .collect();
    assert_eq!(told, ["value greeting: changed"], "{done}");
    write(&master, &setup("bye", "bob").toml(master.port()));
    master.process().signal(Signal::HUP);
    let told = "reconfigured: builder full: changed: factories.steps.steps[1].command";
    master.process().wait_for_line(told);
    gate.open();
    ends_with(&master, 0, b"hello ann\n", "success");
    master.send_change("r1");
    ends_with(&master, 1, b"bye bob\n", "skipped");
    assert!(master.terminate().success());
}

#[test]
fn lck_04_another_order_of_locks_waits_for_the_builds_that_have_the_old_one() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let locks = "[locks]\na = { type = \"master\" }\nb = { type = \"master\" }\n";
    let setup = |on_builder: &str, on_step: &str| {
        let first = shell("hold", &gate.command(), "");
        let then = shell("work", "true", &format!("locks = [{on_step}]"));
        Setup::new(&[first, then])
            .builder("full", &format!("locks = [{on_builder}]"))
            .local_slave("here")
            .tables(locks)
    };
    let master = Master::start(&sandbox, &setup("\"a\"", "\"b\""));
    let turned = setup("\"b\"", "\"a\"").toml(master.port());
    master.wait_until_attached("here");
    master.send_change("r1");
    gate.wait_until_reached(1);
    // By way of one without them neither.
    for between in [None, Some(setup("", ""))] {
        if let Some(between) = between {
            write(&master, &between.toml(master.port()));
            reconfigure(&master, &[]).ok();
        }
        write(&master, &turned);
        for options in [&["--dry-run"][..], &[]] {
            let refused = reconfigure(&master, options);
            assert_eq!(refused.code, Some(1), "{refused}");
            let why = "builds of `full` hold `a` while their step `work` waits for `b`";
            assert!(refused.stderr.contains(why), "{refused}");
        }
    }
    gate.open();
    assert_eq!(
        master.finished_build("full", 0).result.as_deref(),
        Some("success")
    );
    reconfigure(&master, &[]).ok();
}

#[test]
fn sighup_brings_new_slaves_ports_and_passwords() {
    let sandbox = Sandbox::new();
    let setup = one_step("true").slave("bot");
    let mut master = Master::start(&sandbox, &setup);
    let old = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");

    let second = free_port();
    let setup = one_step("true").slave("new");
    let text = setup.toml(master.port()).replace(
        &format!("slave_port = \"tcp:{}:interface=127.0.0.1\"", master.port()),
        &format!(
            "slave_port = [\"tcp:{}:interface=127.0.0.1\", \"tcp:{second}:interface=127.0.0.1\"]",
            master.port()
        ),
    );
    write(&master, &text);
    master.process().signal(Signal::HUP);
    wait_until("the removed slave is dropped", || {
        !master.is_attached("bot")
    });
    let _new = Slave::native(&sandbox, "new", second);
    master.wait_until_attached("new");
    master.send_change("r1");
    let build = master.finished_build("full", 0);
    assert_eq!(build.slave.as_deref(), Some("new"));
    drop(old);
}

#[test]
fn requests_for_a_builder_that_is_taken_out_end() {
    let sandbox = Sandbox::new();
    let setup = one_step("true")
        .slave("bot")
        .builder("a", "")
        .builder("b", "");
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    write(
        &master,
        &one_step("true")
            .slave("bot")
            .builder("a", "")
            .toml(master.port()),
    );
    reconfigure(&master, &[]).ok();
    let over = wait_for("the request for b is over", || {
        let requests: Vec<serde_json::Value> = master.show(&["requests"]);
        let waiting = |r: &serde_json::Value| r["builder"] == "b" && r["state"] == "pending";
        (!requests.iter().any(waiting)).then_some(requests.len())
    });
    assert_eq!(over, 1, "that for a still waits");
    let _slave = Slave::native(&sandbox, "bot", master.port());
    let build: Build = master.finished_build("a", 0);
    assert_eq!(build.result.as_deref(), Some("success"));
}

/// MAS-03: whatever cannot be had is told, in a dry run too, and nothing has changed; when it is
/// there, it is taken.
#[test]
fn mas_03_what_cannot_be_opened_leaves_the_old_configuration_whole() {
    let sandbox = Sandbox::new();
    let setup = one_step("true").slave("bot");
    let old_jobs = sandbox.private_dir("old-jobs");
    let jobs = sandbox.path("jobs");
    let secret = sandbox.path("secret");
    let schedulers = |jobdir: &Path, more: &str| {
        format!(
            "[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = [\"full\"]\n\
             [[schedulers]]\ntype = \"Try_Jobdir\"\nname = \"try\"\njobdir = {jobdir:?}\nbuilders = [\"full\"]\n{more}"
        )
    };
    let first = setup.clone().schedulers(&schedulers(&old_jobs, ""));
    let master = Master::start(&sandbox, &first);
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");

    let try_port = free_port();
    let userpass = format!(
        "[[schedulers]]\ntype = \"Try_Userpass\"\nname = \"try-pb\"\nport = {try_port}\nbuilders = [\"full\"]\n\
         userpass = [{{ user = \"alice\", password_file = {secret:?} }}]\n"
    );
    let second = setup
        .slave_with("new", &format!("password_file = {secret:?}"))
        .schedulers(&schedulers(&jobs, &userpass));
    write(&master, &second.toml(master.port()));
    let taken = TcpListener::bind(("127.0.0.1", try_port)).unwrap();
    let refused = |why: &str| {
        for options in [&["--dry-run"][..], &[]] {
            let refused = reconfigure(&master, options);
            assert_eq!(refused.code, Some(2), "{refused}");
            assert!(refused.stderr.contains(why), "{why} is not in {refused}");
        }
        assert!(master.is_attached("bot"));
        let job = format!("r{}", fs::read_dir(old_jobs.join("cur")).unwrap().count());
        drop_job(&old_jobs, &job);
        wait_until("a job in the old directory", || {
            old_jobs.join("cur").join(&job).exists()
        });
    };
    refused("cannot read the password file");
    fs::create_dir(&secret).unwrap();
    refused("cannot read the password file");
    fs::remove_dir(&secret).unwrap();
    fs::write(&secret, "hush-hush\n").unwrap();
    refused(&format!("127.0.0.1:{try_port}"));
    drop(taken);
    refused("mkdir");
    fs::write(&jobs, "").unwrap();
    refused("is not a directory");
    fs::remove_file(&jobs).unwrap();
    fs::create_dir_all(jobs.join("new")).unwrap();
    // Somebody else has it: for the superuser no directory is unwritable.
    let watched = fs::File::open(&jobs).unwrap();
    rustix::fs::flock(&watched, FlockOperation::LockExclusive).unwrap();
    refused("is watched by another");
    drop(watched);
    if rustix::process::geteuid().as_raw() != 0 {
        let mode = |mode| fs::set_permissions(jobs.join("new"), fs::Permissions::from_mode(mode));
        mode(0o500).unwrap();
        refused("cannot read and write");
        mode(0o700).unwrap();
    }

    let plan = reconfigure(&master, &["--dry-run"]).ok();
    let done = reconfigure(&master, &[]).ok();
    for line in ["slave new: added", "scheduler try-pb: added"] {
        assert!(plan.contains(line) && done.contains(line), "{plan}{done}");
    }
    drop_job(&jobs, "last");
    wait_until("a job in the new directory", || {
        jobs.join("cur/last").exists()
    });
    TcpStream::connect(("127.0.0.1", try_port)).unwrap();

    // The same directory with other settings, by another scheduler.
    let again = second.toml(master.port());
    let again = again.replace("name = \"try\"", "name = \"other\"\nmax_job_size = \"64k\"");
    write(&master, &again);
    reconfigure(&master, &[]).ok();
    drop_job(&jobs, "after");
    wait_until("a job in the same directory", || {
        jobs.join("cur/after").exists()
    });
}

#[test]
fn another_password_in_the_same_file_is_told_of_and_counts() {
    let sandbox = Sandbox::new();
    let secret = sandbox.file("secret", "wrong\n");
    let setup = one_step("true").slave_with("bot", &format!("password_file = {secret:?}"));
    let master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "bot", master.port());
    fs::write(&secret, format!("{PASSWORD}\n")).unwrap();
    let done = reconfigure(&master, &[]).ok();
    assert!(done.contains("slave bot: changed: password"), "{done}");
    assert!(!done.contains(PASSWORD), "{done}");
    master.wait_until_attached("bot");
    let again = reconfigure(&master, &[]).ok();
    assert_eq!(again.trim(), "nothing has changed in master.toml");
}

/// What the core has taken, everything else has.
#[test]
fn mas_03_ports_follow_the_core_while_the_disk_takes_no_writes() {
    let sandbox = Sandbox::new();
    let setup = one_step("true").slave("bot");
    let master = Master::start(&sandbox, &setup);
    let (one, other) = (master.port(), free_port());
    let port = |port: u16| format!("\"tcp:{port}:interface=127.0.0.1\"");
    let both = format!("[{}, {}]", port(one), port(other));
    let new = setup.slave("new").toml(one).replace(&port(one), &both);
    let disk = Connection::open(master.dir().join("state.sqlite")).unwrap();
    disk.execute_batch("BEGIN IMMEDIATE").unwrap();
    write(&master, &new);
    let done = reconfigure(&master, &[]).ok();
    assert!(done.contains("the new configuration is in force"), "{done}");
    TcpStream::connect(("127.0.0.1", other)).unwrap();
    drop(disk);
    let _slave = Slave::native(&sandbox, "new", other);
    master.wait_until_attached("new");
}

/// SLV-05: a slave that is connected is checked as it is configured now.
#[test]
fn slv_05_a_shorter_keepalive_counts_at_once() {
    let sandbox = Sandbox::new();
    let slave = |more: &str| {
        let lines = format!("password = {PASSWORD:?}\n{more}");
        one_step("true").slave_with("bot", &lines)
    };
    let master = Master::start(&sandbox, &slave(""));
    let bot = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    bot.process.signal(Signal::STOP);
    let text = slave("keepalive_interval = \"1s\"").toml(master.port());
    write(&master, &format!("keepalive_timeout = \"1s\"\n{text}"));
    reconfigure(&master, &[]).ok();
    master.wait_until_detached("bot");
    bot.process.signal(Signal::CONT);
    master.wait_until_attached("bot");
}

/// MAS-06: a builder that takes over the directory of another overwrites nothing of it, also after
/// a restart.
#[test]
fn logs_of_a_builder_stay_when_another_gets_its_directory() {
    let sandbox = Sandbox::new();
    let builder = |name: &str, dir: &str, says: &str| {
        let lines = format!("builddir = {dir:?}");
        one_step(&format!("echo {says}"))
            .local_slave("here")
            .builder(name, &lines)
    };
    let mut master = Master::start(&sandbox, &builder("full", "dir", "first"));
    let build = |master: &Master<'_>, name: &str, number: u64| {
        master.send_change("r");
        master.finished_build(name, number);
    };
    build(&master, "full", 0);
    write(
        &master,
        &builder("complete", "dir", "second").toml(master.port()),
    );
    reconfigure(&master, &[]).ok();
    build(&master, "complete", 1);
    assert!(master.terminate().success());
    write(
        &master,
        &builder("whole", "dir", "third").toml(master.port()),
    );
    master.run();
    build(&master, "whole", 2);
    for (name, number, says) in [
        ("full", 0, "first"),
        ("complete", 1, "second"),
        ("whole", 2, "third"),
    ] {
        let log = master.log(name, number, "only");
        assert_eq!(String::from_utf8_lossy(&log), format!("{says}\n"));
    }
}

const BUILDS: usize = 50;

fn one_step(line: &str) -> Setup {
    Setup::new(&[shell("only", line, "")])
}

fn write(master: &Master<'_>, text: &str) {
    fs::write(master.dir().join("master.toml"), text).unwrap();
}

fn reconfigure(master: &Master<'_>, options: &[&str]) -> Finished {
    run(master
        .program()
        .arg("reconfig")
        .args(options)
        .arg(master.dir()))
}

/// A job as a client leaves it; what is in it does not matter here.
fn drop_job(jobdir: &Path, name: &str) {
    let draft = jobdir.join("tmp").join(name);
    fs::write(&draft, "no job at all").unwrap();
    fs::rename(draft, jobdir.join("new").join(name)).unwrap();
}
