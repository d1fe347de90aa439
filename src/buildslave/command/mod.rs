//! The commands that a master can run on the slave (PROTOCOL section 10).
//!
//! [`Command::parse`] reads a command from its arguments. A mistake in them is the answer to
//! `startCommand`. [`Command::run`] then runs the command, which puts its updates into its
//! [`Outlet`], and ends by itself or soon after a [`Stop`].

mod activity;
mod args;
mod directory;
mod files;
mod follow;
mod glob;
mod header;
mod in_turn;
mod outlet;
mod process;
mod shell;
mod source;
#[cfg(test)]
mod tests;
mod transfer;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

pub(super) use self::outlet::{Delivery, Outlet};

use self::args::Args;
use self::shell::ShellRefusal;
use super::Settings;
use crate::net::Peer;
use crate::pb::{Failure, Value};
use crate::protocol::{TextStyle, Update};

/// Every command there is, as announced. Beside it, a command is a row in [`Command::parse`] and in
/// [`Command::run`].
pub(super) const COMMANDS: &[&str] = &[
    "bk",
    "bzr",
    "cpdir",
    "cvs",
    "darcs",
    "downloadFile",
    "git",
    "glob",
    "hg",
    "listdir",
    "mkdir",
    "mtn",
    "p4",
    "repo",
    "rmdir",
    "rmfile",
    "shell",
    "stat",
    "svn",
    "uploadDirectory",
    "uploadFile",
];

/// A command that can be run.
#[derive(Debug)]
pub(super) struct Command(Kind);

#[derive(Debug)]
enum Kind {
    Shell(Box<shell::Shell>),
    /// Starts, and fails.
    Failing(Failure),
    Files(files::FileCommand),
    Source(Box<source::SourceCommand>),
    Upload(transfer::Upload),
    UploadDirectory(directory::UploadDirectory),
    Download(transfer::Download),
}

/// What a command has to do with.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) settings: Arc<Settings>,
    /// The builder's directory.
    pub(super) dir: PathBuf,
    /// The master; for objects of it that a command was given. Absent in tests without one.
    pub(super) peer: Option<Peer>,
    /// How the master spells texts.
    pub(super) style: TextStyle,
    pub(super) outlet: Outlet,
    pub(super) stop: StopSignal,
}

/// Why a command is to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    /// The master wants it; it ends the usual way.
    Interrupted,
    /// Nobody is there to be told.
    Abandoned,
}

/// Where a command sees that it is to end.
#[derive(Clone, Debug)]
pub(super) struct StopSignal(watch::Receiver<Option<Stop>>);

impl StopSignal {
    /// The signal and what gives it.
    pub(super) fn new() -> (watch::Sender<Option<Stop>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Waits until the command is to end. Whoever could have said so being gone is as good.
    pub(super) async fn wait(&mut self) -> Stop {
        let stop = self.0.wait_for(Option::is_some).await;
        stop.map_or(Stop::Abandoned, |stop| stop.unwrap_or(Stop::Abandoned))
    }

    /// Waits until nobody is there to be told.
    pub(super) async fn abandoned(&mut self) {
        // The sender being gone means the same.
        self.0
            .wait_for(|stop| *stop == Some(Stop::Abandoned))
            .await
            .ok();
    }

    /// Whether the command is to end.
    pub(super) fn is_given(&self) -> bool {
        self.0.borrow().is_some()
    }
}

impl Command {
    /// Reads a command.
    ///
    /// # Errors
    /// It is unknown, or its arguments make no sense.
    pub(super) fn parse(name: &str, args: &Value) -> Result<Self, Failure> {
        let args = Args::new(name, args);
        Ok(Self(match name {
            "shell" => match shell::Shell::parse(&args) {
                Ok(shell) => Kind::Shell(Box::new(shell)),
                Err(ShellRefusal::Later(failure)) => Kind::Failing(failure),
                Err(ShellRefusal::AtStart(failure)) => return Err(failure),
            },
            "uploadFile" => Kind::Upload(transfer::Upload::parse(&args)?),
            "uploadDirectory" => Kind::UploadDirectory(directory::UploadDirectory::parse(&args)?),
            "downloadFile" => Kind::Download(transfer::Download::parse(&args)?),
            name if source::COMMANDS.contains(&name) => {
                Kind::Source(Box::new(source::SourceCommand::parse(name, &args)?))
            }
            _ => Kind::Files(files::FileCommand::parse(name, &args)?),
        }))
    }

    /// Whether it ends at once and cannot be stopped. Buildbot's slaves finish these before they
    /// take another call, so masters start several together.
    pub(super) const fn is_quick(&self) -> bool {
        match &self.0 {
            Kind::Files(command) => command.is_quick(),
            Kind::Shell(_)
            | Kind::Failing(_)
            | Kind::Source(_)
            | Kind::Upload(_)
            | Kind::UploadDirectory(_)
            | Kind::Download(_) => false,
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// The slave itself failed; an exit status is not an error.
    pub(super) async fn run(self, mut context: Context) -> Result<(), Failure> {
        let started = Instant::now();
        match self.0 {
            Kind::Shell(shell) => shell.run(&mut context).await?,
            Kind::Failing(failure) => return Err(failure),
            Kind::Files(command) => command.run(&mut context).await?,
            Kind::Source(command) => command.run(&mut context).await?,
            Kind::Upload(upload) => upload.run(&mut context).await?,
            Kind::UploadDirectory(upload) => upload.run(&mut context).await?,
            Kind::Download(download) => download.run(&mut context).await?,
        }
        // Buildbot's slaves do not tell it of a command that was interrupted.
        if !context.stop.is_given() {
            let elapsed = started.elapsed().as_secs_f64();
            context.outlet.say(Update::Elapsed(elapsed)).await;
        }
        Ok(())
    }
}
