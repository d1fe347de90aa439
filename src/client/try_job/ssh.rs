//! Delivers a job file through ssh (CLI-01).

use super::super::Failed;
use super::settings::SshWay;
use crate::process::{self, Group, Limits, Output, Program};

/// Runs the command with the job file as its input. The command inherits our output and our
/// terminal, where ssh may ask for a password.
///
/// # Errors
/// The command cannot be run, or its exit code is not 0: the job was rejected.
pub(super) async fn deliver(way: &SshWay, jobfile: &[u8]) -> Result<(), Failed> {
    let Some(name) = way.command.first() else {
        return Err(Failed::Usage("--ssh is not a command".to_owned()));
    };
    let program = Program {
        group: Group::Shared,
        ..Program::new(&way.command)
    };
    let (stdout, stderr) = (Output::Inherited, Output::Inherited);
    let ended = process::run(&program, Some(jobfile), stdout, stderr, Limits::default());
    let ended = ended
        .await
        .map_err(|e| Failed::NotDone(format!("job not sent: cannot run {name}: {e}")))?;
    if !ended.how.is_success() {
        return Err(Failed::NotDone(format!(
            "job not sent: 'buildbot tryserver' on the master's machine {}; its message is above",
            ended.how
        )));
    }
    match ended.input_error {
        None => Ok(()),
        Some(e) => Err(Failed::NotDone(format!(
            "{name} did not read the whole job: {e}"
        ))),
    }
}
