//! Runs commands on a pseudo terminal.
//!
//! A command on a terminal must become the leader of a session between its fork and its exec. Only
//! a helper program can do this without `unsafe`. The helper is this program, started with a hidden
//! first argument: it makes the terminal on its standard input its controlling terminal and becomes
//! the command.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use rustix::pty::OpenptFlags;
use tokio::net::unix::pipe;

use super::{Group, Process, Program, Streams};

/// If this process was started to run a command on a pseudo terminal, becomes that command and does
/// not return. Every program that runs commands calls this function at the start of `main`.
pub fn maybe_exec() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|first| first != HELPER_OPTION) {
        return;
    }
    let error = exec(args);
    // Shown in the log of the step, through the terminal.
    writeln!(io::stderr(), "{error}").ok();
    #[expect(clippy::exit, reason = "the place of the command's own exit")]
    std::process::exit(1)
}

/// The program to start as the helper: this one, even if its file has been replaced.
#[must_use]
pub fn this_program() -> PathBuf {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return running.to_owned();
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("buildslave"))
}

/// Starts `program` on a new pseudo terminal, as the leader of a session, with the help of the
/// program `helper`. Returns also what it prints.
///
/// # Errors
/// The system has no more pseudo terminals, or cannot start the helper.
pub fn start(mut program: Program, helper: &Path) -> io::Result<(Process, pipe::Receiver)> {
    let (ours, theirs) = open()?;
    let words = [helper.into(), OsString::from(HELPER_OPTION)];
    program.words = words.into_iter().chain(program.words).collect();
    program.group = Group::OwnSession;
    // Only the command keeps the other end of the terminal; our copies are closed here.
    let process = program.start(Streams {
        stdin: Stdio::from(theirs.try_clone()?),
        stdout: Stdio::from(theirs.try_clone()?),
        stderr: Stdio::from(theirs),
    })?;
    let terminal = pipe::Receiver::from_file_unchecked(ours)?;
    Ok((process, terminal))
}

/// A new pseudo terminal: our side, which does not block, and the side of the command.
///
/// # Errors
/// The system has no more pseudo terminals.
fn open() -> io::Result<(File, OwnedFd)> {
    let ours = rustix::pty::openpt(OURS)?;
    // Where this is not done at once, a program that starts meanwhile may keep the terminal.
    rustix::io::fcntl_setfd(&ours, FdFlags::CLOEXEC)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let name = rustix::pty::ptsname(&ours, Vec::new())?;
    let theirs = rustix::fs::open(
        name.as_c_str(),
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((File::from(ours), theirs))
}

/// Becomes the command; returns only an error.
fn exec(mut argv: impl Iterator<Item = OsString>) -> io::Error {
    let Some(program) = argv.next() else {
        return io::Error::from(io::ErrorKind::InvalidInput);
    };
    if let Err(error) = rustix::process::setsid()
        .and_then(|_| rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()))
    {
        return error.into();
    }
    let error = Command::new(&program).args(argv).exec();
    io::Error::new(error.kind(), format!("{}: {error}", program.display()))
}

/// How our side of a terminal is opened.
#[cfg(target_os = "linux")]
const OURS: OpenptFlags = OpenptFlags::RDWR
    .union(OpenptFlags::NOCTTY)
    .union(OpenptFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const OURS: OpenptFlags = OpenptFlags::RDWR.union(OpenptFlags::NOCTTY);

const HELPER_OPTION: &str = "--exec-on-pty";
