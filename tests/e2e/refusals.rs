//! Slaves that are refused, and where people see that: `why`, `show slaves` and the log.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::harness::{Kind, Master, Process, Sandbox, Setup, Slave, peer, run, shell, wait_until};

#[test]
fn a_wrong_password_is_seen_everywhere() {
    let sandbox = Sandbox::new();
    let mut master = waiting_master(&sandbox);

    let _slave = Slave::start_with(Kind::Native, &sandbox, "bot", master.port(), "guess");

    wait_until("the refusal", || why(&master).contains("was rejected"));
    let why = why(&master);
    assert!(
        why.starts_with(
            "slave bot has never been connected; its login as \"bot\" from 127.0.0.1 was rejected"
        ),
        "{why}"
    );
    assert!(why.contains(": wrong password"), "{why}");
    assert_eq!(why.lines().count(), 1, "{why}");
    let refused = &slave(&master, "bot")["refused"][0];
    assert_eq!(refused["address"], "127.0.0.1");
    assert_eq!(refused["why"], "wrong password");
    let page = show_slaves(&master);
    assert!(
        page.contains("rejected connections") && page.contains("wrong password"),
        "{page}"
    );
    let line = "login rejected: slave \"bot\" from 127.0.0.1: wrong password";
    master.process().wait_for_line(line);
}

#[test]
fn a_refusal_is_over_when_the_slave_is_attached() {
    let sandbox = Sandbox::new();
    let master = waiting_master(&sandbox);
    let wrong = Slave::start_with(Kind::Native, &sandbox, "bot", master.port(), "guess");
    wait_until("the refusal", || why(&master).contains("was rejected"));
    drop(wrong);

    let _right = Slave::native(&sandbox, "bot", master.port());

    master.wait_until_attached("bot");
    assert_eq!(slave(&master, "bot")["refused"], Value::Array(Vec::new()));
}

#[test]
fn an_unknown_name_and_a_duplicate_are_seen() {
    let sandbox = Sandbox::new();
    let master = waiting_master(&sandbox);
    let _stranger = Slave::native(&sandbox, "bott", master.port());
    let unknown = "a login as \"bott\" from 127.0.0.1 was rejected";
    wait_until("the unknown slave", || why(&master).contains(unknown));
    let others = slave(&master, "bot")["refused_others"].clone();
    assert_eq!(others[0]["name"], "bott", "{others}");

    let _first = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    let _second = Slave::native(&sandbox, "bot", master.port());

    let duplicate = "a slave of this name is connected and alive";
    wait_until("the duplicate", || {
        slave(&master, "bot")["refused"][0]["why"] == duplicate
    });
    assert!(show_slaves(&master).contains(duplicate));
}

#[test]
fn peers_that_speak_another_protocol_are_seen_with_what_they_speak() {
    let sandbox = Sandbox::new();
    let mut master = waiting_master(&sandbox);
    // "bot:secret"
    let websocket =
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nAuthorization: Basic Ym90OnNlY3JldA==\r\n\r\n";
    let said = [
        (
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            "a connection from 127.0.0.1",
            "it speaks TLS",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
            "a connection from 127.0.0.1",
            "it speaks HTTP",
        ),
        (
            b"EHLO here\r\n",
            "a connection from 127.0.0.1",
            "it began with \"EHLO here\"",
        ),
        (
            websocket.as_bytes(),
            "its login as \"bot\" from 127.0.0.1",
            "it speaks msgpack over a websocket",
        ),
    ];
    for (bytes, whose, what) in said {
        let mut socket = TcpStream::connect(("127.0.0.1", master.port())).unwrap();
        socket.write_all(bytes).unwrap();
        // The master closes it, maybe with a reset.
        drop(socket.read_to_end(&mut Vec::new()));
        wait_until(what, || {
            let why = why(&master);
            why.contains(whose) && why.contains(what) && why.lines().count() == 1
        });
        assert!(show_slaves(&master).contains(what), "{what}");
        assert!(master.process().printed().contains(what), "{what}");
    }
    assert!(
        !master.process().printed().contains("Ym90"),
        "the password is not logged"
    );
}

#[test]
fn a_worker_430_that_speaks_msgpack_is_seen() {
    let sandbox = Sandbox::new();
    let Some(bin) = peer("bb43") else { return };
    let master = waiting_master(&sandbox);
    let dir = sandbox.path("worker");
    let mut create = sandbox.command(bin.join("buildbot-worker"));
    create.args([
        "create-worker",
        "--maxdelay=1",
        "--protocol=msgpack_experimental_v7",
    ]);
    create.arg(&dir).arg(format!("127.0.0.1:{}", master.port()));
    run(create.args(["bot", "sekrit"])).ok();
    let mut start = sandbox.command(bin.join("buildbot-worker"));
    start.args(["start", "--nodaemon"]).arg(&dir);
    let _worker = Process::start("worker", &mut start);

    wait_until("the refusal", || {
        let why = why(&master);
        why.contains("its login as \"bot\"") && why.contains("msgpack")
    });
}

#[test]
fn last_seen_is_when_something_was_heard() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &one_step().slave("bot"));
    let bot = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    let time = |value: &Value| value.as_str().unwrap().to_owned();
    let seen = |master: &Master<'_>| time(&slave(master, "bot")["last_seen"]);
    let since = time(&slave(&master, "bot")["connected_since"]);
    let before = seen(&master);

    master.send_change("r1");
    master.finished_build("full", 0);

    let after = seen(&master);
    assert!(after > before, "{after} {before}");
    assert_eq!(slave(&master, "bot")["connected_since"], *since);
    drop(bot);
    master.wait_until_detached("bot");
    let last = seen(&master);
    assert!(last >= after, "{last} {after}");
    master.kill();
    master.run();
    assert_eq!(seen(&master), last, "a restart changes nothing");
}

/// A master with a request for `full`, which waits for `bot`.
fn waiting_master(sandbox: &Sandbox) -> Master<'_> {
    let master = Master::start(sandbox, &one_step().slave("bot"));
    master.send_change("r1");
    master
}

fn why(master: &Master<'_>) -> String {
    run(master
        .program()
        .args(["why", "1", "--basedir"])
        .arg(master.dir()))
    .ok()
}

fn show_slaves(master: &Master<'_>) -> String {
    run(master
        .program()
        .args(["show", "slaves", "--basedir"])
        .arg(master.dir()))
    .ok()
}

fn slave(master: &Master<'_>, name: &str) -> Value {
    let slaves: Vec<Value> = master.show(&["slaves"]);
    slaves
        .into_iter()
        .find(|slave| slave["name"] == name)
        .unwrap()
}

fn one_step() -> Setup {
    Setup::new(&[shell("true", "true", "")])
}
