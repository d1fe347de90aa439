//! Commands on files, for slaves of each generation.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::protocol::CommandArgs;

fn slave(commands: &[(&str, &str)]) -> SlaveInfo {
    let pairs = commands
        .iter()
        .map(|(c, v)| (Value::bytes(c), Value::bytes(v)));
    SlaveInfo::of_slave(None, None, Some(&Value::Dict(pairs.collect())))
}

fn new_slave() -> SlaveInfo {
    slave(&[
        ("stat", "2.16"),
        ("rmdir", "2.16"),
        ("mkdir", "2.16"),
        ("cpdir", "2.16"),
    ])
}

fn stat() -> CommandArgs {
    CommandArgs::Stat(StatArgs::of("build/.git".to_owned()))
}

fn rmdir() -> CommandArgs {
    CommandArgs::Rmdir(RmdirArgs {
        dir: "build".to_owned(),
        timeout: Some(5.0),
        log_environ: false,
    })
}

#[test]
fn slaves_and_workers_have_file_commands() {
    for info in [new_slave(), SlaveInfo::of_worker(None)] {
        assert_eq!(stat().name(&info), "stat");
        let value = stat().to_value(&info, None);
        assert_eq!(value.get("file").unwrap(), &info.style.value("build/.git"));
        assert_eq!(rmdir().name(&info), "rmdir");
        let value = rmdir().to_value(&info, None);
        assert_eq!(value.get("dir").unwrap(), &info.style.value("build"));
        assert_eq!(value.get("timeout").unwrap(), &Value::Float(5.0));
        assert_eq!(value.get("logEnviron").unwrap(), &Value::Bool(false));
    }
}

#[test]
fn stat_and_its_shell_look_in_the_work_directory() {
    let args = CommandArgs::Stat(StatArgs {
        file: "f".to_owned(),
        workdir: "build".to_owned(),
    });
    for info in [new_slave(), slave(&[("shell", "2.9")])] {
        let value = args.to_value(&info, None);
        assert_eq!(value.get("workdir").unwrap(), &Value::bytes("build"));
    }
}

#[test]
fn slaves_without_file_commands_are_sent_shell_commands() {
    let info = slave(&[("shell", "2.9")]);
    let mkdir = CommandArgs::Mkdir(MkdirArgs {
        dir: "a/b".to_owned(),
    });
    let cpdir = CommandArgs::Cpdir(CpdirArgs {
        from: "a".to_owned(),
        to: "b".to_owned(),
        timeout: None,
        max_time: None,
        log_environ: false,
    });
    let rmfile = CommandArgs::Rmfile(RmfileArgs {
        path: "-f".to_owned(),
    });
    for (args, words) in [
        (stat(), "test -e build/.git"),
        (rmdir(), "rm -rf build"),
        (mkdir, "mkdir -p a/b"),
        (cpdir, "cp -R -P -p a b"),
        (rmfile, "rm -- -f"),
    ] {
        assert_eq!(args.name(&info), "shell");
        let value = args.to_value(&info, None);
        let command = value.get("command").unwrap();
        let words = words.split(' ').map(Value::bytes);
        assert_eq!(command, &Value::List(words.collect()));
        assert_eq!(value.get("workdir").unwrap(), &Value::bytes("."));
    }
}

#[test]
fn the_first_workers_have_no_rmfile() {
    let args = CommandArgs::Rmfile(RmfileArgs {
        path: "f".to_owned(),
    });
    let worker = |commands: &[&str]| {
        let commands = commands
            .iter()
            .map(|c| (Value::text(c), Value::text("3.0")));
        let commands = Value::Dict(commands.collect());
        let info = Value::Dict(vec![(Value::text("worker_commands"), commands)]);
        SlaveInfo::of_worker(Some(&info))
    };
    assert_eq!(args.name(&worker(&["mkdir"])), "shell");
    assert_eq!(args.name(&worker(&["mkdir", "rmfile"])), "rmfile");
    assert_eq!(args.name(&SlaveInfo::of_worker(None)), "rmfile");
}

#[test]
fn a_copy_has_the_limits_it_was_given() {
    let cpdir = |timeout| {
        CommandArgs::Cpdir(CpdirArgs {
            from: "a".to_owned(),
            to: "b".to_owned(),
            timeout,
            max_time: None,
            log_environ: true,
        })
    };
    let value = cpdir(None).to_value(&new_slave(), None);
    assert_eq!(value.get("timeout").unwrap(), &Value::None);
    let value = cpdir(Some(7.0)).to_value(&new_slave(), None);
    assert_eq!(value.get("timeout").unwrap(), &Value::Float(7.0));
    assert_eq!(value.get("fromdir").unwrap(), &Value::bytes("a"));
    assert_eq!(value.get("todir").unwrap(), &Value::bytes("b"));
}
