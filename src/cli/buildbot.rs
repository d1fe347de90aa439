//! `buildbot`: what developers and version-control hooks run.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::complain;
use super::hook::{HookArguments, run_hook};
use super::mail_change::{MailChangeArguments, run_mail_change};
use super::surroundings::{block_on, current_dir, find_options};
use crate::client::sendchange::Given;
#[cfg(unix)]
use crate::client::tryserver::tryserver;
use crate::client::{Failed, desktop, sendchange, statuslog, try_job};

/// Tells a build master of changes, has it try them, and shows what it does.
#[derive(Debug, Parser)]
#[command(name = "buildbot", version, infer_long_args = true)]
pub(super) struct Arguments {
    /// Accepted for Buildbot's sake.
    #[arg(long, hide = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell a build master of a change.
    ///
    /// Options that are not given are taken from .buildbot/options, which is looked for in the
    /// current directory, those above it and the home directory: master, who, branch, category and
    /// vc.
    #[command(infer_long_args = true)]
    Sendchange(Box<SendchangeArguments>),
    /// Tell a build master of what is pushed to a repository; what its hooks call.
    ///
    /// Changes that the master does not take wait beside the repository. A push never fails because
    /// of a hook, and waits for at most 2 seconds.
    Hook(HookArguments),
    /// Tell a build master of a commit mail on standard input; for a pipe of a mail server.
    ///
    /// Exit code: 0 if the master has the change, or the mail is about no commit; 65 if the mail is
    /// malformed; 75 if the mail server should try again later.
    #[command(infer_long_args = true)]
    MailChange(Box<MailChangeArguments>),
    /// Have a build master build what is in your working tree, before it is committed.
    ///
    /// Options that are not given are taken from .buildbot/options, which is looked for in the
    /// current directory, those above it and the home directory: try_connect, try_master,
    /// try_username, try_password and so on.
    ///
    /// Exit code: 0 if the job was taken and, with --wait, every build succeeded; 1 if not; 2 if
    /// the call was wrong, or the master refused the login or the job.
    #[command(infer_long_args = true)]
    Try(Box<try_job::Given>),
    /// Print what happens at a build master, line by line, until it ends.
    ///
    /// The master needs a status target of type PBListener. Without an address, masterstatus or
    /// master of .buildbot/options is used, which is looked for in the current directory, those
    /// above it and the home directory.
    #[command(infer_long_args = true)]
    Statuslog(statuslog::Given),
    /// Show on the desktop what a build master tells you, until this program is stopped.
    ///
    /// The master needs a status target of type PBListener whose user is you. It tells you of
    /// problems that you have been reminded of, or of all if your setting `notify` has the word
    /// live. The address is found as by statuslog.
    #[command(infer_long_args = true)]
    Desktop(desktop::Given),
    /// Put a try job from standard input into a job directory; what buildbot try starts through
    /// ssh.
    Tryserver(TryserverArguments),
}

#[derive(Debug, clap::Args)]
struct TryserverArguments {
    /// The job directory.
    #[arg(long, value_name = "DIR")]
    jobdir: PathBuf,
}

#[derive(Debug, clap::Args)]
struct SendchangeArguments {
    /// Address of the build master.
    #[arg(short, long, value_name = "HOST:PORT")]
    master: Option<OsString>,
    /// User and password; with a user alone the password is asked for [default: change:changepw].
    #[arg(short, long, value_name = "USER:PASSWORD")]
    auth: Option<OsString>,
    /// Author of the change; --username, as Buildbot 0.7 called it, is the same.
    #[arg(short = 'W', long, alias = "username", short_alias = 'u')]
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
    #[arg(short, long, alias = "revision_number", short_alias = 'n')]
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
    /// Time from which tree-stable timers count instead of the arrival of the change, in seconds
    /// since 1970.
    #[arg(short, long, value_name = "SECONDS")]
    when: Option<OsString>,
    /// When the commit was made, in seconds since 1970; it is shown with the change.
    #[arg(long, value_name = "SECONDS")]
    made_at: Option<OsString>,
    /// Send the change as a new one even if the master knows its revision.
    #[arg(long)]
    again: bool,
    /// Link to the revision.
    #[arg(short = 'l', long, value_name = "URL")]
    revlink: Option<OsString>,
    /// Encoding of all these: utf8, latin-1 or ascii [default: utf8].
    #[arg(short, long)]
    encoding: Option<String>,
    /// File with the names of more files that changed, one a line or separated by NUL characters; -
    /// is standard input.
    #[arg(long, value_name = "FILE")]
    files_from: Option<OsString>,
    /// Files that changed. Whatever follows the first of them is a file name too, also if it begins
    /// with a dash; a first one that does needs -- before it.
    #[arg(trailing_var_arg = true)]
    files: Vec<OsString>,
}

/// The program `buildbot`.
pub(super) fn buildbot(args: Vec<OsString>) -> ExitCode {
    let arguments = match super::parse::<Arguments>(args) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let done = match arguments.command {
        Command::Sendchange(arguments) => run_sendchange(*arguments),
        Command::Statuslog(given) => run_statuslog(&given),
        Command::Desktop(given) => run_desktop(&given),
        Command::Hook(arguments) => run_hook(arguments),
        Command::MailChange(arguments) => Ok(run_mail_change(*arguments)),
        Command::Try(given) => run_try(*given),
        Command::Tryserver(TryserverArguments { jobdir }) => run_tryserver(&jobdir),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failed) => {
            complain(&format!("buildbot: {failed}"));
            ExitCode::from(failed.exit_code())
        }
    }
}

fn run_sendchange(arguments: SendchangeArguments) -> Result<u8, Failed> {
    for option in options_among(&arguments.files) {
        complain(&format!(
            "buildbot: '{option}' follows the name of a file, so it is sent as one too; options stand before the files"
        ));
    }
    let options = find_options(&current_dir()?)?;
    let prepared = Given::from(arguments).prepare(&options)?;
    block_on(async |tasks| sendchange(&prepared, &tasks).await)?;
    // Who does not listen has still sent the change.
    writeln!(io::stdout(), "change sent successfully").ok();
    Ok(0)
}

/// Which of the files are called like options of `sendchange`.
fn options_among(files: &[OsString]) -> Vec<String> {
    let program = super::arguments::command::<Arguments>();
    let sendchange = program.find_subcommand("sendchange");
    let names: Vec<String> = sendchange
        .into_iter()
        .flat_map(|command| command.get_opts())
        .filter_map(|option| Some(format!("--{}", option.get_long()?)))
        .collect();
    let given = files.iter().skip(1).filter_map(|file| file.to_str());
    given
        .map(|file| file.split_once('=').map_or(file, |(name, _)| name))
        .filter(|name| names.iter().any(|known| known == name))
        .map(str::to_owned)
        .collect()
}

fn run_try(given: try_job::Given) -> Result<u8, Failed> {
    let here = current_dir()?;
    let settings = given.prepare(&find_options(&here)?)?;
    block_on(async |tasks| try_job::run(&settings, &here, &tasks).await)
}

fn run_statuslog(given: &statuslog::Given) -> Result<u8, Failed> {
    let options = find_options(&current_dir()?)?;
    block_on(async |tasks| statuslog(given, &options, &tasks, &mut io::stdout()).await)?;
    Ok(0)
}

fn run_desktop(given: &desktop::Given) -> Result<u8, Failed> {
    let options = find_options(&current_dir()?)?;
    block_on(async |tasks| desktop(given, &options, &tasks, &mut io::stdout()).await)?;
    Ok(0)
}

#[cfg(windows)]
fn run_tryserver(_: &Path) -> Result<u8, Failed> {
    let why = "tryserver: job directories are on the machine of the master, which needs Unix";
    Err(Failed::Usage(why.to_owned()))
}

#[cfg(unix)]
fn run_tryserver(jobdir: &Path) -> Result<u8, Failed> {
    tryserver(jobdir, &mut io::stdin().lock(), try_job::now_secs()?)?;
    Ok(0)
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
            made_at: arguments.made_at,
            again: arguments.again,
            revlink: arguments.revlink,
            encoding: arguments.encoding,
            files_from: arguments.files_from,
            files: arguments.files,
        }
    }
}
