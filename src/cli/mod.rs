//! Command lines: arguments, messages, exit codes. One verb, one file.
//!
//! Invariants: requested output goes to standard output, error messages go to standard error. The
//! exit code is 0 for success, 1 for a failure and 2 for an invalid command line or configuration.

mod arguments;
mod buildbot;
#[cfg(unix)]
mod buildmaster;
mod buildslave;
mod elsewhere;
mod hook;
mod mail_change;
#[cfg(windows)]
mod no_master;
mod program;
mod surroundings;

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Parser};

#[cfg(unix)]
use self::buildmaster::{Cli, buildmaster};
#[cfg(windows)]
use self::no_master::{Cli, buildmaster};
use self::program::Program;
use crate::text::Harmless;

/// How to call the other two programs.
const SAME_FILE: &str = "This program also acts as buildbot and buildslave. Create links to it with these \
    names, or write the name first: `buildmaster buildslave start DIR`.";

/// Exit code for a wrong command line or configuration.
const USAGE: u8 = 2;

/// The program that `args` call: `buildmaster`, `buildbot` or `buildslave`, by the name of the file
/// or by the first argument.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args: Vec<_> = args.into_iter().collect();
    match Program::called(&mut args) {
        Program::Buildmaster => buildmaster(args),
        Program::Buildbot => buildbot::buildbot(args),
        Program::Buildslave => buildslave::buildslave(args),
    }
}

/// The command lines of all programs, that of `buildmaster` first.
#[must_use]
pub fn program_commands() -> [Command; 3] {
    [
        arguments::command::<Cli>(),
        arguments::command::<buildbot::Arguments>(),
        arguments::command::<buildslave::Cli>(),
    ]
}

/// Reads a command line. Prints the error if the command line is invalid, or the requested help.
fn parse<T: Parser>(args: impl IntoIterator<Item = OsString>) -> Result<T, ExitCode> {
    arguments::parse(args).map_err(|error| {
        // Requested help is not an error; clap knows the stream and the exit code.
        let code = error.exit_code();
        if let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand) {
            let program = <T as CommandFactory>::command();
            let program = program.get_name();
            if let Some(advice) = elsewhere::advice(program, verb) {
                complain(&format!("{program}: error: {advice}"));
                return ExitCode::from(USAGE);
            }
        }
        let shows_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        if error.use_stderr() && !shows_help {
            let program = <T as CommandFactory>::command();
            drop(write!(io::stderr(), "{}: ", program.get_name()));
        }
        drop(error.print());
        ExitCode::from(u8::try_from(code).unwrap_or(USAGE))
    })
}

/// Runs `work` with `dir` as the current directory, then restores the current directory.
///
/// # Errors
/// The directory cannot be changed or restored, or `work` fails.
fn within<T>(dir: &Path, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let go = |to: &Path| {
        std::env::set_current_dir(to)
            .with_context(|| format!("cannot change to the directory {}", to.display()))
    };
    let here = std::env::current_dir().context("cannot determine the current directory")?;
    go(dir)?;
    let done = work();
    go(&here)?;
    done
}

/// Prints requested output. A closed pipe is not an error.
fn say(text: &str) {
    let out = io::stdout().lock();
    let is_terminal = out.is_terminal();
    drop(print_line(out, is_terminal, text));
}

/// Lets `write` print requested output of any length. A closed pipe is not an error.
///
/// # Errors
/// The output cannot be written.
fn write_out(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(e).context("cannot write to standard output")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints an error message or a warning.
fn complain(text: &str) {
    let out = io::stderr().lock();
    let is_terminal = out.is_terminal();
    drop(print_line(out, is_terminal, text.trim_end()));
}

/// Prints lines. On a terminal, control sequences from outside are made harmless.
fn print_line(mut out: impl Write, is_terminal: bool, text: &str) -> io::Result<()> {
    if is_terminal {
        let mut out = Harmless::new(&mut out, true);
        out.write_all(text.as_bytes())?;
        out.finish()?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    writeln!(out)?;
    out.flush()
}
