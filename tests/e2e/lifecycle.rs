//! The life of a master: made, started, stopped, restarted, in the foreground and as a daemon;
//! builds that are stopped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use buildmaster::pb::Value;
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::harness::client::Client;
use crate::harness::master::{RUNNING, ShownChange, ShownRequest};
use crate::harness::process::PATIENCE;
use crate::harness::{Build, Master, Process, Sandbox, Setup, Slave, run, shell, wait_until};

fn stop_build(sandbox: &Sandbox, master: &Master<'_>) {
    run(sandbox
        .buildmaster()
        .args(["stop-build", "full", "0", "--reason", "wrong branch"])
        .arg("--basedir")
        .arg(master.dir()))
    .ok();
}

#[test]
fn stopped_build_ends_as_exception_and_still_runs_what_always_runs() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let steps = [
        waiting(&gate.command()),
        shell("package", "echo packed", ""),
        shell("clean", "echo cleaned", "always_run = true"),
    ];
    let master = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.send_change("r1");
    gate.wait_until_reached(1);

    stop_build(&sandbox, &master);

    let build = master.finished_build("full", 0);
    assert_eq!(result(&build), "exception");
    assert_eq!(build.ran().last(), Some(&("clean", "success")));
    assert!(build.ran().iter().all(|(name, _)| *name != "package"));
    assert_eq!(
        gate.times_reached(),
        1,
        "a stopped build is not built again"
    );
}

#[test]
fn stopped_build_is_not_built_again_when_the_master_is_killed_while_it_cleans_up() {
    let sandbox = Sandbox::new();
    let (gate, cleanup) = (sandbox.gate("gate"), sandbox.gate("cleanup"));
    let steps = [
        waiting(&gate.command()),
        shell("clean", &cleanup.command(), "always_run = true"),
    ];
    let mut master = Master::start(&sandbox, &Setup::new(&steps).local_slave("here"));
    master.send_change("r1");
    gate.wait_until_reached(1);
    stop_build(&sandbox, &master);
    cleanup.wait_until_reached(1);

    master.kill();
    gate.open();
    cleanup.open();
    master.run();

    assert_eq!(result(&master.finished_build("full", 0)), "exception");
    let open: Vec<ShownRequest> = master.show(&["requests"]);
    assert!(open.is_empty(), "{open:?}");
    assert!(master.build("full", 1).is_none());
}

#[test]
fn build_that_is_stopped_again_leaves_also_what_always_runs() {
    let sandbox = Sandbox::new();
    let (gate, cleanup) = (sandbox.gate("gate"), sandbox.gate("cleanup"));
    let steps = [
        waiting(&gate.command()),
        shell("clean", &cleanup.command(), "always_run = true"),
    ];
    let master = Master::start(&sandbox, &Setup::new(&steps).local_slave("here"));
    master.send_change("r1");
    gate.wait_until_reached(1);
    stop_build(&sandbox, &master);
    cleanup.wait_until_reached(1);

    stop_build(&sandbox, &master);

    let build = master.finished_build("full", 0);
    assert_eq!(result(&build), "exception");
    assert_eq!(build.ran().last(), Some(&("clean", "exception")));
}

#[test]
fn stopping_a_build_that_is_not_there_is_an_error() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &one_step("true").local_slave("here"));

    let refused = run(sandbox
        .buildmaster()
        .args(["stop-build", "full", "7"])
        .arg("--basedir")
        .arg(master.dir()));

    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(!refused.stderr.is_empty());
}

#[test]
fn build_cut_short_by_sigterm_is_built_again_after_the_restart() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut master = Master::start(&sandbox, &one_step(&gate.command()).slave("bot"));
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.send_change("r1");
    gate.wait_until_reached(1);

    let asked = Instant::now();
    assert!(master.terminate().success());
    assert!(asked.elapsed() < LONGEST_STOP, "{:?}", asked.elapsed());
    gate.open();
    master.run();

    assert_eq!(result(&master.finished_build("full", 0)), "retry");
    assert_eq!(result(&master.finished_build("full", 1)), "success");
    assert!(master.build("full", 2).is_none());
}

#[test]
fn mas_05_a_master_whose_disk_takes_no_writes_answers_and_stops() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &one_step("true").local_slave("here"));
    let mut senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let mut sender = Client::connect(master.port()).unwrap();
            let avatar = sender.login("change", "changepw", Value::None).unwrap();
            (sender, avatar)
        })
        .collect();

    let disk = Connection::open(master.dir().join("state.sqlite")).unwrap();
    disk.execute_batch("BEGIN IMMEDIATE").unwrap();
    for (sender, avatar) in &mut senders {
        for _ in 0..AT_ONCE {
            sender.send_change(*avatar, "alice", "r1").unwrap();
        }
    }
    let mut why = master.program();
    let unknown = run(why.args(["why", "123456", "--basedir"]).arg(master.dir()));
    assert!(unknown.stderr.contains("no request 123456"), "{unknown}");
    assert!(master.terminate().success());

    drop(disk);
    master.run();
    let kept: Vec<ShownChange> = master.show(&["changes"]);
    assert_eq!(kept.len(), 0, "nothing was confirmed");
    master.send_change("r2");
    assert_eq!(result(&master.finished_build("full", 0)), "success");
}

#[test]
fn build_cut_short_by_sigkill_is_built_again_after_the_restart() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut master = Master::start(&sandbox, &one_step(&gate.command()).local_slave("here"));
    master.send_change("r1");
    gate.wait_until_reached(1);
    // This one waits.
    master.send_change("r2");

    master.kill();
    gate.open();
    master.run();

    assert_eq!(result(&master.finished_build("full", 0)), "retry");
    wait_until("an empty queue", || {
        let requests: Vec<ShownRequest> = master.show(&["requests"]);
        requests.iter().all(ShownRequest::is_over)
    });
    let builds: Vec<Build> = master.show(&["builds", "full"]);
    let mut built: Vec<u64> = builds
        .iter()
        .filter(|build| result(build) == "success")
        .flat_map(Build::changes)
        .collect();
    built.sort_unstable();
    assert_eq!(built, [1, 2]);
}

#[test]
fn sigusr1_waits_for_the_running_build() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut master = Master::start(&sandbox, &one_step(&gate.command()).slave("bot"));
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.send_change("r1");
    gate.wait_until_reached(1);

    master.process().signal(Signal::USR1);
    // A round trip later it is still there, with its build.
    assert!(master.is_attached("bot"));
    assert!(master.process().is_running());
    gate.open();

    assert!(master.process().wait().success());
    assert_eq!(result(&master.build("full", 0).unwrap()), "success");
    assert!(master.build("full", 1).is_none());
}

#[test]
fn clean_stop_that_is_cancelled_lets_the_master_go_on() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let mut master = Master::start(&sandbox, &one_step(&gate.command()).slave("bot"));
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.send_change("r1");
    gate.wait_until_reached(1);
    master.process().signal(Signal::USR1);
    master.process().wait_for_line("SIGUSR1");

    let mut cancel = sandbox.buildmaster();
    run(cancel.args(["cancel-stop", "--basedir"]).arg(master.dir())).ok();
    gate.open();

    assert_eq!(result(&master.finished_build("full", 0)), "success");
    master.send_change("r2");
    assert_eq!(result(&master.finished_build("full", 1)), "success");
}

#[test]
fn port_zero_is_a_free_port_that_the_first_line_names() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("master");
    let setup = one_step("true").local_slave("here");
    fs::write(dir.join("master.toml"), setup.toml(0)).unwrap();

    let mut start = sandbox.buildmaster();
    let master = Process::start("buildmaster", start.args(["start", "--nodaemon"]).arg(&dir));

    let line = master.wait_for_line(RUNNING);
    let port = line.rsplit_once(':').unwrap().1.parse().unwrap();
    Client::connect(port).unwrap();
}

#[test]
fn daemon_starts_restarts_and_stops() {
    let sandbox = Sandbox::new();
    let master = Master::prepare(&sandbox, &one_step("true").local_slave("here"));
    let verb = |verb: &str| run(sandbox.buildmaster().arg(verb).arg(master.dir()));
    let pid_file = master.dir().join("buildmaster.pid");
    let pid = || {
        Pid::from_raw(
            fs::read_to_string(&pid_file)
                .unwrap()
                .trim()
                .parse()
                .unwrap(),
        )
    };
    assert!(verb("start").ok().contains(RUNNING));
    let daemon = DaemonGuard(pid());
    let first = pid();
    assert!(is_alive(first));
    assert!(master.dir().join("buildmaster.log").exists());
    master.send_change("r1");
    assert_eq!(result(&master.finished_build("full", 0)), "success");

    let again = verb("start");
    assert_eq!(again.code, Some(1), "{again}");
    assert!(again.stderr.contains("already running"), "{again}");
    assert_eq!(pid(), first);

    verb("restart").ok();
    let second = DaemonGuard(pid());
    assert_ne!(second.0, first);
    wait_until_ended(first);
    assert_eq!(result(&master.build("full", 0).unwrap()), "success");

    verb("stop").ok();
    wait_until_ended(second.0);
    assert!(!pid_file.exists());
    let stopped = verb("stop");
    assert_ne!(stopped.code, Some(0), "{stopped}");
    drop((daemon, second));
}

#[test]
fn pid_file_of_a_killed_master_does_not_prevent_a_start() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &one_step("true").local_slave("here"));
    master.kill();
    // As a master leaves it behind that was killed as a daemon; this process is alive, and no
    // master.
    let pid = std::process::id().to_string();
    fs::write(master.dir().join("buildmaster.pid"), pid).unwrap();

    master.run();

    assert!(master.terminate().success());
}

#[test]
fn second_master_in_the_same_directory_is_refused() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &one_step("true").local_slave("here"));

    let mut second = sandbox.buildmaster();
    let refused = run(second.args(["start", "--nodaemon"]).arg(master.dir()));

    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.stderr.contains("already running"), "{refused}");
    master.send_change("r1");
    assert_eq!(result(&master.finished_build("full", 0)), "success");
}

#[test]
fn created_master_is_private_works_as_it_is_and_is_not_overwritten() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("made");
    let create = || run(sandbox.buildmaster().arg("create-master").arg(&dir));

    create().ok();

    let mode = fs::metadata(&dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    run(sandbox.buildmaster().arg("checkconfig").arg(&dir)).ok();
    let made = fs::read_to_string(dir.join("master.toml")).unwrap();
    assert!(
        made.contains("[web]\nport = 8010\n"),
        "open to this machine only: {made}"
    );
    fs::write(dir.join("master.toml"), "title = \"Mine\"\n").unwrap();
    let again = create();
    assert_ne!(again.code, Some(0), "{again}");
    let kept = fs::read_to_string(dir.join("master.toml")).unwrap();
    assert_eq!(kept, "title = \"Mine\"\n");
}

#[test]
fn slave_daemon_starts_restarts_and_stops() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &one_step("true").slave("bot"));
    let dir = sandbox.path("slave");
    let address = format!("127.0.0.1:{}", master.port());
    run(sandbox
        .buildslave()
        .arg("create-slave")
        .arg(&dir)
        .args([&address, "bot", "sekrit"]))
    .ok();
    let verb = |verb: &str| run(sandbox.buildslave().arg(verb).arg(&dir)).ok();
    let pid = || {
        let text = fs::read_to_string(dir.join("buildslave.pid")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap())
    };

    verb("start");
    let first = DaemonGuard(pid());
    master.wait_until_attached("bot");
    verb("restart");
    let second = DaemonGuard(pid());
    assert_ne!(first.0, second.0);
    master.wait_until_attached("bot");
    verb("stop");
    master.wait_until_detached("bot");
    drop((first, second));
}

#[test]
fn demo_shows_a_green_build_and_ends_by_itself() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("demo");

    let shown = run(sandbox.buildmaster().arg("demo").arg("--basedir").arg(&dir)).ok();

    assert!(shown.contains("success"), "{shown}");
    assert!(shown.contains(dir.to_str().unwrap()), "{shown}");
}

/// A daemon gives its pid file back as the last thing that it does.
fn wait_until_ended(pid: Option<Pid>) {
    wait_until("the end of the daemon", || !is_alive(pid));
}

/// Whether a process runs. One that has ended may be known for a while yet, until whoever inherited
/// it looks.
fn is_alive(pid: Option<Pid>) -> bool {
    let pid = pid.unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let has_ended = stat
        .rsplit_once(')')
        .is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'));
    test_kill_process(pid).is_ok() && !has_ended
}

/// Kills a daemon at the end of a test that did not come as far as stopping it.
struct DaemonGuard(Option<Pid>);

impl Drop for DaemonGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // It may be gone.
            kill_process(self.0.unwrap(), Signal::KILL).unwrap_or_default();
        }
    }
}

fn one_step(line: &str) -> Setup {
    Setup::new(&[waiting(line)])
}

/// A step whose command may wait at a gate for as long as a test does.
fn waiting(line: &str) -> String {
    shell("work", line, &format!("timeout = {}", PATIENCE.as_secs()))
}

fn result(build: &Build) -> &str {
    build.result.as_deref().unwrap()
}

/// PROMISES give a stop so long.
const LONGEST_STOP: Duration = Duration::from_secs(5);

/// Change sources, and changes that each of them sends without waiting: more than may wait for the
/// disk, of which each change takes several places.
const SENDERS: usize = 40;
const AT_ONCE: usize = 64;

#[test]
fn backup_of_a_running_master_is_the_state_of_another() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("greet", "echo hello", "")]).local_slave("here");
    let mut master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    let build = master.finished_build("full", 0);
    let copy = sandbox.path("copy.sqlite");
    let backup = || {
        let mut command = sandbox.buildmaster();
        command.args(["backup", "--basedir"]).arg(master.dir());
        run(command.arg(&copy))
    };

    backup().ok();
    let again = backup().fails_with(1);

    assert!(again.contains("copy.sqlite"), "{again}");
    let mode = fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    master.send_change("r2");
    master.finished_build("full", 1);
    master.terminate();
    let state = master.dir().join("state.sqlite");
    fs::rename(&copy, state).unwrap();
    master.run();
    assert_eq!(master.build("full", 0), Some(build));
    assert_eq!(master.build("full", 1), None);
}
