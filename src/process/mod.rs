//! Runs programs.
//!
//! [`Program::start`] starts a program and leaves its streams to the caller, for the native slave.
//! [`pty::start`] starts one on a pseudo terminal.
//! [`run`] runs a program until its end within [`Limits`], writes its input and passes its output
//! to [`Sink`]s. [`ask`] runs one that answers a question.
//!
//! Invariants: a program whose handle is dropped is killed, together with its own process group,
//! unless it is set to run on. A program that exceeds a limit is ended, and the limit is reported,
//! never an end of its own. The sinks limit the memory for output.
//!
//! Where to start reading: [`Program`], then `run`.

mod asked;
mod output;
#[cfg(windows)]
#[path = "no_pty.rs"]
pub mod pty;
#[cfg(unix)]
pub mod pty;
mod run;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use crate::platform::{self, Processes, Signal};

pub use asked::ask;
pub use output::{Beginning, Lines, Output, Sink, Whole};
pub use run::{Ended, How, Limits, run};

/// The variables of an environment.
pub type Environment = BTreeMap<OsString, OsString>;

/// A program with its arguments and its environment.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    /// Working directory; absent: the directory of this process.
    pub directory: Option<PathBuf>,
    /// The whole environment; absent: the environment of this process.
    pub environment: Option<Environment>,
    /// The processes that a signal to the program reaches.
    pub group: Group,
    /// Whether the program runs on when its handle is dropped; killed otherwise.
    pub runs_on: bool,
}

/// The processes that a signal to a program reaches.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Group {
    /// A separate process group: the program and all processes that it starts.
    #[default]
    Own,
    /// The session that the program creates for itself after its start.
    OwnSession,
    /// The program alone, in the process group of this process. Programs that prompt on the
    /// terminal need this.
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

/// A running program. Killed when dropped before its end is known, unless it [runs
/// on](Program::runs_on).
#[derive(Debug)]
pub struct Process {
    child: Child,
    processes: Processes,
    group: Group,
    runs_on: bool,
    has_ended: bool,
}

impl Program {
    /// A program with its arguments, in the directory and environment of this process.
    pub fn new(words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Starts the program.
    ///
    /// # Errors
    /// The list is empty, or the system cannot start the program.
    pub fn start(&self, streams: Streams) -> io::Result<Process> {
        let path = self
            .environment
            .as_ref()
            .and_then(|all| all.get(OsStr::new("PATH")));
        let own_group = self.group == Group::Own;
        let command = platform::command(&self.words, path.map(|path| &**path), own_group);
        let mut command = command.ok_or(io::ErrorKind::InvalidInput)?;
        command
            .stdin(streams.stdin)
            .stdout(streams.stdout)
            .stderr(streams.stderr);
        if let Some(environment) = &self.environment {
            command.env_clear().envs(environment);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let child = command.spawn()?;
        let processes = Processes::of(&child, own_group && !self.runs_on)?;
        Ok(Process {
            child,
            processes,
            group: self.group,
            runs_on: self.runs_on,
            has_ended: false,
        })
    }
}

impl Process {
    /// Takes our end of the standard input, if it is piped and has not been taken.
    pub const fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Takes our end of the standard output, if it is piped and has not been taken.
    pub const fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Takes our end of the standard error, if it is piped and has not been taken.
    pub const fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits for the end of the program, and closes a standard input that has not been taken.
    /// Cancel-safe.
    ///
    /// # Errors
    /// The system cannot report the end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.has_ended |= status.is_ok();
        status
    }

    /// Sends a signal. It reaches the rest of the process group even after the program itself has
    /// ended.
    pub fn signal(&self, signal: Signal) {
        let is_sent = match self.group {
            // This fails until the program has created its session.
            Group::Own | Group::OwnSession => self.processes.signal_group(signal),
            Group::Shared => false,
        };
        if !is_sent && !self.has_ended {
            self.processes.signal_program(signal);
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
