//! The `/json` tree of our master beside the one of a real master 0.8.14 that has run the same
//! build.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::harness::process::wait_for;
use crate::harness::real_master::{RealMaster, RealStep, Version};
use crate::harness::{Master, Sandbox, Setup, Slave, free_port, run, shell};

/// The JSON at an address; absent if the answer has another status than 200.
fn get(port: u16, address: &str) -> Option<Value> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {address} HTTP/1.0\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let is_there = head.split(' ').nth(1) == Some("200");
    is_there.then(|| serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}")))
}

/// The paths of all values: fields by their names, items of lists as `[]`.
fn shape(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    into.insert(path.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                shape(value, &format!("{path}.{name}"), into);
            }
        }
        Value::Array(items) => {
            for item in items {
                shape(item, &format!("{path}[]"), into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A build without what differs between any two builds: times, directories and addresses of logs.
fn comparable(mut build: Value) -> Value {
    let strip_logs = |logs: &mut Value| {
        for log in logs.as_array_mut().unwrap() {
            let url = log[1].as_str().unwrap();
            let (_, path) = url.split_once("/builders/").unwrap();
            log[1] = path.into();
        }
    };
    build["times"] = Value::Null;
    // The words of a reason are our own.
    build["reason"] = Value::Null;
    strip_logs(&mut build["logs"]);
    let own = ["builddir", "slavebuilddir", "workdir", "buildbotURL"];
    build["properties"]
        .as_array_mut()
        .unwrap()
        .retain(|property| !own.contains(&property[0].as_str().unwrap()));
    for step in build["steps"].as_array_mut().unwrap() {
        step["times"] = Value::Null;
        // A master 0.8 has these of a finished step as long as it is not restarted.
        step["expectations"] = Value::Null;
        strip_logs(&mut step["logs"]);
    }
    for stamp in build["sourceStamps"].as_array_mut().unwrap() {
        for change in stamp["changes"].as_array_mut().unwrap() {
            change["when"] = Value::Null;
            change["at"] = Value::Null;
        }
    }
    build
}

/// The steps of the build.
const STEPS: [RealStep<'_>; 3] = [
    RealStep {
        name: "talk",
        line: "echo hello",
        settings: "",
    },
    RealStep {
        name: "fail",
        line: "exit 3",
        settings: "haltOnFailure=True",
    },
    RealStep {
        name: "never",
        line: "exit 0",
        settings: "",
    },
];

#[test]
fn web_json_of_a_build_is_the_one_of_a_master_0814() {
    let sandbox = Sandbox::new();
    let (theirs, ours) = (free_port(), free_port());
    let python = format!(
        "from buildbot.status.html import WebStatus\n\
         c['status'] = [WebStatus(http_port='tcp:{theirs}:interface=127.0.0.1')]\n"
    );
    let Some(real) = RealMaster::start_with(Version::V0814, &sandbox, &STEPS, &python) else {
        return;
    };
    let _their_slave = Slave::native(&sandbox, "bot", real.port());
    real.wait_until_attached();
    let setup = Setup::new(&[
        shell("talk", "echo hello", ""),
        shell("fail", "exit 3", "halt_on_failure = true"),
        shell("never", "exit 0", ""),
    ]);
    let setup = setup.slave("bot").tables(&format!(
        "[web]\nport = \"tcp:{ours}:interface=127.0.0.1\"\n"
    ));
    let master = Master::start(&sandbox, &setup);
    let _our_slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    for port in [real.port(), master.port()] {
        run(sandbox
            .buildbot()
            .args(["sendchange", "--auth", "change:changepw", "--who", "alice"])
            .args(["--master", &format!("127.0.0.1:{port}")])
            .args(["--revision", "r1", "--property", "a:b", "src/main.c"]))
        .ok();
    }

    let address = "/json/builders/full/builds/0";
    let finished = |port| {
        wait_for("the end of a build", || {
            get(port, address).filter(|build| !build["times"][1].is_null())
        })
    };
    let (their_build, our_build) = (finished(theirs), finished(ours));
    assert_eq!(
        serde_json::to_string_pretty(&comparable(our_build)).unwrap(),
        serde_json::to_string_pretty(&comparable(their_build)).unwrap()
    );
    // The other nodes have the same fields.
    for address in [
        "/json/builders/full",
        "/json/builders/full/builds",
        "/json/builders/full/builds/_all?max=1",
        "/json/builders/full/builds/-1/steps",
        "/json/builders/full/builds/-1/steps/1",
        "/json/builders/full/builds/-1/source_stamp",
        "/json/builders/full/builds/-1/source_stamp/changes",
        "/json/builders/full/builds?select=-1/steps/0",
        "/json/builders/full/pendingBuilds",
        "/json/builders/full/slaves",
        "/json/project",
        "/json/change_sources",
    ] {
        let shape_of = |port| {
            let value = get(port, address).unwrap_or_else(|| panic!("{address}"));
            let mut all = BTreeSet::new();
            shape(&value, "", &mut all);
            all.retain(|path| !path.contains(".info") && !path.contains(".expectations"));
            all
        };
        assert_eq!(shape_of(ours), shape_of(theirs), "{address}");
    }
}
