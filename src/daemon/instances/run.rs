//! Runs one command of a latent slave, with its output in the log, and ends it when it is not wanted any more.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::buildslave::Environment;

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
    let mut words = run.words.into_iter();
    let program = words.next().unwrap_or_default();
    let shown = program.to_string_lossy().into_owned();
    let child = Command::new(&program)
        .args(words)
        .env_clear()
        .envs(run.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that it is ended with what it has started.
        .process_group(0)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            return Ended {
                code: None,
                said: String::new(),
                why: format!("cannot run {shown}: {error}"),
            };
        }
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = (Output::default(), Output::default());
    let ended = {
        let ended = end(&mut child, run.cancel, run.patient, run.limit);
        let read = async {
            tokio::join!(out.read(stdout), err.read(stderr));
        };
        tokio::pin!(ended, read);
        tokio::select! {
            biased;
            ended = &mut ended => {
                // What it has started may keep its output open: only what is there already is waited for.
                drop(tokio::time::timeout(OUTPUT_PATIENCE, read).await);
                ended
            }
            () = &mut read => ended.await,
        }
    };
    out.finish();
    err.finish();
    let last = if err.last.is_empty() {
        out.last
    } else {
        err.last
    };
    let colon = if last.is_empty() { "" } else { ": " };
    let (code, how) = match ended {
        Ok(code) => (
            code,
            code.map_or_else(
                || "was killed".to_owned(),
                |code| format!("ended with exit code {code}"),
            ),
        ),
        Err(how) => (None, how),
    };
    Ended {
        code,
        said: out.first.unwrap_or_default(),
        why: format!("{shown} {how}{colon}{last}"),
    }
}

/// Its exit code, or how it was ended.
async fn end(
    child: &mut Child,
    cancel: Option<CancellationToken>,
    patient: bool,
    limit: Option<Duration>,
) -> Result<Option<i32>, String> {
    let cancelled = async {
        match cancel {
            Some(cancel) if !patient => cancel.cancelled().await,
            Some(_) | None => std::future::pending().await,
        }
    };
    let late = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let how = tokio::select! {
        biased;
        status = child.wait() => {
            return status.map(|s| s.code()).map_err(|error| error.to_string());
        }
        () = cancelled => "was ended because it was not wanted any more",
        () = late => "was ended because it took too long",
    };
    signal(child, Signal::TERM);
    if tokio::time::timeout(TERM_PATIENCE, child.wait())
        .await
        .is_err()
    {
        signal(child, Signal::KILL);
        drop(child.wait().await);
    }
    Err(how.to_owned())
}

fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw)
        && let Err(error) = kill_process_group(pid, signal)
    {
        debug!("it has ended by itself: {error}");
    }
}

/// What it prints, a line at a time.
#[derive(Debug, Default)]
struct Output {
    first: Option<String>,
    last: String,
    line: Vec<u8>,
    lines: usize,
}

impl Output {
    async fn read(&mut self, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        let mut buffer = [0; 4096];
        while let Ok(amount) = from.read(&mut buffer).await
            && amount > 0
        {
            self.take(buffer.get(..amount).unwrap_or_default());
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < LINE_LIMIT {
                self.line.push(byte);
            }
        }
    }

    fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line: String = line.trim().chars().filter(|c| !c.is_control()).collect();
        self.line.clear();
        self.lines = self.lines.saturating_add(1);
        if self.lines <= LINES_LOGGED {
            info!("{line}");
        } else if self.lines == LINES_LOGGED + 1 {
            info!("(it prints more, which is not logged)");
        }
        if self.first.is_none() {
            self.first = Some(line.clone());
        }
        if !line.is_empty() {
            self.last = line;
        }
    }
}

/// Bytes of a line that count: the rest is dropped.
const LINE_LIMIT: usize = 1024;
/// Lines of a command that are logged.
const LINES_LOGGED: usize = 1000;
/// How long a command has after SIGTERM, to undo what it has begun.
const TERM_PATIENCE: Duration = Duration::from_secs(2);
/// How long output is waited for when the command has ended.
const OUTPUT_PATIENCE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
