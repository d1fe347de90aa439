//! The report of a background process to its parent process.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::platform;

/// The report of a background process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Started {
    /// The process is ready; its message.
    Ready(String),
    /// The process is running, but was not ready within the time limit.
    StillStarting,
}

/// Why a background process did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program could not be executed.
    #[error("cannot start a process in the background")]
    Run(#[source] io::Error),
    /// The process reported a failure; its message.
    #[error("{0}")]
    Failed(String),
    /// The process ended without a report.
    #[error("the process ended before it was ready ({0}); its log file may have the reason")]
    Died(ExitStatus),
}

/// Starts this program again as `name` with `args`, in the background in the directory `dir`, and
/// waits at most `patience` for its report. `on_note` receives each [`Readiness::note`] of the
/// child.
///
/// The child must create a [`Readiness`]; `args` must tell it to (by a hidden option). Until the
/// report, the standard error of the child is visible.
///
/// # Errors
/// The process could not be started, reported a failure, or ended without a report.
pub fn spawn(
    name: &str,
    args: &[OsString],
    dir: &Path,
    patience: Duration,
    mut on_note: impl FnMut(&str),
) -> Result<Started, SpawnError> {
    let program = std::env::current_exe().map_err(SpawnError::Run)?;
    let mut child = platform::background(program.as_ref(), name)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(SpawnError::Run)?;
    let output = child.stdout.take().expect("the child's output is piped");
    let (words, heard) = mpsc::sync_channel(16);
    // The thread ends with the child's output, or with this program.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if words.send(line).is_err() {
                return;
            }
        }
    });
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match heard.recv_timeout(left) {
            Ok(line) => match line.split_once(' ').unwrap_or((&line, "")) {
                (READY, text) => return Ok(Started::Ready(text.to_owned())),
                (FAILED, text) => {
                    child.wait().map_err(SpawnError::Run)?;
                    return Err(SpawnError::Failed(text.to_owned()));
                }
                (NOTE, text) => on_note(text),
                _ => on_note(&line),
            },
            Err(mpsc::RecvTimeoutError::Timeout) => return Ok(Started::StillStarting),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = child.wait().map_err(SpawnError::Run)?;
                return Err(SpawnError::Died(status));
            }
        }
    }
}

/// Held by a background process until it has reported whether it is ready. Each report is one line.
///
/// Dropping it without a report also releases the terminal; the parent then sees the end of the
/// output.
#[derive(Debug)]
pub struct Readiness {
    /// Whether the parent reads standard output.
    attached: bool,
}

impl Readiness {
    /// For a process that [`spawn`] started: makes the process the leader of a new session.
    #[must_use]
    pub fn in_background() -> Self {
        platform::lead_session();
        Self { attached: true }
    }

    /// For a process in the foreground: reports are dropped.
    #[must_use]
    pub fn in_foreground() -> Self {
        Self { attached: false }
    }

    /// Reports progress before the program is ready.
    pub fn note(&self, text: &str) {
        self.say(NOTE, text);
    }

    /// Reports that the program is ready, also to a waiting service manager, and releases the
    /// terminal.
    pub fn ready(mut self, text: &str) {
        platform::notify_ready();
        self.say(READY, text);
        self.detach();
    }

    /// Reports why the program cannot start.
    pub fn failed(mut self, text: &str) {
        self.say(FAILED, text);
        self.detach();
    }

    fn say(&self, word: &str, text: &str) {
        if self.attached {
            let line = format!("{word} {}\n", text.replace('\n', " "));
            let mut stdout = io::stdout().lock();
            // The parent may be gone, which is not a reason to end.
            stdout
                .write_all(line.as_bytes())
                .and_then(|()| stdout.flush())
                .ok();
        }
    }

    fn detach(&mut self) {
        if std::mem::take(&mut self.attached) {
            platform::leave_terminal();
        }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.detach();
    }
}

const READY: &str = "ready";
const FAILED: &str = "failed";
const NOTE: &str = "note";
