//! Runs a command of a latent slave and logs its output.

use std::ffi::OsString;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::process::{self, Environment, How, Limits, Lines, Output, Program};

/// A command to run.
#[derive(Debug)]
pub(super) struct Run {
    /// The program and its arguments.
    pub(super) words: Vec<OsString>,
    /// Environment of the command.
    pub(super) env: Environment,
    /// Ends the command.
    pub(super) cancel: Option<CancellationToken>,
    /// Whether the command is never ended by a signal.
    pub(super) patient: bool,
    /// Time limit.
    pub(super) limit: Option<Duration>,
}

/// The end of a command.
#[derive(Debug)]
pub(super) struct Ended {
    /// Exit code; absent if the command was killed or could not run.
    pub(super) code: Option<i32>,
    /// First line of the output.
    pub(super) said: String,
    /// Description of the failure, if any, with the last line of the output.
    pub(super) why: String,
}

/// Runs the command until it ends.
pub(super) async fn run(run: Run) -> Ended {
    let shown = run.words.first().map(|word| word.to_string_lossy());
    let shown = shown.unwrap_or_default().into_owned();
    let program = Program {
        words: run.words,
        environment: Some(run.env),
        // An interrupted start would leave an unknown instance.
        runs_on: true,
        ..Program::default()
    };
    let limits = Limits {
        time: run.limit,
        cancel: run.cancel.filter(|_| !run.patient),
        grace: TERM_PATIENCE,
        drain: Some(OUTPUT_PATIENCE),
    };
    let (mut out, mut err) = (Lines::new(logger()), Lines::new(logger()));
    let (stdout, stderr) = (Output::To(&mut out), Output::To(&mut err));
    let ended = process::run(&program, None, stdout, stderr, limits).await;
    let (first, last_out) = out.finish();
    let (_, last_err) = err.finish();
    let how = match ended {
        Ok(ended) => ended.how,
        Err(error) => {
            return Ended {
                code: None,
                said: first,
                why: format!("cannot run {shown}: {error}"),
            };
        }
    };
    let code = match how {
        How::Exited(status) => status.code(),
        How::Cancelled | How::OutOfTime | How::TooMuchOutput => None,
    };
    let last = if last_err.is_empty() {
        last_out
    } else {
        last_err
    };
    let colon = if last.is_empty() { "" } else { ": " };
    Ended {
        code,
        said: first,
        why: format!("{shown} {how}{colon}{last}"),
    }
}

/// Logs the first lines of an output.
fn logger() -> impl FnMut(&str) + Send {
    let mut lines = 0_usize;
    move |line| {
        lines = lines.saturating_add(1);
        if lines <= LINES_LOGGED {
            info!("{line}");
        } else if lines == LINES_LOGGED + 1 {
            info!("(more output is not logged)");
        }
    }
}

/// Maximum number of lines to log of a command.
const LINES_LOGGED: usize = 1000;
/// Time for a command after SIGTERM to undo its work.
const TERM_PATIENCE: Duration = Duration::from_secs(2);
/// Maximum wait for output after the command has ended.
const OUTPUT_PATIENCE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
