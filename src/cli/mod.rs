//! Command lines: arguments, messages, exit codes. One verb, one file.
//!
//! Invariants: requested output goes to standard output, error messages go to standard error. The
//! exit code is 0 for success, 1 for a failure and 2 for an invalid command line or configuration.

mod arguments;
#[cfg(unix)]
mod asking;
#[cfg(unix)]
mod audit;
#[cfg(unix)]
mod backup;
#[cfg(unix)]
mod base_dir;
mod buildbot;
mod buildslave;
#[cfg(unix)]
mod checkconfig;
#[cfg(unix)]
mod completions;
#[cfg(unix)]
mod configuration;
#[cfg(unix)]
mod control;
#[cfg(unix)]
mod create_master;
#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod duty;
mod elsewhere;
#[cfg(unix)]
mod force;
#[cfg(unix)]
mod hash_password;
mod hook;
mod mail_change;
#[cfg(unix)]
mod man;
#[cfg(unix)]
mod may;
#[cfg(unix)]
mod moment;
#[cfg(unix)]
mod names;
#[cfg(unix)]
mod new_state;
#[cfg(unix)]
mod next_runs;
#[cfg(windows)]
mod no_master;
#[cfg(unix)]
mod nth;
#[cfg(unix)]
mod pause;
mod program;
#[cfg(unix)]
mod reconfig;
#[cfg(unix)]
mod show;
#[cfg(unix)]
mod simulate;
#[cfg(unix)]
mod sources;
#[cfg(unix)]
mod start;
#[cfg(unix)]
mod stop;
mod surroundings;
#[cfg(unix)]
mod systemd_unit;
#[cfg(unix)]
mod user;
#[cfg(unix)]
mod verify;
#[cfg(unix)]
mod why;

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Parser, Subcommand};

use self::program::Program;
use crate::text::Harmless;

#[cfg(windows)]
use no_master::{Cli, buildmaster};

/// A continuous-integration master to which every Buildbot slave connects.
#[cfg(unix)]
#[derive(Clone, Debug, Parser)]
#[command(name = "buildmaster", version, max_term_width = 100, after_help = SAME_FILE)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[cfg(unix)]
#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// Create a base directory with a small working configuration.
    CreateMaster(create_master::CreateMaster),
    /// Start a master and return when it is ready.
    Start(start::Start),
    /// Stop a running master.
    Stop(stop::Stop),
    /// Stop a running master and start it again.
    Restart(stop::Restart),
    /// Reconfigure a running master, or show what that would change.
    Reconfig(reconfig::Reconfig),
    /// Check a configuration and show all mistakes.
    Checkconfig(checkconfig::CheckConfig),
    Simulate(simulate::Simulate),
    /// Show builders, slaves, changes, requests, builds and logs from the state on disk.
    Show(show::ShowArgs),
    Status(show::Status),
    Why(why::Why),
    /// Request a build.
    Force(force::Force),
    /// Repeat a finished build.
    Rebuild(force::Rebuild),
    /// Give a slave no new builds, also after a restart.
    Pause(pause::Pause),
    /// Give builds to a paused slave again.
    Unpause(pause::Unpause),
    /// Start no new builds on a builder.
    PauseBuilder(pause::PauseBuilder),
    /// Start builds on a paused builder again.
    UnpauseBuilder(pause::UnpauseBuilder),
    /// Shut a slave down once it is idle, and give it no new builds until then.
    Graceful(pause::Graceful),
    /// Stop a build.
    StopBuild(control::StopBuild),
    /// Stop the build of a request, even before the build has a number.
    StopRequest(control::StopRequest),
    /// Cancel a pending request.
    Cancel(control::Cancel),
    /// Ping all slaves of a builder.
    Ping(control::Ping),
    /// Cancel a clean stop (`stop --clean`) and start builds again.
    CancelStop(control::CancelStop),
    May(may::May),
    User(user::User),
    Duty(duty::DutyArgs),
    Audit(audit::AuditArgs),
    /// Have change sources look for changes now.
    Sources(sources::Sources),
    /// Print the hash of a password for a try user.
    HashPassword(hash_password::HashPassword),
    Backup(backup::Backup),
    Verify(verify::Verify),
    NewState(new_state::NewState),
    SystemdUnit(systemd_unit::SystemdUnit),
    /// Show live how changes to a small git repository become builds on a local slave.
    Demo(demo::Demo),
    Completions(completions::Completions),
    Man(man::Man),
}

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

#[cfg(unix)]
fn buildmaster(args: Vec<OsString>) -> ExitCode {
    let cli = match parse::<Cli>(args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let done = match cli.verb {
        Verb::CreateMaster(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Start(verb) => verb.run(),
        Verb::Stop(verb) => verb.run(),
        Verb::Restart(verb) => verb.run(),
        Verb::Reconfig(verb) => verb.run(),
        Verb::Checkconfig(verb) => verb.run().map(|good| {
            if good {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            }
        }),
        Verb::Simulate(verb) => verb.run(),
        Verb::Show(verb) => show::run(&verb),
        Verb::Status(verb) => verb.run(),
        Verb::Why(verb) => verb.run(),
        Verb::Force(verb) => verb.run(),
        Verb::Rebuild(verb) => verb.run(),
        Verb::Pause(verb) => verb.run(),
        Verb::Unpause(verb) => verb.run(),
        Verb::PauseBuilder(verb) => verb.run(),
        Verb::UnpauseBuilder(verb) => verb.run(),
        Verb::Graceful(verb) => verb.run(),
        Verb::StopBuild(verb) => verb.run(),
        Verb::StopRequest(verb) => verb.run(),
        Verb::Cancel(verb) => verb.run(),
        Verb::Ping(verb) => verb.run(),
        Verb::CancelStop(verb) => verb.run(),
        Verb::May(verb) => verb.run(),
        Verb::User(verb) => verb.run(),
        Verb::Duty(verb) => verb.run(),
        Verb::Audit(verb) => verb.run(),
        Verb::Sources(verb) => verb.run(),
        Verb::HashPassword(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Backup(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Verify(verb) => verb.run(),
        Verb::NewState(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::SystemdUnit(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Demo(verb) => verb.run(),
        Verb::Completions(verb) => verb.run(),
        Verb::Man(verb) => verb.run(),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("buildmaster: error: {error:#}"));
        ExitCode::FAILURE
    })
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
