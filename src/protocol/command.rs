//! Remote commands: what is asked and what is said, without spelling (PROTOCOL sections 9.3 and 10).

use bytes::Bytes;

use crate::pb::{Luid, Value};

use super::SlaveInfo;
use super::files::{DownloadArgs, RmdirArgs, StatArgs};

/// Arguments of a remote command, before they are spelled for a slave.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandArgs {
    /// `shell`.
    Shell(Box<ShellArgs>),
    /// `stat`: whether a file or directory is there.
    Stat(StatArgs),
    /// `rmdir`: removes a directory with all that is in it, or a file.
    Rmdir(RmdirArgs),
    /// `downloadFile`: writes a file on the slave.
    DownloadFile(DownloadArgs),
}

impl CommandArgs {
    /// The command's name on the wire. A slave before 0.8.3 has no file commands; it is sent a `shell` that does the
    /// same, so that all are of use with every slave.
    #[must_use]
    pub fn name(&self, slave: &SlaveInfo) -> &'static str {
        match self {
            Self::Shell(_) => "shell",
            Self::Stat(args) => args.name(slave),
            Self::Rmdir(args) => args.name(slave),
            Self::DownloadFile(_) => "downloadFile",
        }
    }

    /// The dictionary of arguments, spelled for `slave`. `reader` is the object that serves [`CommandArgs::content`].
    #[must_use]
    pub fn to_value(&self, slave: &SlaveInfo, reader: Option<Luid>) -> Value {
        match self {
            Self::Shell(args) => args.to_value(slave),
            Self::Stat(args) => args.to_value(slave),
            Self::Rmdir(args) => args.to_value(slave),
            Self::DownloadFile(args) => args.to_value(slave, reader),
        }
    }

    /// What the slave is to read from an object of the master while the command runs.
    #[must_use]
    pub const fn content(&self) -> Option<&Bytes> {
        match self {
            Self::DownloadFile(args) => Some(&args.content),
            Self::Shell(_) | Self::Stat(_) | Self::Rmdir(_) => None,
        }
    }
}

/// Arguments of `shell` (PROTOCOL section 10.2). Texts are bytes, so that what is not UTF-8 can be said to a slave
/// that takes bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct ShellArgs {
    /// What to run.
    pub command: ShellCommand,
    /// Directory below the builder's, or absolute.
    pub workdir: String,
    /// Added to the slave's environment; a value of `None` removes the variable.
    pub env: Vec<(String, Option<String>)>,
    /// Added where neither `env` nor the slave's own environment says otherwise.
    pub default_env: Vec<DefaultVariable>,
    /// Written to the command, which then sees the end of its input.
    pub initial_stdin: Option<Bytes>,
    /// Whether output is sent.
    pub want_stdout: bool,
    /// Whether output is sent.
    pub want_stderr: bool,
    /// Log name, path below the work directory, and whether to start at the file's present end.
    pub logfiles: Vec<(String, String, bool)>,
    /// Seconds without output after which the command is killed.
    pub timeout: Option<f64>,
    /// Seconds after which the command is killed.
    pub max_time: Option<f64>,
    /// Seconds between SIGTERM and the harder signal.
    pub sigterm_time: Option<f64>,
    /// Signal that kills it, without `SIG`; the slave's default is KILL.
    pub interrupt_signal: Option<String>,
    /// Whether to run it on a pseudo terminal; absent: as the slave is configured (a worker from 3.0 on is told no).
    pub use_pty: Option<bool>,
    /// Whether the environment is shown in the log.
    pub log_environ: bool,
    /// Lines of output after which the command is killed (workers from 4.1 on).
    pub max_lines: Option<u64>,
}

impl ShellArgs {
    /// Runs `words` in `workdir`, with the slave's own environment and limits.
    #[must_use]
    pub fn words<'w>(words: impl IntoIterator<Item = &'w str>, workdir: &str) -> Self {
        let words = words.into_iter().map(|word| Word::Plain(word.to_owned()));
        Self {
            command: ShellCommand::Words(words.collect()),
            workdir: workdir.to_owned(),
            env: Vec::new(),
            default_env: Vec::new(),
            initial_stdin: None,
            want_stdout: true,
            want_stderr: true,
            logfiles: Vec::new(),
            timeout: None,
            max_time: None,
            sigterm_time: None,
            interrupt_signal: None,
            use_pty: None,
            log_environ: true,
            max_lines: None,
        }
    }
}

/// A variable that a command is given unless the environment has it, or another one that does the
/// same, already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DefaultVariable {
    /// Its name.
    pub name: PromptVariable,
    /// Its value.
    pub value: &'static str,
    /// Other variables that make it superfluous.
    pub unless: &'static [PromptVariable],
}

/// A variable of the environment that decides whether and how a program asks people for a
/// password.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PromptVariable {
    /// Whether git asks on the terminal.
    GitTerminalPrompt,
    /// The program that git asks by.
    GitAskpass,
    /// The ssh command line of git.
    GitSshCommand,
    /// The ssh program of git.
    GitSsh,
    /// The program that ssh asks by.
    SshAskpass,
    /// Whether ssh asks by that program even where it has a terminal.
    SshAskpassRequire,
    /// Whether the credential manager of Windows and macOS opens windows.
    GcmInteractive,
}

impl PromptVariable {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::GitTerminalPrompt,
        Self::GitAskpass,
        Self::GitSshCommand,
        Self::GitSsh,
        Self::SshAskpass,
        Self::SshAskpassRequire,
        Self::GcmInteractive,
    ];

    /// Its name in the environment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitTerminalPrompt => "GIT_TERMINAL_PROMPT",
            Self::GitAskpass => "GIT_ASKPASS",
            Self::GitSshCommand => "GIT_SSH_COMMAND",
            Self::GitSsh => "GIT_SSH",
            Self::SshAskpass => "SSH_ASKPASS",
            Self::SshAskpassRequire => "SSH_ASKPASS_REQUIRE",
            Self::GcmInteractive => "GCM_INTERACTIVE",
        }
    }
}

/// A command: a line for the shell, or words.
#[derive(Clone, Debug, PartialEq)]
pub enum ShellCommand {
    /// Run by `/bin/sh -c`.
    Line(String),
    /// Run as it is.
    Words(Vec<Word>),
}

/// One word of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// A word.
    Plain(String),
    /// A word that is shown as another (PROTOCOL section 10.2).
    Obfuscated {
        /// What is run.
        real: String,
        /// What is shown.
        shown: String,
    },
}

/// One thing a running command says (PROTOCOL section 10.1).
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// Output.
    Stdout(Bytes),
    /// Output.
    Stderr(Bytes),
    /// What the slave says about the command.
    Header(Bytes),
    /// A piece of a followed file.
    Log {
        /// The log's name.
        name: String,
        /// The piece.
        data: Bytes,
    },
    /// Exit status; −1 when killed by a signal.
    Rc(i64),
    /// Seconds it ran.
    Elapsed(f64),
    /// Why the slave killed it (workers from 3.10 on).
    FailureReason(String),
    /// Anything else: `stat`, `files`, `got_revision` …
    Other {
        /// Its key.
        key: String,
        /// Its value.
        value: Value,
    },
}
