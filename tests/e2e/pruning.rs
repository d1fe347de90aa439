//! What is beyond the horizons goes, from the state and from the disk (MAS-08).

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::harness::master::{ShownChange, ShownRequest};
use crate::harness::{Build, Master, Sandbox, Setup, run, shell, wait_until};

#[test]
fn mas_08_what_is_beyond_the_horizons_goes_and_is_said_to_be_gone() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup(HORIZONS));
    for number in 0..6 {
        master.send_change(&format!("r{number}"));
        assert!(master.finished_build("full", number).is_finished());
    }

    wait_until("three builds, two logs and two changes", || {
        numbers(&master) == [3, 4, 5]
            && log_dirs(&master) == [4, 5].into()
            && master.show::<ShownChange>(&["changes"]).len() == 2
    });
    let requests: Vec<ShownRequest> = master.show(&["requests", "--all"]);
    assert_eq!(requests.len(), 3);
    assert_eq!(master.log("full", 5, "work"), b"out\n");
    for (what, why) in [
        (&["build", "full", "2"][..], "build_horizon"),
        (&["log", "full", "3", "work"], "log_horizon"),
        (&["change", "1"], "change_horizon"),
    ] {
        let mut show = master.program();
        let refused = run(show
            .arg("show")
            .args(what)
            .arg("--basedir")
            .arg(master.dir()));
        let said = refused.fails_with(1);
        assert!(said.contains(&format!("pruned ({why})")), "{said}");
    }
    let mut rebuild = master.program();
    rebuild.args(["rebuild", "full", "2", "--basedir"]);
    let refused = run(rebuild.arg(master.dir())).fails_with(1);
    assert!(refused.contains("pruned (build_horizon)"), "{refused}");

    let config = master.dir().join("master.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(HORIZONS, "build_horizon = 1\n")).unwrap();
    run(master.program().arg("reconfig").arg(master.dir())).ok();
    wait_until("one build", || {
        numbers(&master) == [5] && log_dirs(&master) == [5].into()
    });
    master.send_change("r6");
    assert!(master.finished_build("full", 6).is_finished());
}

#[test]
fn mas_08_a_master_that_is_killed_while_it_prunes_goes_on_with_it() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &setup(""));
    let config = master.dir().join("master.toml");
    let before = fs::read_to_string(&config).unwrap();
    let mut newest = 0;
    for round in 0..ROUNDS {
        // All of these go at once at the next start, and it is killed somewhere in the middle.
        for _ in 0..BUILDS {
            master.send_change("r");
        }
        newest += BUILDS;
        master.finished_build("full", newest - 1);
        assert!(master.terminate().success());
        fs::write(&config, format!("{HORIZONS}{before}")).unwrap();
        master.run();
        std::thread::sleep(Duration::from_millis(40 * round));
        master.kill();
        fs::write(&config, &before).unwrap();
        master.run();
        let left = numbers(&master);
        assert!(left.contains(&(newest - 1)), "{left:?}");
    }
    // What was begun is ended without a horizon, and nothing more is.
    wait_until(
        "the logs of the builds that are left, and no others",
        || {
            let left: BTreeSet<_> = numbers(&master).into_iter().collect();
            let with_logs = |number: &u64| {
                let mut show = master.program();
                show.args(["show", "log", "full", &number.to_string(), "work"]);
                run(show.arg("--basedir").arg(master.dir())).code == Some(0)
            };
            log_dirs(&master) == left.into_iter().filter(with_logs).collect()
        },
    );
    master.send_change("last");
    assert!(master.finished_build("full", newest).is_finished());
}

const HORIZONS: &str = "build_horizon = 3\nlog_horizon = 2\nchange_horizon = 2\n";

/// Builds before each kill, and kills.
const BUILDS: u64 = 6;
const ROUNDS: u64 = 5;

fn setup(horizons: &str) -> Setup {
    Setup::new(&[shell("work", "echo out", "")])
        .settings(horizons)
        .builder("full", "merge_requests = false")
        .local_slave("here")
}

/// The numbers of the builds that are left, the oldest first.
fn numbers(master: &Master<'_>) -> Vec<u64> {
    let builds: Vec<Build> = master.show(&["builds", "full"]);
    builds.iter().rev().map(|build| build.number).collect()
}

/// The builds that have logs on the disk.
fn log_dirs(master: &Master<'_>) -> BTreeSet<u64> {
    let entries = fs::read_dir(master.dir().join("builders/full")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .map(|name| name.to_str().unwrap().parse().unwrap())
        .collect()
}
