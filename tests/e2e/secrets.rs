//! Passwords stay where they are needed.

use std::fs;
use std::path::Path;

use crate::harness::{Kind, Master, Sandbox, Setup, Slave, shell};

/// LOG-06: of what a build prints of its environment, and of what its log says about that, no part
/// is a password.
#[test]
fn log_06_no_password_of_the_configuration_gets_into_the_environment_of_steps() {
    let sandbox = Sandbox::new();
    let buildslave = sandbox.buildslave();
    let buildslave = Path::new(buildslave.get_program()).display();
    let dir = sandbox.path("instance");
    let dir = dir.display();
    let start = format!(
        "'{buildslave}' create-slave -q '{dir}' $MASTER_HOST:$MASTER_PORT $SLAVE_NAME $SLAVE_PASSWORD && \
         '{buildslave}' start -q '{dir}'"
    );
    let stop = format!("'{buildslave}' stop -q '{dir}'");
    let command = format!(
        "type = \"command\"\npassword_env = \"AWAY_PASSWORD\"\n\
         start = [\"sh\", \"-c\", {start:?}]\nstop = [\"sh\", \"-c\", {stop:?}]"
    );
    for kind in ["type = \"local\"", "type = \"process\"", &command] {
        let sandbox = Sandbox::new();
        let setup = Setup::new(&[shell("env", "env", "log_environ = true")])
            .slave_with("bot", kind)
            .slave_with("away", "password_env = \"AWAY_PASSWORD\"");
        let mut master = Master::prepare(&sandbox, &setup);
        master.run_with(&[("AWAY_PASSWORD", "hush-hush"), ("HARMLESS", "told")]);
        master.send_change("r1");
        let build = master.finished_build("full", 0);
        assert_eq!(build.result.as_deref(), Some("success"), "{kind}");
        let log = master.dir().join("builders/full/0/0-env.stdio.log");
        let log = fs::read_to_string(log).unwrap();
        // In the header and in the output.
        assert_eq!(log.matches("HARMLESS=told").count(), 2, "{kind}: {log}");
        for secret in ["hush-hush", "SLAVE_PASSWORD", "BUILDMASTER_INSTANCE"] {
            assert!(!log.contains(secret), "{kind}: {log}");
        }
        assert!(master.terminate().success());
    }
}

/// CFL-95, LOG-06: a secret reaches commands, and whatever a slave of any generation says of it, it
/// is in no log, in no text and nowhere in the state.
#[test]
fn cfl_94_and_95_secrets_of_steps_are_seen_nowhere() {
    let sandbox = Sandbox::new();
    let secret = |name: &str| format!("{{ secret_file = \"secrets/depot\", shown = \"{name}\" }}");
    let in_words = format!(
        "{{ type = \"ShellCommand\", name = \"words\", log_environ = true, \
         command = [\"echo\", \"word\", {}], env = {{ TOKEN = {} }} }}",
        secret("***"),
        secret("x"),
    );
    let in_env = format!(
        "{{ type = \"ShellCommand\", name = \"env\", command = \"printf 'tok%s\\\\n' en; \
         echo $TOKEN; printf 'hush-'; echo hush; cat\", \
         initial_stdin = {}, env = {{ TOKEN = {{ secret_command = [\"cat\", \"secrets/depot\"] }} }} }}",
        secret("x"),
    );
    let on_master = format!(
        "{{ type = \"MasterShellCommand\", command = [\"echo\", {}] }}",
        secret("---"),
    );
    let setup = Setup::new(&[in_words, in_env, on_master]).slave("bot");
    let mut master = Master::prepare(&sandbox, &setup);
    let file = master.dir().join("secrets/depot");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "hush-hush\n").unwrap();
    master.run();
    let mut number = 0;
    for kind in [Kind::Native, Kind::Slave0814, Kind::Worker430] {
        let Some(slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
            continue;
        };
        master.wait_until_attached("bot");
        master.send_change(&format!("r{number}"));
        let build = master.finished_build("full", number);
        assert_eq!(build.result.as_deref(), Some("success"), "{kind:?}");
        let logs = master.dir().join(format!("builders/full/{number}"));
        let read = |name: &str| fs::read_to_string(logs.join(name)).unwrap();
        let words = read("0-words.stdio.log");
        assert!(words.contains("word XXXXXX\n"), "{kind:?}: {words}");
        assert!(words.contains("TOKEN=XXXXXX"), "{kind:?}: {words}");
        assert!(words.contains("***"), "{kind:?}: {words}");
        let env = read("1-env.stdio.log");
        assert!(env.matches("XXXXXX").count() >= 3, "{kind:?}: {env}");
        let on_master = read("2-MasterShellCommand.stdio.log");
        assert!(on_master.contains("echo ---"), "{on_master}");
        assert!(on_master.contains("XXXXXX\n"), "{on_master}");
        for entry in fs::read_dir(&logs).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(
                !String::from_utf8_lossy(&bytes).contains("hush-hush"),
                "{kind:?}"
            );
        }
        drop(slave);
        master.wait_until_detached("bot");
        number += 1;
    }
    assert!(master.terminate().success());
    for name in ["state.sqlite", "buildmaster.log"] {
        let bytes = fs::read(master.dir().join(name)).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&bytes).contains("hush-hush"),
            "{name}"
        );
    }
}
