//! Latent slaves: instances that a master starts and stops by commands, and never loses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use crate::harness::{Build, Master, Sandbox, Setup, run, shell, wait_until};

/// A cloud to rent slaves from: a directory with one below it for each instance that runs.
struct Cloud {
    dir: PathBuf,
    start: PathBuf,
    stop: PathBuf,
}

impl Cloud {
    /// A cloud whose instances are native slaves; before one is there, `first` is done.
    fn new(sandbox: &Sandbox, first: &str) -> Self {
        Self::with_stop(sandbox, first, "")
    }

    /// The same; before one is stopped, `before_stop` is done.
    fn with_stop(sandbox: &Sandbox, first: &str, before_stop: &str) -> Self {
        let dir = sandbox.private_dir("cloud");
        let buildslave = sandbox.buildslave();
        let buildslave = Path::new(buildslave.get_program()).display();
        let cloud = dir.display();
        let start = script(
            sandbox,
            "start",
            &format!(
                "echo x >>'{cloud}.starts'\n\
                 dir='{cloud}'/$SLAVE_NAME.$$\n\
                 mkdir \"$dir\"\n\
                 {first}\n\
                 '{buildslave}' create-slave -q \"$dir\" $MASTER_HOST:$MASTER_PORT $SLAVE_NAME $SLAVE_PASSWORD\n\
                 '{buildslave}' start -q \"$dir\"\n\
                 echo \"$dir\"\n"
            ),
        );
        let stop = script(
            sandbox,
            "stop",
            &format!(
                "echo \"stop ($INSTANCE)\" >>'{cloud}.stops'\n\
                 {before_stop}\n\
                 for dir in '{cloud}'/$SLAVE_NAME.*; do\n\
                 [ -d \"$dir\" ] || continue\n\
                 [ -z \"$INSTANCE\" ] || [ \"$INSTANCE\" = \"$dir\" ] || continue\n\
                 [ ! -e \"$dir/buildslave.toml\" ] || '{buildslave}' stop -q \"$dir\"\n\
                 rm -r \"$dir\"\n\
                 done\n"
            ),
        );
        Self { dir, start, stop }
    }

    /// The settings of its slaves.
    fn slave(&self, settings: &str) -> String {
        format!(
            "type = \"command\"\npassword = \"sekrit\"\nstart = [{:?}]\nstop = [{:?}]\n{settings}",
            self.start, self.stop
        )
    }

    /// How many instances there are.
    fn instances(&self) -> usize {
        fs::read_dir(&self.dir).unwrap().count()
    }

    /// What its stop command was called for, in order.
    fn stops(&self) -> Vec<String> {
        let stops = fs::read_to_string(self.dir.with_extension("stops"));
        let stops = stops.unwrap_or_default();
        stops.lines().map(str::to_owned).collect()
    }

    /// How many were started.
    fn starts(&self) -> usize {
        let starts = fs::read_to_string(self.dir.with_extension("starts"));
        starts.map_or(0, |text| text.lines().count())
    }

    fn wait_for_instances(&self, amount: usize) {
        wait_until("the instances of the cloud", || self.instances() == amount);
    }
}

fn script(sandbox: &Sandbox, name: &str, text: &str) -> PathBuf {
    let path = sandbox.file(name, format!("#!/bin/sh\n{text}"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// A stop without the name of an instance.
const NO_NAME: &str = "stop ()";

/// What does `what` the first time only.
fn once(sandbox: &Sandbox, what: &str) -> String {
    let done = sandbox.path("done-once");
    let done = done.display();
    format!("[ -e '{done}' ] || {{ touch '{done}'; {what}; }}")
}

fn one_step() -> Setup {
    Setup::new(&[shell("test", "echo done", "")])
}

fn result(build: &Build) -> &str {
    build.result.as_deref().unwrap()
}

#[test]
fn lat_11_commands_start_an_instance_for_a_build_and_stop_it_after() {
    let sandbox = Sandbox::new();
    let cloud = Cloud::new(&sandbox, "");
    let setup = one_step().slave_with("cloud", &cloud.slave("build_wait_timeout = 0"));
    let mut master = Master::start(&sandbox, &setup);
    assert_eq!(cloud.starts(), 0);

    for number in 0..2 {
        master.send_change("r1");
        assert_eq!(result(&master.finished_build("full", number)), "success");
        cloud.wait_for_instances(0);
    }

    assert_eq!(cloud.starts(), 2);
    assert!(master.terminate().success());
}

#[test]
fn lat_07_a_stop_of_the_master_stops_its_instances() {
    let sandbox = Sandbox::new();
    let cloud = Cloud::new(&sandbox, "");
    let setup = one_step().slave_with("cloud", &cloud.slave("build_wait_timeout = -1"));
    let mut master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    assert_eq!(result(&master.finished_build("full", 0)), "success");
    assert_eq!(cloud.instances(), 1);

    assert!(master.terminate().success());

    cloud.wait_for_instances(0);
}

#[test]
fn lat_07_slv_125_no_instance_is_lost_by_a_master_that_is_killed_while_it_starts_one() {
    let sandbox = Sandbox::new();
    // It hangs until it is told to stop.
    let gate = sandbox.path("hang");
    let hang = format!(
        "while [ -e \"$dir\" ] && [ -e '{}' ]; do sleep 0.05; done",
        gate.display()
    );
    fs::write(&gate, "").unwrap();
    let cloud = Cloud::new(&sandbox, &hang);
    let setup = one_step().slave_with("cloud", &cloud.slave(""));
    let mut master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    cloud.wait_for_instances(1);
    let first = instance_names(&cloud);

    master.kill();
    assert_eq!(cloud.instances(), 1);
    master.run();

    wait_until("the first instance to go", || {
        first
            .iter()
            .all(|name| !instance_names(&cloud).contains(name))
    });
    // The request is built after all, and the second instance goes with the master.
    fs::remove_file(&gate).unwrap();
    assert_eq!(result(&master.finished_build("full", 0)), "success");
    assert!(master.terminate().success());
    cloud.wait_for_instances(0);
}

#[test]
fn lat_09_a_build_that_waits_for_its_instance_is_stopped_at_once() {
    let sandbox = Sandbox::new();
    let cloud = Cloud::new(
        &sandbox,
        "while [ -e \"$dir\" ]; do sleep 0.05; done; exit 1",
    );
    let setup = one_step().slave_with("cloud", &cloud.slave(""));
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    cloud.wait_for_instances(1);

    run(master
        .program()
        .args(["stop-request", "1", "--reason", "enough", "--basedir"])
        .arg(master.dir()))
    .ok();

    cloud.wait_for_instances(0);
    wait_until("the end of the request", || {
        let requests: Vec<crate::harness::master::ShownRequest> = master.show(&["requests"]);
        requests
            .iter()
            .all(crate::harness::master::ShownRequest::is_over)
    });
    assert!(master.build("full", 0).is_none());
    let why = run(master
        .program()
        .args(["why", "1", "--basedir"])
        .arg(master.dir()))
    .ok();
    assert!(
        why.contains(": stopped before its build began: enough"),
        "{why}"
    );
}

#[test]
fn lat_03_an_instance_that_cannot_be_had_now_is_asked_for_again() {
    let sandbox = Sandbox::new();
    let cloud = Cloud::new(&sandbox, &once(&sandbox, "rmdir \"$dir\"; exit 75"));
    let setup = one_step().slave_with("cloud", &cloud.slave("build_wait_timeout = 0"));
    let master = Master::start(&sandbox, &setup);

    master.send_change("r1");

    assert_eq!(result(&master.finished_build("full", 0)), "success");
    assert_eq!(cloud.starts(), 2);
    cloud.wait_for_instances(0);
    assert!(
        !cloud.stops().contains(&NO_NAME.to_owned()),
        "there was nothing to stop"
    );
}

#[test]
fn lat_11_what_a_start_that_failed_has_left_is_stopped_before_the_next_one() {
    let sandbox = Sandbox::new();
    let cloud = Cloud::new(&sandbox, &once(&sandbox, "exit 1"));
    let setup = one_step().slave_with("cloud", &cloud.slave("build_wait_timeout = 0"));
    let master = Master::start(&sandbox, &setup);

    master.send_change("r1");

    assert_eq!(result(&master.finished_build("full", 0)), "success");
    assert_eq!(cloud.starts(), 2);
    assert_eq!(cloud.stops()[0], NO_NAME);
    cloud.wait_for_instances(0);
}

#[test]
fn lat_11_a_stop_that_fails_is_tried_again_before_the_slave_is_used() {
    let sandbox = Sandbox::new();
    let cloud = Cloud::with_stop(&sandbox, "", &once(&sandbox, "exit 1"));
    let setup = one_step().slave_with("cloud", &cloud.slave("build_wait_timeout = 0"));
    let master = Master::start(&sandbox, &setup);

    for number in 0..2 {
        master.send_change("r1");
        assert_eq!(result(&master.finished_build("full", number)), "success");
    }

    cloud.wait_for_instances(0);
    let stops = cloud.stops();
    assert_eq!(stops.len(), 3, "{stops:?}");
    assert_eq!(stops[0], stops[1]);
}

#[test]
fn lat_11_a_container_that_docker_does_not_know_is_gone() {
    let sandbox = Sandbox::new();
    let cloud = Cloud::new(&sandbox, "");
    let docker = script(
        &sandbox,
        "docker",
        &format!(
            "case $1 in\n\
             run) exec '{}' ;;\n\
             rm) '{}'; echo \"Error: No such container: $3\" >&2; exit 1 ;;\n\
             esac\n",
            cloud.start.display(),
            cloud.stop.display(),
        ),
    );
    let slave = format!(
        "type = \"docker\"\npassword = \"sekrit\"\nimage = \"example/slave:1\"\ndocker = {docker:?}\n\
         build_wait_timeout = 0"
    );
    let master = Master::start(&sandbox, &one_step().slave_with("box", &slave));

    for number in 0..2 {
        master.send_change("r1");
        assert_eq!(result(&master.finished_build("full", number)), "success");
    }

    cloud.wait_for_instances(0);
    assert_eq!(cloud.stops().len(), 2, "none is tried again");
}

#[test]
fn lat_11_a_native_slave_runs_as_a_process_and_ends_with_its_master() {
    let sandbox = Sandbox::new();
    let setup = one_step().slave_with("beside", "type = \"process\"");
    let mut master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    assert_eq!(result(&master.finished_build("full", 0)), "success");
    let first = slave_process(&master, "beside");
    assert!(test_kill_process(first).is_ok());

    // A master that is killed leaves it, and the next one finds it.
    master.kill();
    assert!(test_kill_process(first).is_ok());
    master.run();
    wait_until("the end of the slave", || test_kill_process(first).is_err());
    master.send_change("r2");
    assert_eq!(result(&master.finished_build("full", 1)), "success");
    let second = slave_process(&master, "beside");

    assert!(master.terminate().success());
    wait_until("the end of the slave", || {
        test_kill_process(second).is_err()
    });
}

#[test]
fn lat_11_containers_are_run_by_the_command_line_of_docker() {
    let sandbox = Sandbox::new();
    let cloud = Cloud::new(&sandbox, "");
    let calls = sandbox.path("calls");
    let docker = script(
        &sandbox,
        "docker",
        &format!(
            "echo \"$@\" >>'{}'\n\
             case $1 in\n\
             run) exec '{}' ;;\n\
             rm) exec '{}' ;;\n\
             esac\n",
            calls.display(),
            cloud.start.display(),
            cloud.stop.display(),
        ),
    );
    let slave = format!(
        "type = \"docker\"\npassword = \"sekrit\"\nimage = \"example/slave:1\"\ndocker = {docker:?}\n\
         docker_args = [\"--network\", \"host\"]\ncommand = [\"serve\", \"me\"]\nbuild_wait_timeout = 0"
    );
    let master = Master::start(&sandbox, &one_step().slave_with("box", &slave));

    master.send_change("r1");

    assert_eq!(result(&master.finished_build("full", 0)), "success");
    cloud.wait_for_instances(0);
    let calls = fs::read_to_string(calls).unwrap();
    assert_eq!(
        calls,
        "run -d --name buildmaster-box --label buildmaster.slave=box -e SLAVE_NAME -e SLAVE_PASSWORD \
         -e MASTER_HOST -e MASTER_PORT --network host example/slave:1 serve me\n\
         rm -f buildmaster-box\n"
    );
}

fn instance_names(cloud: &Cloud) -> Vec<PathBuf> {
    let entries = fs::read_dir(&cloud.dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The process of a native slave that runs below the master's directory.
fn slave_process(master: &Master<'_>, name: &str) -> Pid {
    let dir = master.dir().join("instances").join(name);
    let pid = fs::read_to_string(dir.join("buildslave.pid")).unwrap();
    Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
}
