//! Latent slaves (LAT-01, LAT-11).

use std::time::Duration;

use super::*;
use crate::config::{InstanceKind, LatentConfig, MasterAddress};

fn text(slave: &str) -> String {
    SMALL.replace("password = \"sekrit\"", slave)
}

fn latent(slave: &str) -> LatentConfig {
    let config = accept(&text(slave));
    config.slaves[0].kind.latent().unwrap().clone()
}

fn refused(slave: &str) -> String {
    let errors = parse(&text(slave), "master.toml", &Ok(Zone::UTC)).unwrap_err();
    lines(&errors.errors)
}

const PAIR: &str =
    "type = \"command\"\npassword = \"p\"\nstart = [\"up\", \"-x\"]\nstop = [\"down\"]\n";

#[test]
fn lat_01_a_pair_of_commands_has_defaults() {
    let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        latent(PAIR),
        LatentConfig {
            kind: InstanceKind::Command(CommandInstance {
                password: Secret::Inline("p".to_owned()),
                start: words(&["up", "-x"]),
                stop: words(&["down"]),
            }),
            master: None,
            build_wait_timeout: Some(Duration::from_secs(600)),
            missing_timeout: Duration::from_secs(1200),
            stop_timeout: Duration::from_secs(60),
        }
    );
}

#[test]
fn lat_01_the_wait_is_a_time_or_zero_or_never() {
    let wait = |value: &str| latent(&format!("{PAIR}build_wait_timeout = {value}"));
    assert_eq!(wait("0").build_wait_timeout, Some(Duration::ZERO));
    assert_eq!(
        wait("\"5m\"").build_wait_timeout,
        Some(Duration::from_secs(300))
    );
    assert_eq!(wait("-1").build_wait_timeout, None);
}

#[test]
fn instances_can_be_told_another_address_of_the_master() {
    let master = |value: &str| {
        latent(&format!("{PAIR}master = \"{value}\""))
            .master
            .unwrap()
    };
    let address = |host: &str, port| MasterAddress {
        host: host.to_owned(),
        port,
    };
    assert_eq!(master("ci"), address("ci", None));
    assert_eq!(master("ci:9"), address("ci", Some(9)));
    assert_eq!(master("::1"), address("::1", None));
    assert_eq!(master("[::1]:65535"), address("::1", Some(65535)));
}

#[test]
fn processes_and_containers_are_latent_slaves() {
    assert_eq!(latent("type = \"process\"").kind, InstanceKind::Process);
    let kind = latent("type = \"docker\"\npassword = \"p\"\nimage = \"i\"").kind;
    let InstanceKind::Docker(DockerInstance {
        docker,
        image,
        args,
        command,
        ..
    }) = kind
    else {
        panic!("{kind:?}");
    };
    assert_eq!((docker.as_str(), image.as_str()), ("docker", "i"));
    assert_eq!((args.len(), command.len()), (0, 0));
}

#[test]
fn what_a_latent_slave_lacks_or_cannot_have_is_told() {
    insta::assert_snapshot!(refused("type = \"command\""), @r##"
4:1: slave `bot` needs a password (add `password = "…"`, `password_file = "FILE"` or `password_env = "VARIABLE"`)
4:1: slave `bot` needs `start` (add `start = ["PROGRAM", "ARGUMENT"]`)
4:1: slave `bot` needs `stop` (add `stop = ["PROGRAM", "ARGUMENT"]`)
"##);
    insta::assert_snapshot!(refused("type = \"process\"\npassword = \"x\"\nstart = [\"x\"]\nmaster = \"x\""), @r##"
7:1: `password` is not a setting of a `process` slave (only `slave`, `command`, `docker` slaves have it; remove it)
8:1: `start` is not a setting of a `process` slave (only `command` slaves have it; remove it)
9:1: `master` is not a setting of a `process` slave (only `command`, `docker` slaves have it; remove it)
"##);
    insta::assert_snapshot!(refused("type = \"docker\"\npassword = \"x\"\nimage = \"-v\"\ndocker_args = \"-x\""), @r##"
8:9: `image` of slave `bot` cannot begin with `-` (docker would take it for an option)
9:15: `docker_args` of slave `bot` must be a list, not a string (for example `docker_args = ["…"]`)
"##);
    insta::assert_snapshot!(refused("password = \"x\"\nstop_timeout = 5"), @r##"7:1: `stop_timeout` is not a setting of a slave of `type = "slave"` (only `command`, `process`, `docker` slaves have it; remove it)"##);
    let bad = format!(
        "{}build_wait_timeout = \"x\"\nmissing_timeout = 0\nstop_timeout = false\nmaster = \"ci:0\"",
        PAIR.replace("[\"up\", \"-x\"]", "[\"\"]")
            .replace("[\"down\"]", "[]")
    );
    insta::assert_snapshot!(refused(&bad), @r##"
8:9: `start` of slave `bot` names no program (its first string is the program to run)
9:8: `stop` of slave `bot` names no program (its first string is the program to run)
10:22: `build_wait_timeout` of slave `bot` is not a duration (write "10s", "5m" or "1h30m", or a number of seconds)
11:19: `missing_timeout` of slave `bot` is out of range (a duration from 1ms to 3650d)
12:16: `stop_timeout` of slave `bot` must be a duration, not `false` (write "10s", "5m" or "1h30m", or a number of seconds)
13:10: `master` of slave `bot` has no port number after its colon (write HOST or HOST:PORT, as the instances reach the master)
"##);
}

#[test]
fn instances_need_a_port_to_connect_to() {
    let unix = |more: &str| {
        let text = text(&format!("{PAIR}{more}"));
        text.replace("slave_port = 9989", "slave_port = \"unix:slaves\"")
    };
    let errors = parse(&unix(""), "master.toml", &Ok(Zone::UTC)).unwrap_err();
    insta::assert_snapshot!(lines(&errors.errors), @r##"5:8: slave `bot` has no TCP port to connect to (give `slave_port` a port, or the slave `master = "HOST:PORT"`)"##);
    accept(&unix("master = \"ci:9989\""));
}
