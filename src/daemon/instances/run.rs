//! Runs one command of a latent slave, with its output in the log.

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
    /// Its environment.
    pub(super) env: Environment,
    /// Ends it.
    pub(super) cancel: Option<CancellationToken>,
    /// It is not ended by a signal, whatever happens.
    pub(super) patient: bool,
    /// How long it may take.
    pub(super) limit: Option<Duration>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; nothing if it was ended or could not be run.
    pub(super) code: Option<i32>,
    /// The first line that it printed.
    pub(super) said: String,
    /// How it failed, if it did, with the last line of its output.
    pub(super) why: String,
}

/// Runs it to its end.
pub(super) async fn run(run: Run) -> Ended {
    let shown = run.words.first().map(|word| word.to_string_lossy());
    let shown = shown.unwrap_or_default().into_owned();
    let program = Program {
        words: run.words,
        environment: Some(run.env),
        // A start that is cut short leaves an instance behind that nobody knows of.
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

/// Lines of a command that are logged.
const LINES_LOGGED: usize = 1000;
/// How long a command has after SIGTERM, to undo what it has begun.
const TERM_PATIENCE: Duration = Duration::from_secs(2);
/// How long output is waited for when the command has ended.
const OUTPUT_PATIENCE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
