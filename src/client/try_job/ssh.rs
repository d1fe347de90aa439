//! Delivers a job file through ssh (CLI-01).

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::super::Failed;
use super::settings::SshWay;

/// Runs the command and gives it the job file. What it says goes to our own output and error output.
///
/// # Errors
/// The command cannot be run, or says by its exit code that the job was not taken.
pub(super) async fn deliver(way: &SshWay, jobfile: &[u8]) -> Result<(), Failed> {
    let Some((program, arguments)) = way.command.split_first() else {
        return Err(Failed::Usage("--ssh is not a command".to_owned()));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| Failed::NotDone(format!("job not sent: cannot run {program}: {e}")))?;
    let written = match child.stdin.take() {
        Some(mut input) => input.write_all(jobfile).await,
        None => Ok(()),
    };
    let status = child
        .wait()
        .await
        .map_err(|e| Failed::NotDone(format!("job not sent: {program}: {e}")))?;
    if !status.success() {
        let how = status.to_string();
        return Err(Failed::NotDone(format!(
            "job not sent: 'buildbot tryserver' at the other end of {program} ended with {how}; it says why above"
        )));
    }
    written.map_err(|e| Failed::NotDone(format!("{program} did not take the whole job: {e}")))
}
