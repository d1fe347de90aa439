//! `buildbot`: what developers and version-control hooks run.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use buildmaster::client::sendchange::Given;
use buildmaster::client::{Failed, OptionsFile, sendchange};
use buildmaster::net::Tasks;
use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tells a build master of changes.
#[derive(Debug, Parser)]
#[command(name = "buildbot", version, infer_long_args = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell a build master of a change.
    ///
    /// Options that are not given are taken from .buildbot/options, which is looked for in the current directory, those
    /// above it and the home directory: master, who, branch, category and vc.
    #[command(infer_long_args = true)]
    Sendchange(Box<SendchangeArguments>),
}

#[derive(Debug, clap::Args)]
struct SendchangeArguments {
    /// Address of the build master.
    #[arg(short, long, value_name = "HOST:PORT")]
    master: Option<OsString>,
    /// User and password; with a user alone the password is asked for [default: change:changepw].
    #[arg(short, long, value_name = "USER:PASSWORD")]
    auth: Option<OsString>,
    /// Author of the change.
    #[arg(short = 'W', long)]
    who: Option<OsString>,
    /// Repository of the change.
    #[arg(short = 'R', long)]
    repository: Option<OsString>,
    /// Version control system: cvs, svn, darcs, hg, bzr, git, mtn or p4.
    #[arg(short = 's', long)]
    vc: Option<OsString>,
    /// Project of the change.
    #[arg(short = 'P', long)]
    project: Option<OsString>,
    /// Branch of the change; without it the default branch.
    #[arg(short, long)]
    branch: Option<OsString>,
    /// Category of the change.
    #[arg(short = 'C', long)]
    category: Option<OsString>,
    /// Codebase of the change.
    #[arg(long)]
    codebase: Option<OsString>,
    /// Revision of the change.
    #[arg(short, long)]
    revision: Option<OsString>,
    /// File that has the revision in it.
    #[arg(long = "revision_file", alias = "revision-file", value_name = "FILE")]
    revision_file: Option<OsString>,
    /// Property of the change; may be repeated.
    #[arg(short, long = "property", value_name = "NAME:VALUE")]
    properties: Vec<OsString>,
    /// Commit message.
    #[arg(short, long)]
    comments: Option<OsString>,
    /// File that has the commit message in it; - is standard input.
    #[arg(short = 'F', long, value_name = "FILE")]
    logfile: Option<OsString>,
    /// When the change was made, in seconds since 1970.
    #[arg(short, long, value_name = "SECONDS", allow_negative_numbers = true)]
    when: Option<OsString>,
    /// Link to the revision.
    #[arg(short = 'l', long, value_name = "URL")]
    revlink: Option<OsString>,
    /// Encoding of all these: utf8, latin-1 or ascii [default: utf8].
    #[arg(short, long)]
    encoding: Option<String>,
    /// Files that changed.
    files: Vec<OsString>,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Sendchange(arguments) => run_sendchange(*arguments),
    };
    match done {
        Ok(message) => {
            // Who does not listen has still sent the change.
            writeln!(io::stdout(), "{message}").ok();
            ExitCode::SUCCESS
        }
        Err(failed) => {
            writeln!(io::stderr(), "buildbot: {failed}").ok();
            ExitCode::from(failed.exit_code())
        }
    }
}

fn run_sendchange(arguments: SendchangeArguments) -> Result<&'static str, Failed> {
    let usage = |e: &dyn std::error::Error| Failed::Usage(e.to_string());
    let here = std::env::current_dir().map_err(|e| usage(&e))?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let uid = rustix::process::getuid().as_raw();
    let options =
        OptionsFile::find(&here, home.as_deref(), uid, &mut io::stderr()).map_err(|e| usage(&e))?;
    let prepared = Given::from(arguments).prepare(&options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failed::NotDone(e.to_string()))?;
    let tasks = Tasks::new(TaskTracker::new(), CancellationToken::new());
    runtime.block_on(sendchange(&prepared, &tasks))?;
    Ok("change sent successfully")
}

impl From<SendchangeArguments> for Given {
    fn from(arguments: SendchangeArguments) -> Self {
        Self {
            master: arguments.master,
            auth: arguments.auth,
            who: arguments.who,
            repository: arguments.repository,
            vc: arguments.vc,
            project: arguments.project,
            branch: arguments.branch,
            category: arguments.category,
            codebase: arguments.codebase,
            revision: arguments.revision,
            revision_file: arguments.revision_file,
            properties: arguments.properties,
            comments: arguments.comments,
            logfile: arguments.logfile,
            when: arguments.when,
            revlink: arguments.revlink,
            encoding: arguments.encoding,
            files: arguments.files,
        }
    }
}
