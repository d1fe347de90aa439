//! The word a background process gives to the one that started it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// What a background process said before the one that started it stopped listening.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Started {
    /// It is up; its own words.
    Ready(String),
    /// It runs, but has not said that it is up within the time given.
    StillStarting,
}

/// Why a background process did not come up.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program could not be run again.
    #[error("cannot start a process in the background")]
    Run(#[source] io::Error),
    /// It said that it failed; its own words.
    #[error("{0}")]
    Failed(String),
    /// It ended without a word.
    #[error("the process ended before it was up ({0}); its log file may say why")]
    Died(ExitStatus),
}

/// Starts this program again under `name` with `args`, in the background in directory `dir`, and
/// waits for its word for at most `patience`. Each [`Readiness::note`] of it is handed to
/// `on_note`.
///
/// The child must make a [`Readiness`]; `args` must tell it so (an option of its own that the help
/// does not show). Until it has said its word, what it writes to standard error is shown.
///
/// # Errors
/// The process could not be started, said that it failed, or ended without a word.
pub fn spawn(
    name: &str,
    args: &[OsString],
    dir: &Path,
    patience: Duration,
    mut on_note: impl FnMut(&str),
) -> Result<Started, SpawnError> {
    let program = std::env::current_exe().map_err(SpawnError::Run)?;
    let mut child = Command::new(program)
        .arg0(name)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(SpawnError::Run)?;
    let output = child.stdout.take().expect("the child's output is piped");
    let (words, heard) = mpsc::sync_channel(16);
    // The thread ends with the child's output, at the latest when this program does.
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

/// Held by a background process until it has said whether it is up. Each word is one line.
///
/// Dropping it without a word lets go of the terminal as well; the one that waits then sees the
/// end of the output.
#[derive(Debug)]
pub struct Readiness {
    /// Whether somebody listens on standard output.
    attached: bool,
}

impl Readiness {
    /// For a process that [`spawn`] started: makes it the leader of a new session.
    #[must_use]
    pub fn in_background() -> Self {
        // It fails only for a process that leads a group already, which then has what it needs.
        rustix::process::setsid().ok();
        Self { attached: true }
    }

    /// For a process that stays in the foreground: every word is dropped.
    #[must_use]
    pub fn in_foreground() -> Self {
        Self { attached: false }
    }

    /// Tells what goes on while the program is not up yet.
    pub fn note(&self, text: &str) {
        self.say(NOTE, text);
    }

    /// The program is up: says so, also to a service manager that waits for it, and lets go of the
    /// terminal.
    pub fn ready(mut self, text: &str) {
        // Fails where there is no service manager any more; the program is up all the same.
        sd_notify::notify(&[NotifyState::Ready]).ok();
        self.say(READY, text);
        self.detach();
    }

    /// The program cannot come up: says why.
    pub fn failed(mut self, text: &str) {
        self.say(FAILED, text);
        self.detach();
    }

    fn say(&self, word: &str, text: &str) {
        if self.attached {
            let line = format!("{word} {}\n", text.replace('\n', " "));
            let mut stdout = io::stdout().lock();
            // Nobody may listen any more, which is no reason to end.
            stdout
                .write_all(line.as_bytes())
                .and_then(|()| stdout.flush())
                .ok();
        }
    }

    fn detach(&mut self) {
        if std::mem::take(&mut self.attached)
            && let Ok(null) = File::options().write(true).open("/dev/null")
        {
            // Fails only where there is no such device; the terminal is then kept.
            rustix::stdio::dup2_stdout(null.as_fd()).ok();
            rustix::stdio::dup2_stderr(null.as_fd()).ok();
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
