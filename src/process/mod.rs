//! Runs programs.
//!
//! [`Program::start`] starts one and leaves its streams to the caller, as the native slave wants it.
//! [`run`] runs one to its end within [`Limits`], feeds it and hands its output to [`Sink`]s.
//!
//! Invariants: a program that is not waited for any more is killed, with its process group if it has
//! one of its own, unless it is meant to run on; a limit that is reached ends the program and is reported as such, never as the
//! program's own end; memory for output is bounded by its sinks.
//!
//! Where to start reading: [`Program`], then `run`.

mod output;
mod run;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

pub use output::{Beginning, Lines, Output, Sink, Whole};
pub use run::{Ended, How, Limits, run};

/// The variables of an environment.
pub type Environment = BTreeMap<OsString, OsString>;

/// A program, and what surrounds it.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    /// The directory that it runs in; absent: that of this process.
    pub directory: Option<PathBuf>,
    /// Its whole environment; absent: that of this process.
    pub environment: Option<Environment>,
    /// Which processes a signal to it reaches.
    pub group: Group,
    /// Whether it runs on when nobody waits for it any more; killed otherwise.
    pub runs_on: bool,
}

/// Which processes a signal to a program reaches.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Group {
    /// A process group of its own: the program and the processes that it has started.
    #[default]
    Own,
    /// The session that the program makes for itself when it has started.
    OwnSession,
    /// The program alone. It stays in the process group of this process, as a program must that asks
    /// a person something on the terminal.
    Shared,
}

/// The standard streams of a program.
#[derive(Debug)]
pub struct Streams {
    /// Standard input.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
}

/// A program that was started. Killed when it is dropped before its end is known, unless it
/// [runs on](Program::runs_on).
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Option<Pid>,
    group: Group,
    runs_on: bool,
    has_ended: bool,
}

impl Program {
    /// A program by its words, with the directory and the environment of this process.
    pub fn new(words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// There are no words, or the system cannot start it.
    pub fn start(&self, streams: Streams) -> io::Result<Process> {
        let (program, args) = self
            .words
            .split_first()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(streams.stdin)
            .stdout(streams.stdout)
            .stderr(streams.stderr);
        if let Some(environment) = &self.environment {
            command.env_clear().envs(environment);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        match self.group {
            Group::Own => {
                command.process_group(0);
            }
            Group::OwnSession | Group::Shared => {}
        }
        let child = command.spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Ok(Process {
            child,
            pid: pid.and_then(Pid::from_raw),
            group: self.group,
            runs_on: self.runs_on,
            has_ended: false,
        })
    }
}

impl Process {
    /// Takes our end of its standard input, if that is piped and was not taken.
    pub const fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Takes our end of its standard output, if that is piped and was not taken.
    pub const fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Takes our end of its standard error, if that is piped and was not taken.
    pub const fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for its end, and closes a standard input that was not taken. Cancel-safe.
    ///
    /// # Errors
    /// The system does not tell.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.has_ended |= status.is_ok();
        status
    }

    /// Sends a signal, to what is left of its group also after the program itself has ended.
    pub fn signal(&self, signal: Signal) {
        let Some(pid) = self.pid else { return };
        let is_sent = match self.group {
            // It fails until the program has made its session.
            Group::Own | Group::OwnSession => kill_process_group(pid, signal).is_ok(),
            Group::Shared => false,
        };
        if !is_sent && !self.has_ended {
            // It may just have ended.
            kill_process(pid, signal).unwrap_or_default();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended && !self.runs_on {
            self.signal(Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

    use super::*;

    fn streams() -> Streams {
        Streams {
            stdin: Stdio::null(),
            stdout: Stdio::piped(),
            stderr: Stdio::null(),
        }
    }

    #[tokio::test]
    async fn a_program_that_is_dropped_is_killed_with_its_group() {
        let words = ["sh", "-c", "sleep 600 & echo begun; wait"];
        let mut process = Program::new(words).start(streams()).unwrap();
        let mut stdout = BufReader::new(process.take_stdout().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).await.unwrap();
        assert_eq!(line, "begun\n");
        drop(process);
        // The end of the output: nobody has the pipe any more.
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    }

    #[tokio::test]
    async fn a_program_has_the_directory_and_the_environment_that_it_is_given() {
        let directory = tempfile::tempdir().unwrap();
        let program = Program {
            directory: Some(directory.path().to_owned()),
            environment: Some([("A".into(), "b".into())].into()),
            ..Program::new(["/bin/sh", "-c", "echo $A; pwd -P"])
        };
        let mut process = program.start(streams()).unwrap();
        let mut text = String::new();
        let mut stdout = process.take_stdout().unwrap();
        stdout.read_to_string(&mut text).await.unwrap();
        assert!(process.wait().await.unwrap().success());
        let path = directory.path().canonicalize().unwrap();
        assert_eq!(text, format!("b\n{}\n", path.display()));
    }

    #[test]
    fn no_words_are_no_program() {
        let error = Program::default().start(streams()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
