//! A build triggers others and waits for them.

use std::fs;

use serde_json::Value;

use crate::harness::master::ShownRequest;
use crate::harness::process::PATIENCE;
use crate::harness::slave::Kind;
use crate::harness::{Master, Sandbox, Setup, Slave, run, shell, wait_until};

#[test]
fn a_parent_waits_for_its_children_on_both_generations_of_slaves() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = setup(&gate.command()).slave("ours").slave("old");
    let mut master = prepare(&sandbox, &setup);
    master.run();
    let _native = Slave::native(&sandbox, "ours", master.port());
    let old = Slave::start(Kind::Slave0814, &sandbox, "old", master.port());
    master.wait_until_attached("ours");
    if old.is_some() {
        master.wait_until_attached("old");
    }
    master.send_change("r1");
    gate.wait_until_reached(2);

    let mut why = master.program();
    let told = run(why.args(["why", "2", "--basedir"]).arg(master.dir())).ok();
    assert!(
        told.contains("build parent/0 triggered request 2"),
        "{told}"
    );
    // What has triggered them may change meanwhile.
    let file = master.dir().join("master.toml");
    let text = fs::read_to_string(&file).unwrap();
    let changed = text
        .replace("hour = 3", "hour = 4")
        .replace("unit = 1", "unit = 2");
    assert_ne!(changed, text);
    fs::write(&file, changed).unwrap();
    run(master.program().arg("reconfig").arg(master.dir())).ok();
    assert!(!master.build("parent", 0).unwrap().is_finished());

    let shown = look(&master, &["set", "2"]);
    assert_eq!(shown["parent"], "parent/0");
    assert_eq!(shown["revision"], "r1");
    let given = &shown["properties"]["flavour"];
    assert_eq!(
        (&given["value"], &given["source"]),
        (&"debug".into(), &"Trigger".into())
    );
    gate.open();

    let parent = master.finished_build("parent", 0);
    assert_eq!(parent.result.as_deref(), Some("success"));
    let shown = look(&master, &["build", "parent", "0"]);
    let step = &shown["steps"][0];
    assert_eq!(step["text"], serde_json::json!(["triggered", "unit"]));
    let mut links: Vec<_> = step["links"].as_array().unwrap().iter().collect();
    links.sort_by_key(|link| link["name"].as_str());
    let names: Vec<_> = links.iter().map(|link| &link["name"]).collect();
    assert_eq!(names, ["one #0", "two #0"]);
    assert_eq!(links[1]["url"], "http://localhost/builders/two/builds/0");
    for builder in ["one", "two"] {
        let child = master.finished_build(builder, 0);
        assert_eq!(child.result.as_deref(), Some("success"), "{builder}");
    }
}

#[test]
fn a_stop_of_the_parent_stops_its_children() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    // One child runs, and the other waits for its slave.
    let setup = setup(&gate.command()).slave_with("here", "type = \"local\"\nmax_builds = 2");
    let mut master = prepare(&sandbox, &setup);
    master.run();
    master.send_change("r1");
    gate.wait_until_reached(1);

    verb(&master, &["stop-build", "parent", "0"]);

    let parent = master.finished_build("parent", 0);
    assert_eq!(parent.result.as_deref(), Some("exception"));
    wait_until("an empty queue", || is_idle(&master));
    let results: Vec<_> = ["one", "two"]
        .iter()
        .filter_map(|builder| master.build(builder, 0))
        .map(|build| build.result.unwrap())
        .collect();
    assert_eq!(results, ["exception"]);
    let set = look(&master, &["set", "2"]);
    assert_eq!(set["result"], "failure");
}

#[test]
fn a_killed_master_triggers_anew_and_leaves_no_old_child() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let setup = setup(&gate.command()).local_slave("here");
    let mut master = prepare(&sandbox, &setup);
    master.run();
    master.send_change("r1");
    gate.wait_until_reached(2);

    master.kill();
    gate.open();
    master.run();

    let again = master.finished_build("parent", 1);
    assert_eq!(again.result.as_deref(), Some("success"));
    assert_eq!(
        master.finished_build("parent", 0).result.as_deref(),
        Some("retry")
    );
    wait_until("an empty queue", || is_idle(&master));
    let result = |set: &str| look(&master, &["set", set])["result"].clone();
    assert_eq!(result("2"), "failure", "it was cancelled");
    assert_eq!(result("3"), "success");
}

/// A builder `parent` that triggers `one` and `two`, which run `line`.
fn setup(line: &str) -> Setup {
    let timeout = format!("timeout = {}", PATIENCE.as_secs());
    Setup::new(&[shell("work", line, &timeout)])
        .tables(
            "[factories.parent]\nsteps = [{ type = \"Trigger\", schedulers = [\"unit\"], \
             wait_for_finish = true, set_properties = { flavour = \"debug\" } }]\n",
        )
        .schedulers(
            "[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = [\"parent\"]\n\
             [[schedulers]]\ntype = \"Triggerable\"\nname = \"unit\"\nbuilders = [\"one\", \"two\"]\n\
             properties = { unit = 1 }\n\
             [[schedulers]]\ntype = \"NightlyTriggerable\"\nname = \"later\"\nbuilders = [\"one\"]\n\
             hour = 3\ntime_zone = \"UTC\"\n",
        )
        .builder("parent", "")
        .builder("one", "")
        .builder("two", "")
}

/// A master whose builder `parent` has its own steps.
fn prepare<'a>(sandbox: &'a Sandbox, setup: &Setup) -> Master<'a> {
    let master = Master::prepare(sandbox, setup);
    let text = setup.toml(master.port());
    let (before, parent) = text.split_once("[[builders]]").unwrap();
    let parent = parent.replacen("\"steps\"", "\"parent\"", 1);
    fs::write(
        master.dir().join("master.toml"),
        format!("{before}[[builders]]{parent}"),
    )
    .unwrap();
    master
}

fn verb(master: &Master<'_>, words: &[&str]) {
    let mut command = master.program();
    run(command.args(words).arg("--basedir").arg(master.dir())).ok();
}

/// The first that `show` prints.
fn look(master: &Master<'_>, words: &[&str]) -> Value {
    master.show(words).remove(0)
}

fn is_idle(master: &Master<'_>) -> bool {
    let requests: Vec<ShownRequest> = master.show(&["requests"]);
    requests.iter().all(ShownRequest::is_over)
}
