//! Logs on the web while they grow, followed over connections that are cut.

use std::io::{BufReader, Read};
use std::net::TcpStream;
use std::thread;

use crate::harness::process::wait_for;
use crate::harness::web::{Response, get, line, whole};
use crate::harness::{Master, Sandbox, Setup, Slave, free_port, shell};

const LOG: &str = "/builders/full/builds/0/steps/talk/logs/stdio";

/// Reads the next event: its number and the numbers of the lines in it, in order.
fn event(body: &mut BufReader<TcpStream>) -> Option<(String, Vec<u64>)> {
    let (mut id, mut lines) = (String::new(), Vec::new());
    loop {
        let line = line(body)?;
        if let Some(number) = line.strip_prefix("id: ") {
            number.trim().clone_into(&mut id);
        }
        for row in line.split(" id=\"L").skip(1) {
            lines.push(row.split('"').next().unwrap().parse().unwrap());
        }
        if line == "\n" {
            return Some((id, lines));
        }
    }
}

#[test]
fn a_growing_log_is_followed_over_cut_connections_without_loss() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let go = sandbox.path("go");
    let count = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done";
    let script = format!(
        "{count}; until test -e {}; do sleep 0.1; done; {count}; printf end",
        go.display()
    );
    let setup = Setup::new(&[shell("talk", &script, "")]).slave("far");
    let setup = setup.tables(&format!(
        "[web]\nport = \"tcp:{web}:interface=127.0.0.1\"\n"
    ));
    let master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "far", master.port());
    master.wait_until_attached("far");
    master.send_change("r1");
    let ready = |response: Response| (response.status == 200).then_some(response);
    let text = format!("{LOG}/text");
    let mut first = wait_for("the log", || ready(get(web, &text, "")));
    let mut second = get(web, &format!("{LOG}/follow?line=0"), "");
    assert_eq!(second.status, 200);
    // A third one has no script, and gets one long page.
    let without_script = thread::spawn(move || whole(web, &format!("{LOG}?follow=1")));

    // Both get a part of it, and are cut off.
    let mut all = String::new();
    while all.len() < 10_000 {
        all += &line(&mut first.body).unwrap();
    }
    let (mut last, mut lines) = (String::new(), Vec::new());
    while lines.len() < 700 {
        let (id, more) = event(&mut second.body).unwrap();
        last = id;
        lines.extend(more);
    }
    drop((first, second));

    // Both come back and get the rest, which is written meanwhile.
    std::fs::write(&go, "").unwrap();
    let reader = thread::spawn(move || {
        loop {
            let range = format!("Range: bytes={}-\r\n", all.len());
            let mut part = get(web, &text, &range);
            if part.status == 416 {
                return all;
            }
            assert_eq!(part.status, 206);
            part.body.read_to_string(&mut all).unwrap();
        }
    });
    let header = format!("Last-Event-ID: {last}\r\n");
    let mut second = get(web, &format!("{LOG}/follow?line=0"), &header);
    while let Some((_, more)) = event(&mut second.body) {
        lines.extend(more);
    }
    let all = reader.join().unwrap();
    master.finished_build("full", 0);
    let output = whole(web, &format!("{LOG}/text?headers=0"));
    assert_eq!(output.into_bytes(), master.log("full", 0, "talk"));
    let expected = whole(web, &format!("{LOG}/text"));
    assert_eq!(all, expected);
    // A line without its end may come once more, when it is complete.
    lines.dedup();
    let count = u64::try_from(expected.lines().count()).unwrap();
    assert!(count > 4_000);
    assert_eq!(lines, (1..=count).collect::<Vec<_>>());
    let page = without_script.join().unwrap();
    let rows = page.split(" id=\"L").skip(1);
    let rows = rows.map(|row| row.split('"').next().unwrap().parse().unwrap());
    let rows: Vec<u64> = rows.collect();
    let first = *rows.first().unwrap();
    assert_eq!(rows, (first..=count).collect::<Vec<_>>());
    assert!(page.ends_with("</html>"), "the page has no end");
}
