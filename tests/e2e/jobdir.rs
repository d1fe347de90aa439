//! Try jobs through a job directory: dropped by hand and by real `buildbot tryserver`s, refused,
//! and through kills.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use buildmaster::model::TryJob;
use buildmaster::protocol::jobfile;
use serde_json::Value as Json;

use crate::harness::master::ShownRequest;
use crate::harness::{Build, Master, Sandbox, Setup, peer, run, step, wait_until};

#[test]
fn jobs_dropped_before_the_start_and_while_it_runs_are_built() {
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox, "poll_interval = \"1h\"");
    make_jobdir(&master);
    drop_job(&master, "1", &job("before"));

    master.run();

    wait_until_handed_in(&master, "1");
    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("success"));
    assert_eq!(build.reason.as_deref(), Some("'try' job by user before"));

    // Nobody polls: the system tells that it is there.
    drop_job(&master, "2", &job("while"));
    let build = master.finished_build("full", 1);
    assert_eq!(build.reason.as_deref(), Some("'try' job by user while"));
    assert!(jobdir(&master).join("cur/1").exists());
    assert!(jobdir(&master).join("cur/2").exists());
    assert!(master.terminate().success());
}

#[test]
fn sb_07_refused_jobs_have_their_reasons_and_the_good_one_is_built() {
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox, "max_job_size = \"64k\"");
    make_jobdir(&master);
    let refused = refused_cases();
    assert!(refused.len() > 15);
    for (name, file) in &refused {
        drop_file(&master, name, file);
    }
    drop_file(&master, "J98", &vec![b'x'; 65_537]);
    let mut elsewhere = job("elsewhere");
    elsewhere.builders = vec!["full".into(), "other".into()];
    drop_job(&master, "J99", &elsewhere);
    drop_job(&master, "last", &job("good"));

    master.run();

    wait_until_handed_in(&master, "last");
    let build = master.finished_build("full", 0);
    assert_eq!(build.reason.as_deref(), Some("'try' job by user good"));
    // What it printed before has been read by then.
    master.process().wait_for_line("build finished");
    for name in refused.keys().map(String::as_str).chain(["J98", "J99"]) {
        let reason = jobdir(&master).join("cur").join(format!("{name}.refused"));
        let reason = fs::read_to_string(reason).unwrap();
        assert!(!reason.trim().is_empty(), "{name}");
        let line = format!("file=\"{name}\"");
        let printed = master.process().printed();
        let lines = printed.lines().filter(|l| l.contains(&line));
        assert_eq!(lines.count(), 1, "{name} in\n{printed}");
    }
    let reason = fs::read_to_string(jobdir(&master).join("cur/J99.refused")).unwrap();
    assert!(reason.contains("builder other is not one of"), "{reason}");
    assert_eq!(master.show::<Build>(&["builds", "full"]).len(), 1);
}

#[test]
fn tjd_01_a_missing_job_directory_is_told_before_anything_starts() {
    let sandbox = Sandbox::new();
    let master = prepare(&sandbox, "");
    for verb in [["start", "--nodaemon"].as_slice(), &["start"]] {
        let told = run(sandbox.buildmaster().args(verb).arg(master.dir())).fails_with(2);
        assert!(
            told.contains("scheduler `ssh`") && told.contains("mkdir"),
            "{told}"
        );
        TcpStream::connect(("127.0.0.1", master.port())).unwrap_err();
        let log = master.dir().join("buildmaster.log");
        assert!(!log.exists(), "nothing went to the background");
    }
}

#[test]
fn a_developer_who_can_replace_parts_of_the_directory_does_not_reach_the_base_directory() {
    for part in ["new", "cur", "tmp"] {
        let sandbox = Sandbox::new();
        let mut master = prepare(&sandbox, "poll_interval = \"50ms\"");
        make_jobdir(&master);
        let config = fs::read_to_string(master.dir().join("master.toml")).unwrap();
        master.run();
        drop_job(&master, "1", &job("before"));
        wait_until_handed_in(&master, "1");

        // The base directory in place of the part, and a job that is called as one of its files.
        let (was, away) = (jobdir(&master).join(part), jobdir(&master).join("away"));
        fs::rename(&was, &away).unwrap();
        symlink("..", &was).unwrap();
        if part != "tmp" && part != "new" {
            drop_file(&master, "master.toml", b"title = \"theirs\"");
        }
        master
            .process()
            .wait_for_line("is a symbolic link, which the master does not follow");
        assert_eq!(
            fs::read_to_string(master.dir().join("master.toml")).unwrap(),
            config
        );
        assert!(master.dir().join("state.sqlite").exists());

        // It goes on when the directory is back.
        fs::remove_file(&was).unwrap();
        fs::rename(&away, &was).unwrap();
        drop_job(&master, "2", &job("after"));
        wait_until_handed_in(&master, "2");
        assert!(master.terminate().success());

        // Neither does a master that starts with a link.
        fs::rename(&was, &away).unwrap();
        symlink("..", &was).unwrap();
        let start = ["start", "--nodaemon"];
        let told = run(sandbox.buildmaster().args(start).arg(master.dir())).fails_with(1);
        assert!(
            told.contains(&format!("jobs/{part} is a symbolic link")),
            "{told}"
        );
    }
}

#[test]
fn an_over_long_name_is_refused_and_delays_nobody() {
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox, "poll_interval = \"1h\"");
    make_jobdir(&master);
    master.run();
    let long = "x".repeat(250);
    drop_job(&master, &long, &job("long"));
    drop_job(&master, "1", &job("first"));
    wait_until_handed_in(&master, "1");
    // Nobody polls: the directory is still watched.
    drop_job(&master, "2", &job("second"));
    wait_until_handed_in(&master, "2");
    let reasons = files_in(&jobdir(&master).join("cur"));
    let reason = reasons
        .iter()
        .find(|name| name.ends_with(".refused"))
        .unwrap();
    let reason = fs::read_to_string(jobdir(&master).join("cur").join(reason)).unwrap();
    assert!(reason.contains("is 250 bytes long"), "{reason}");
    assert!(files_in(&jobdir(&master).join("new")).is_empty());
    assert!(master.terminate().success());
}

#[test]
fn what_others_can_write_is_warned_of() {
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox, "");
    make_jobdir(&master);
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    open(&jobdir(&master), 0o2770).unwrap();
    open(master.dir(), 0o770).unwrap();
    let checked = sandbox
        .buildmaster()
        .arg("checkconfig")
        .arg(master.dir())
        .output()
        .unwrap();
    assert!(checked.status.success());
    let told = String::from_utf8(checked.stderr).unwrap();
    for warning in [
        "warning: the base directory ",
        "warning: the job directory of scheduler \"ssh\", ",
    ] {
        let line = told.lines().find(|line| line.starts_with(warning));
        assert!(
            line.unwrap().contains("can be written by its group"),
            "{told}"
        );
    }
    master.run();
    for what in ["the base directory ", "the job directory of scheduler"] {
        master.process().wait_for_line(what);
    }
    assert!(master.terminate().success());
}

#[test]
fn tjd_07_jobs_that_stream_in_while_the_master_is_killed_are_built_once() {
    const ROUNDS: usize = 4;
    const JOBS: usize = 15;
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox, "");
    make_jobdir(&master);
    for round in 0..ROUNDS {
        master.run();
        for n in 0..JOBS {
            let name = format!("{round}-{n:03}");
            drop_job(&master, &name, &job(&name));
            // Killed in the middle of things, each time in another place.
            if n == 5 + 2 * round {
                let earlier = format!("cur/{round}-{:03}", n - 3);
                let earlier = jobdir(&master).join(earlier);
                wait_until("an earlier job to be taken", || earlier.exists());
            }
        }
        master.kill();
    }
    master.run();

    wait_until("an empty job directory", || {
        files_in(&jobdir(&master).join("new")).is_empty()
            && files_in(&jobdir(&master).join("cur")).len() == ROUNDS * JOBS
    });
    wait_until("an empty queue", || {
        let requests: Vec<ShownRequest> = master.show(&["requests"]);
        requests.iter().all(ShownRequest::is_over)
    });
    let builds: Vec<Build> = master.show(&["builds", "full", "--limit", "1000"]);
    let mut built: BTreeMap<String, usize> = BTreeMap::new();
    for build in builds {
        if build.result.as_deref() == Some("success") {
            *built.entry(build.reason.unwrap()).or_default() += 1;
        }
    }
    let expected: BTreeMap<String, usize> = (0..ROUNDS)
        .flat_map(|round| (0..JOBS).map(move |n| format!("{round}-{n:03}")))
        .map(|name| (format!("'try' job by user {name}"), 1))
        .collect();
    assert_eq!(built, expected);
}

#[test]
fn real_tryservers_of_0_8_and_4_3_drop_jobs_that_run() {
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox, "");
    make_jobdir(&master);
    master.run();
    let mut number = 0;
    for name in ["bb0814", "bb43"] {
        let Some(bin) = peer(name) else { continue };
        let file = sandbox.file(name, jobfile::encode(&job(name)));
        let status = sandbox
            .command(bin.join("buildbot"))
            .args(["tryserver", "--jobdir"])
            .arg(jobdir(&master))
            .stdin(File::open(file).unwrap())
            .status()
            .unwrap();
        assert!(status.success(), "{name}");
        wait_until("a job to be handed in", || {
            files_in(&jobdir(&master).join("cur")).len() > usize::try_from(number).unwrap()
        });
        let build = master.finished_build("full", number);
        assert_eq!(build.reason, Some(format!("'try' job by user {name}")));
        assert_eq!(build.result.as_deref(), Some("success"));
        number += 1;
    }
}

/// A master with a local slave, a builder `full` and a try scheduler, whose directory is not there
/// yet.
fn prepare<'a>(sandbox: &'a Sandbox, settings: &str) -> Master<'a> {
    let steps = [step("ok", &["true"], "")];
    let setup = Setup::new(&steps).local_slave("here");
    let master = Master::prepare(sandbox, &setup);
    let path = master.dir().join("master.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(&format!(
        "\n[[schedulers]]\ntype = \"Try_Jobdir\"\nname = \"ssh\"\njobdir = \"jobs\"\nbuilders = [\"full\"]\n{settings}\n"
    ));
    fs::write(path, text).unwrap();
    master
}

/// The directory of jobs in a master's base directory.
pub(crate) fn jobdir(master: &Master<'_>) -> PathBuf {
    master.dir().join("jobs")
}

/// Makes it.
pub(crate) fn make_jobdir(master: &Master<'_>) {
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(jobdir(master).join(part)).unwrap();
    }
}

/// A job of `who`.
pub(crate) fn job(who: &str) -> TryJob {
    TryJob {
        id: format!("id-{who}"),
        who: who.to_owned(),
        patch: b"--- a\n+++ b\n".to_vec(),
        ..TryJob::default()
    }
}

/// Hands a job over as the client does: first elsewhere, then moved to where the master looks.
pub(crate) fn drop_job(master: &Master<'_>, name: &str, job: &TryJob) {
    drop_file(master, name, &jobfile::encode(job));
}

fn drop_file(master: &Master<'_>, name: &str, bytes: &[u8]) {
    let draft = jobdir(master).join("tmp").join(name);
    fs::write(&draft, bytes).unwrap();
    fs::rename(draft, jobdir(master).join("new").join(name)).unwrap();
}

/// Waits until a job is in the state.
fn wait_until_handed_in(master: &Master<'_>, name: &str) {
    let settled = jobdir(master).join("cur").join(name);
    wait_until(&format!("job {name} to be handed in"), || settled.exists());
}

/// The shared cases that are refused, by id.
fn refused_cases() -> BTreeMap<String, Vec<u8>> {
    use base64::Engine as _;
    let cases: Json = serde_json::from_str(include_str!("../data/jobfile-cases.json")).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    cases
        .iter()
        .filter(|case| case["accept"] == false)
        .map(|case| {
            let file = case["file_base64"].as_str().unwrap();
            let file = base64::engine::general_purpose::STANDARD.decode(file);
            (case["id"].as_str().unwrap().to_owned(), file.unwrap())
        })
        .collect()
}

/// The names of the files in a directory.
pub(crate) fn files_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect()
}
