//! A state that is lost or damaged: nothing is begun anew unasked, and damage is found.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::harness::{Master, Sandbox, Setup, run, shell};

/// A master that has built once and ended.
fn with_a_build(sandbox: &Sandbox) -> Master<'_> {
    let setup = Setup::new(&[shell("greet", "echo hello", "")]).local_slave("here");
    let mut master = Master::start(sandbox, &setup);
    master.send_change("r1");
    master.finished_build("full", 0);
    assert!(master.terminate().success());
    master
}

fn remove_state(dir: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(dir.join(format!("state.sqlite{suffix}"))) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
}

const LOG: &str = "builders/full/0/0-greet.stdio.log";

#[test]
fn a_lost_state_is_begun_anew_only_when_asked_and_above_the_old_builds() {
    let sandbox = Sandbox::new();
    let mut master = with_a_build(&sandbox);
    let log = fs::read(master.dir().join(LOG)).unwrap();
    remove_state(master.dir());
    for contents in [None, Some("")] {
        if let Some(contents) = contents {
            fs::write(master.dir().join("state.sqlite"), contents).unwrap();
        }
        for verb in [["start", "--nodaemon"].as_slice(), &["start"]] {
            let told = run(sandbox.buildmaster().args(verb).arg(master.dir())).fails_with(1);
            assert!(told.contains("is missing or empty"), "{told}");
            assert!(told.contains("`buildmaster new-state DIR`"), "{told}");
        }
    }

    let told = run(sandbox.buildmaster().arg("new-state").arg(master.dir())).ok();
    assert!(
        told.contains("builders/full: the next build gets number 1"),
        "{told}"
    );
    let again = run(sandbox.buildmaster().arg("new-state").arg(master.dir())).fails_with(1);
    assert!(again.contains("has a state; move"), "{again}");

    master.run();
    master.send_change("r2");
    master.finished_build("full", 1);
    assert_eq!(fs::read(master.dir().join(LOG)).unwrap(), log);
    assert!(master.terminate().success());
}

#[test]
fn verify_finds_damage_in_logs_and_state() {
    let sandbox = Sandbox::new();
    let master = with_a_build(&sandbox);
    let verify = || {
        let mut command = sandbox.buildmaster();
        command.arg("verify").arg(master.dir());
        run(&mut command)
    };
    let told = verify().ok();
    assert!(told.contains("no damage in the state and 1 log"), "{told}");

    let log = master.dir().join(LOG);
    let whole = fs::read(&log).unwrap();
    fs::write(&log, whole.get(1..).unwrap()).unwrap();
    let told = verify().fails_with(1);
    assert!(
        told.contains("build full/0: the log builders/full/0/0-greet.stdio "),
        "{told}"
    );
    fs::remove_file(&log).unwrap();
    let told = verify().fails_with(1);
    assert!(told.contains("stdio is missing"), "{told}");
    fs::write(&log, whole).unwrap();
    verify().ok();

    // All pages after the first.
    let state = master.dir().join("state.sqlite");
    let size = state.metadata().unwrap().len();
    let file = File::options().write(true).open(&state).unwrap();
    let garbage = vec![0xa5; usize::try_from(size - 4096).unwrap()];
    file.write_all_at(&garbage, 4096).unwrap();
    drop(file);
    let told = verify().fails_with(1);
    assert!(told.contains("state.sqlite"), "{told}");
    let start = ["start", "--nodaemon"];
    let told = run(sandbox.buildmaster().args(start).arg(master.dir())).fails_with(2);
    assert!(told.contains("state.sqlite is damaged"), "{told}");
}
