//! Delivers a job file through ssh (CLI-01).

use super::super::Failed;
use super::settings::SshWay;
use crate::process::{self, Group, Limits, Output, Program};

/// Runs the command and gives it the job file. Its output is our own, and so is the terminal, on
/// which ssh may ask for a password.
///
/// # Errors
/// The command cannot be run, or its exit code says that the job was not taken.
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
            "job not sent: 'buildbot tryserver' at the other end of {name} {}; it says why above",
            ended.how
        )));
    }
    match ended.input_error {
        None => Ok(()),
        Some(e) => Err(Failed::NotDone(format!(
            "{name} did not take the whole job: {e}"
        ))),
    }
}
