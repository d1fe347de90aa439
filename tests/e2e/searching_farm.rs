//! Changes start as fast while many searches go on (SRH-11).

use std::fmt::Write;

use serde_json::Value;

use crate::harness::{Master, Sandbox, Setup, is_slow, run, shell, wait_until};
use crate::silent_target::{in_short, latencies};

/// Changes of the broken tree, of which the one of this number breaks it.
const CHANGES: u64 = 64;
const BREAKS: u64 = 40;

/// Builders of the broken tree, each on a slave of its own, that take a while for a build.
fn broken_tree(builders: usize, seconds: u32) -> String {
    let test = format!("sleep {seconds}; test %(prop:revision)s -lt {BREAKS}");
    let mut tables = format!(
        "[factories.broken]\nsteps = [{}]\n",
        shell("test", &test, "")
    );
    let names: Vec<String> = (0..builders).map(|n| format!("broken-{n}")).collect();
    for name in &names {
        write!(
            tables,
            "[[slaves]]\nname = {name:?}\ntype = \"local\"\n[[builders]]\nname = {name:?}\n\
             slaves = [{name:?}]\nfactory = \"broken\"\n"
        )
        .unwrap();
    }
    let scheduler = "[[schedulers]]\ntype = \"Scheduler\"\nname = \"tree\"\nbranch = \"tree\"\n";
    writeln!(tables, "{scheduler}builders = {names:?}").unwrap();
    tables + "[search]\nautomatic = false\n"
}

fn say(master: &Master<'_>, words: &[&str]) -> String {
    let mut command = master.program();
    command.args(words).arg("--basedir").arg(master.dir());
    run(&mut command).ok()
}

/// Searches that have no verdict yet.
fn going_on(master: &Master<'_>) -> usize {
    let shown = say(master, &["bisect", "list", "--json"]);
    let searches = shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    searches
        .filter(|search: &Value| search["verdict"].is_null())
        .count()
}

#[test]
fn srh_11_a_farm_full_of_searches_starts_changes_as_fast() {
    let sandbox = Sandbox::new();
    let (builders, seconds, builds) = if is_slow() { (20, 10, 200) } else { (2, 1, 3) };
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .tables(&broken_tree(builders, seconds));
    let master = Master::start(&sandbox, &setup);
    master.wait_until_attached("here");
    let names: Vec<String> = (0..builders).map(|n| format!("broken-{n}")).collect();
    master.send_change_on("tree", "1");
    for name in &names {
        let first = master.finished_build(name, 0);
        assert_eq!(first.result.as_deref(), Some("success"));
        say(&master, &["pause-builder", name]);
    }
    for number in 2..=CHANGES {
        master.send_change_on("tree", &number.to_string());
    }
    for name in &names {
        say(&master, &["unpause-builder", name]);
        let last = master.finished_build(name, 1);
        assert_eq!(last.result.as_deref(), Some("failure"));
    }
    let before = latencies(&master, 0, builds);
    for name in &names {
        say(&master, &["bisect", name, "#0", "#1", "--step", "test"]);
    }
    let during = latencies(&master, builds, builds);
    let left = going_on(&master);
    eprintln!(
        "start after a change: {} alone, {} beside {builders} searches, of which {left} went on to \
         the end",
        in_short(&before),
        in_short(&during),
    );
    wait_until("the verdicts", || going_on(&master) == 0);
    let shown = say(&master, &["bisect", "list"]);
    let found = format!("found: change {BREAKS}");
    assert_eq!(shown.matches(&found).count(), builders, "{shown}");
}
