//! Being started by a service manager.

use std::os::unix::net::UnixDatagram;

use crate::harness::process::PATIENCE;
use crate::harness::{Master, Sandbox, Setup, run, shell};

#[test]
fn master_tells_the_service_manager_when_it_is_up() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let setup = Setup::new(&[shell("greet", "echo hello", "")]).local_slave("here");
    let mut master = Master::prepare(&sandbox, &setup);

    master.run_with(&[("NOTIFY_SOCKET", socket.to_str().unwrap())]);

    let mut told = [0; 64];
    let length = manager.recv(&mut told).unwrap();
    assert_eq!(told[..length].trim_ascii(), b"READY=1");
}

#[test]
fn unit_names_this_program_and_the_given_base_directory() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("my master");

    let unit = run(sandbox
        .buildmaster()
        .args(["systemd-unit", "--user", "ci"])
        .arg(&dir))
    .ok();

    let (dir, program) = (dir.display(), env!("CARGO_BIN_EXE_buildmaster"));
    let start = format!("ExecStart={program} start --nodaemon \"{dir}\"");
    assert!(unit.lines().any(|line| line == start), "{start} in {unit}");
    assert!(unit.lines().any(|line| line == "User=ci"), "{unit}");
}
