//! What happens, as a stream that resumes after a master was killed.

use std::io::BufReader;
use std::net::TcpStream;

use crate::harness::process::wait_for;
use crate::harness::web::{get, line, try_get};
use crate::harness::{Master, Sandbox, Setup, Slave, free_port, shell};

const EVENTS: &str = "/api/v1/events?since=0";

/// The next event: its number, its name, and its data.
fn event(body: &mut BufReader<TcpStream>) -> Option<(u64, String, String)> {
    let mut event = (0, String::new(), String::new());
    loop {
        let line = line(body)?;
        match line.trim_end().split_once(": ") {
            Some(("id", number)) => event.0 = number.parse().unwrap(),
            Some(("event", name)) => name.clone_into(&mut event.1),
            Some(("data", data)) => data.clone_into(&mut event.2),
            _ if line == "\n" && event.0 > 0 => return Some(event),
            _ => {}
        }
    }
}

#[test]
fn sta_01_a_stream_resumes_after_a_kill_with_each_event_once() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let go = sandbox.path("go");
    let script = format!("until test -e {}; do sleep 0.1; done", go.display());
    let setup = Setup::new(&[shell("wait", &script, "")]).slave("far");
    let setup = setup.tables(&format!(
        "[web]\nport = \"tcp:{web}:interface=127.0.0.1\"\n"
    ));
    let mut master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "far", master.port());
    master.wait_until_attached("far");
    let mut stream = get(web, EVENTS, "");
    assert_eq!(stream.status, 200);
    master.send_change("r1");
    let mut heard = Vec::new();
    let mut numbers = Vec::new();
    while heard.last().is_none_or(|name| name != "step_started") {
        let (number, name, _) = event(&mut stream.body).unwrap();
        numbers.push(number);
        heard.push(name);
    }
    assert!(heard.contains(&"change_added".to_owned()), "{heard:?}");

    master.kill();
    // What was under way may still arrive.
    while let Some((number, name, _)) = event(&mut stream.body) {
        numbers.push(number);
        heard.push(name);
    }
    std::fs::write(&go, "").unwrap();
    master.run();
    let last = format!("Last-Event-ID: {}\r\n", numbers.last().unwrap());
    let mut stream = wait_for("the pages", || try_get(web, EVENTS, &last));
    // The build is cut short, and its request is built again.
    while heard.last().is_none_or(|name| name != "set_finished") {
        let (number, name, data) = event(&mut stream.body).unwrap();
        assert!(
            data.starts_with(&format!("{{\"number\":{number},")),
            "{data}"
        );
        numbers.push(number);
        heard.push(name);
    }
    assert_eq!(
        heard
            .iter()
            .filter(|name| *name == "master_started")
            .count(),
        2
    );
    assert_eq!(
        heard.iter().filter(|name| *name == "build_started").count(),
        2
    );
    let count = u64::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());

    // A reader who comes later hears the same.
    let mut other = get(web, EVENTS, "");
    let again: Vec<_> = (0..count)
        .map(|_| event(&mut other.body).unwrap().1)
        .collect();
    assert_eq!(again, heard);
}
