//! `buildbot hook`: what the hooks of repositories call.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Subcommand;

use super::complain;
use super::surroundings::block_on;
use crate::client::hook::{self, Layout, Outcome, Place, Settings};
use crate::client::{Failed, mail_change};
use crate::process::{Program, Streams};
use crate::vc::Vc;

#[derive(Debug, clap::Args)]
pub(super) struct HookArguments {
    #[command(subcommand)]
    command: HookCommand,
}

#[derive(Debug, Subcommand)]
enum HookCommand {
    /// Send the commits of a push to a Git repository, as its post-receive hook.
    Git,
    /// Send a commit to a Subversion repository, as its post-commit hook.
    Svn {
        /// Repository and revision, as Subversion gives them.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Send the revisions of a push to a Mercurial repository, as its changegroup, incoming or
    /// commit hook.
    Hg,
    /// Send the new revisions of a Bazaar branch, as its post_change_branch_tip hook.
    Bzr {
        /// Branch, old revision and new revision.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Send a commit to a CVS repository, called by CVSROOT/loginfo.
    ///
    /// CVS calls it for each directory; the directories of a commit are gathered for 5 seconds.
    Cvs {
        /// Directory and files, as CVS gives them for %p %{sVv}.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Send the patches of a push to a Darcs repository, as the posthook of apply.
    Darcs,
    /// Install the hook of a repository.
    Install(Box<InstallArguments>),
    /// Send a sample change, to see whether the master takes the changes of a repository.
    Test {
        /// The repository.
        dir: PathBuf,
    },
    /// Send the changes that the master has not taken yet.
    Flush {
        /// The repository.
        dir: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct InstallArguments {
    /// Version control system: git, svn, hg, bzr, cvs or darcs.
    vc: String,
    /// The repository.
    dir: PathBuf,
    /// Address of the build master.
    #[arg(short, long, value_name = "HOST:PORT")]
    master: String,
    /// User and password of the change source [default: change:changepw].
    #[arg(
        short,
        long,
        value_name = "USER:PASSWORD",
        conflicts_with = "password_file"
    )]
    auth: Option<String>,
    /// User of the change source, with --password-file.
    #[arg(long, conflicts_with = "auth")]
    user: Option<String>,
    /// File with the password; everybody who pushes must be able to read it.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Repository as the master knows it [default: its directory].
    #[arg(short = 'R', long)]
    repository: Option<String>,
    /// Project of the changes.
    #[arg(short = 'P', long)]
    project: Option<String>,
    /// Codebase of the changes.
    #[arg(long)]
    codebase: Option<String>,
    /// Category of the changes.
    #[arg(short = 'C', long)]
    category: Option<String>,
    /// Link to a revision, with %s in place of the revision.
    #[arg(short = 'l', long, value_name = "URL")]
    revlink: Option<String>,
    /// Encoding of messages and names that are not UTF-8 [default: utf-8].
    #[arg(long)]
    encoding: Option<String>,
    /// Send tags too, as changes of branches such as refs/tags/v1 (Git).
    #[arg(long)]
    tags: bool,
    /// Where the branches are (Subversion).
    #[arg(long, value_enum, default_value_t)]
    layout: Layout,
}

pub(super) fn run_hook(arguments: HookArguments) -> Result<u8, Failed> {
    match arguments.command {
        HookCommand::Git => pushed(Vc::Git, None, &[]),
        HookCommand::Hg => pushed(Vc::Hg, None, &[]),
        HookCommand::Darcs => pushed(Vc::Darcs, None, &[]),
        HookCommand::Svn { words } => pushed(Vc::Svn, words.first(), &words),
        HookCommand::Bzr { words } => pushed(Vc::Bzr, words.first(), &words),
        HookCommand::Cvs { words } => pushed(Vc::Cvs, None, &words),
        HookCommand::Install(arguments) => install(*arguments),
        HookCommand::Test { dir } => {
            let place = Place::detect(&dir)?;
            report(block_on(async |tasks| hook::test(&place, &tasks).await)?)
        }
        HookCommand::Flush { dir } => {
            let place = Place::detect(&dir)?;
            report(block_on(async |tasks| hook::flush(&place, &tasks).await)?)
        }
    }
}

/// Runs a hook. The push has happened, so nothing that goes wrong here makes it fail (HKN-03).
fn pushed(vc: Vc, dir: Option<&String>, words: &[String]) -> Result<u8, Failed> {
    let run = || {
        let place = Place::of(vc, dir.map(Path::new))?;
        let outcome = block_on(async |tasks| {
            let outcome = hook::run(&place, words, &tasks).await?;
            if outcome.goes_on {
                go_on(&place);
            }
            Ok(outcome)
        })?;
        Ok::<_, Failed>(outcome.notes)
    };
    let notes = run().unwrap_or_else(|failed| vec![failed.to_string()]);
    for note in notes {
        complain(&format!("buildbot: {note}"));
    }
    Ok(0)
}

/// Starts a process that sends the rest, for which nobody waits.
fn go_on(place: &Place) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let words = ["buildbot", "hook", "flush"].map(OsString::from);
    let words = words.into_iter().chain([place.dir.clone().into()]);
    let program = Program {
        runs_on: true,
        ..Program::new(std::iter::once(program.into_os_string()).chain(words))
    };
    let started = program.start(Streams {
        stdin: Stdio::null(),
        stdout: Stdio::null(),
        stderr: Stdio::null(),
    });
    if let Err(error) = started {
        complain(&format!(
            "buildbot: the rest is sent with the next push: {error}"
        ));
    }
}

fn install(arguments: InstallArguments) -> Result<u8, Failed> {
    let vc: Vc = arguments
        .vc
        .parse()
        .map_err(|error| Failed::Usage(format!("{error}")))?;
    let place = Place::of(vc, Some(&arguments.dir))?;
    let (user, password) = match arguments.auth {
        None => (arguments.user, None),
        Some(auth) => match auth.split_once(':') {
            Some((user, password)) => (Some(user.to_owned()), Some(password.to_owned())),
            None => {
                return Err(Failed::Usage(
                    "--auth must have the form USER:PASSWORD".to_owned(),
                ));
            }
        },
    };
    if let Some(name) = &arguments.encoding {
        mail_change::encoding(name)?;
    }
    let settings = Settings {
        master: arguments.master,
        user,
        password,
        password_file: arguments.password_file,
        repository: arguments.repository,
        project: arguments.project,
        codebase: arguments.codebase,
        category: arguments.category,
        revlink: arguments.revlink,
        encoding: arguments.encoding,
        tags: arguments.tags,
        layout: arguments.layout,
    };
    let program = std::env::current_exe().map_err(|error| Failed::NotDone(error.to_string()))?;
    let written = block_on(async |_tasks| hook::install(&place, &settings, &program).await)?;
    let mut out = io::stdout();
    for line in written {
        writeln!(out, "{line}").ok();
    }
    let dir = place.dir.display();
    writeln!(out, "try it with: buildbot hook test {dir}").ok();
    Ok(0)
}

fn report(outcome: Outcome) -> Result<u8, Failed> {
    for note in outcome.notes {
        complain(&format!("buildbot: {note}"));
    }
    Ok(u8::from(!outcome.is_sent))
}
