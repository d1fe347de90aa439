//! What programs do over the API.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::web::{line, whole};
use crate::harness::{Master, Sandbox, Setup, free_port, shell};

/// Posts a JSON object: the status, and the JSON of the answer.
fn post(port: u16, address: &str, header: &str, body: &Value) -> (u16, Value) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {address} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{header}\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = BufReader::new(socket);
    let status = line(&mut answer).unwrap();
    let status = status.split(' ').nth(1).unwrap().parse().unwrap();
    while line(&mut answer).unwrap() != "\r\n" {}
    let mut text = String::new();
    answer.read_to_string(&mut text).unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

#[test]
fn an_act_is_done_once_for_each_key_and_only_with_permission() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let setup = Setup::new(&[shell("make", "true", "")]).local_slave("here");
    let setup = setup
        .tables(&format!(
            "[web]\nport = \"tcp:{web}:interface=127.0.0.1\"\n\
             [[permissions]]\nwho = [\"anyone\"]\nmay = [\"view\", \"force\", \"submit\"]\n"
        ))
        .schedulers(
            "[[schedulers]]\ntype = \"ForceScheduler\"\nname = \"force\"\nbuilders = [\"full\"]\n",
        );
    let mut master = Master::start(&sandbox, &setup);
    master.wait_until_attached("here");
    let force = "/api/v1/builders/full/force";
    let key = "Idempotency-Key: one\r\n";
    let why = json!({ "reason": "to see" });
    let (status, first) = post(web, force, key, &why);
    assert_eq!(status, 202, "{first}");
    let address = first["address"].as_str().unwrap();
    assert_eq!(address, format!("/api/v1/requests/{}", first["request"]));
    assert_eq!(post(web, force, key, &why), (202, first.clone()));
    let (status, problem) = post(web, force, key, &json!({ "reason": "other" }));
    assert_eq!((status, &problem["title"]), (422, &json!("Key used twice")));
    master.finished_build("full", 0);
    let builds: Value = serde_json::from_str(&whole(web, "/api/v1/builds")).unwrap();
    assert_eq!(builds["items"].as_array().unwrap().len(), 1);
    let request: Value = serde_json::from_str(&whole(web, address)).unwrap();
    assert_eq!(request["result"], "success");

    // A change.
    let change = json!({ "who": "ann", "files": ["a.c"], "properties": { "n": 7 } });
    let (status, added) = post(web, "/api/v1/changes", "", &change);
    assert_eq!((status, &added["change"]), (202, &json!(1)), "{added}");
    let change: Value = serde_json::from_str(&whole(web, "/api/v1/changes/1")).unwrap();
    assert_eq!(change["properties"]["n"]["value"], 7);

    // What is not allowed, from elsewhere, or wrong.
    let pause = "/api/v1/slaves/here/pause";
    assert_eq!(post(web, pause, "", &json!({})).0, 401);
    let from_elsewhere = "Origin: https://example.org\r\n";
    assert_eq!(post(web, force, from_elsewhere, &why).0, 403);
    let (status, problem) = post(web, pause, "", &json!({ "reson": "x" }));
    assert_eq!((status, &problem["did_you_mean"]), (400, &json!("reason")));

    // The key is still known after a restart.
    assert!(master.terminate().success());
    master.run();
    master.wait_until_attached("here");
    assert_eq!(post(web, force, key, &why), (202, first));
    assert_eq!(post(web, force, key, &json!({ "reason": "other" })).0, 422);
    let builds: Value = serde_json::from_str(&whole(web, "/api/v1/builds")).unwrap();
    assert_eq!(builds["items"].as_array().unwrap().len(), 1);
}
