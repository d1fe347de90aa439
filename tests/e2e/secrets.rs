//! Passwords stay where they are needed.

use std::fs;
use std::path::Path;

use crate::harness::{Master, Sandbox, Setup, shell};

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
