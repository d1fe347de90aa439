//! People who are not meant to be here, or do nothing here, and what slaves and operators notice of
//! them: nothing.

use std::thread;

use buildmaster::model::TryJob;
use buildmaster::pb::{Luid, Value};
use buildmaster::protocol::TextStyle;
use buildmaster::protocol::try_call::encode_try;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::client::{Client, Refused};
use crate::harness::{Master, Sandbox, Setup, Slave, shell, wait_until};

#[test]
fn guessing_keeps_no_slave_out_right_after_a_restart() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &one_step().slave("bot"));
    let port = master.port();
    let _slave = Slave::native(&sandbox, "bot", port);
    master.wait_until_attached("bot");
    master.kill();

    master.run();
    // They end with the master.
    for _ in 0..40 {
        thread::spawn(move || while guess(port).is_some() {});
    }
    wait_until("failed guesses", || {
        let slaves: Vec<serde_json::Value> = master.show(&["slaves"]);
        slaves[0]["refused"][0]["times"].as_u64() > Some(5)
    });

    master.wait_until_attached("bot");
}

#[test]
fn idle_logins_keep_neither_slaves_nor_commands_out() {
    let sandbox = Sandbox::new();
    let mut master = Master::prepare(&sandbox, &one_step().slave("bot"));
    let port = master.port();
    add_try_users(&master);
    master.run_with_open_files(1024);
    allow_open_files(4096);

    let users = [("change", "changepw"), ("alice", "pw")];
    let idle: Vec<Client> = (0..1_003).map(|n| log_in(port, users[n % 2]).0).collect();

    let _slave = Slave::native(&sandbox, "bot", port);
    master.wait_until_attached("bot");
    // Only the master itself knows of locks.
    assert_eq!(
        master.show::<serde_json::Value>(&["locks"]),
        [] as [serde_json::Value; 0]
    );
    // Those who work get in as well.
    master.send_change("r1");
    master.finished_build("full", 0);
    drop(idle);
}

#[test]
fn a_client_that_waits_for_its_builds_is_not_idle() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = Setup::new(&[shell("wait", &gate.command(), "")])
        .settings("client_idle_timeout = \"1s\"\n")
        .local_slave("here");
    let mut master = Master::prepare(&sandbox, &setup);
    let port = master.port();
    add_try_users(&master);
    master.run();
    let (mut waiting, avatar) = log_in(port, ("alice", "pw"));
    let job = TryJob {
        builders: vec!["full".into()],
        ..TryJob::default()
    };
    let job = encode_try(&job, TextStyle::Unicode);
    let set = waiting
        .ask(avatar, "try", &job)
        .unwrap()
        .as_theirs()
        .unwrap();

    for user in [("change", "changepw"), ("alice", "pw")] {
        let (mut idle, _) = log_in(port, user);
        assert!(idle.next_answer().is_err(), "the master closes it");
    }

    gate.open();
    waiting.ask(set, "waitUntilFinished", &[]).unwrap();
}

/// A connection of a user who has logged in.
fn log_in(port: u16, (user, password): (&str, &str)) -> (Client, Luid) {
    let mut client = Client::connect(port).unwrap();
    let avatar = client.login(user, password, Value::None).unwrap();
    (client, avatar)
}

/// Adds the try user `alice` on the slave port.
fn add_try_users(master: &Master<'_>) {
    let (port, path) = (master.port(), master.dir().join("master.toml"));
    let toml = std::fs::read_to_string(&path).unwrap();
    let scheduler = format!(
        "[[schedulers]]\ntype = \"Try_Userpass\"\nname = \"try\"\nbuilders = [\"full\"]\n\
         port = \"127.0.0.1:{port}\"\nuserpass = [[\"alice\", \"pw\"]]\n"
    );
    std::fs::write(&path, toml + &scheduler).unwrap();
}

/// Lets this process have `most` open files, if it may.
fn allow_open_files(most: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < most) {
        let current = Some(limit.maximum.map_or(most, |maximum| maximum.min(most)));
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    }
}

/// One guess at the password of `bot`; nothing if the master is gone.
fn guess(port: u16) -> Option<()> {
    let mut client = Client::connect(port).ok()?;
    match client.login_as_slave("bot", "guess") {
        Ok(_) => panic!("the password is another"),
        Err(Refused::Failure(_) | Refused::Lost(_)) => Some(()),
    }
}

fn one_step() -> Setup {
    Setup::new(&[shell("true", "true", "")])
}
