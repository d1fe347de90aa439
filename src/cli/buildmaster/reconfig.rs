//! `buildmaster reconfig`: a running master takes its changed configuration (MAS-03).

use std::process::ExitCode;

use serde::Deserialize;

use super::asking::answer;
use super::base_dir::BaseDir;
use super::configuration::{Scope, Source, Tell};
use super::{USAGE, complain, say};
use crate::config::Difference;
use crate::control::Service;

/// Put the changed configuration of a running master in force, as a whole or not at all.
///
/// What has not changed is not disturbed. A builder that has changed keeps its queue, its slaves
/// and its running builds, which end as they began.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Reconfig {
    /// Only show what would change
    ///
    /// Everything that could fail is tried: passwords are read, ports and job directories are
    /// opened and closed again.
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Say nothing when all goes well.
    #[arg(long, short)]
    quiet: bool,
    /// Name everything that changes
    ///
    /// Without this option, five and more things of which the same is said share a line.
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    dir: BaseDir,
}

/// What the master says.
#[derive(Debug, Deserialize)]
struct Done {
    changes: Difference,
    /// The files that were read, in words.
    #[serde(default)]
    files: String,
    warnings: String,
    /// What keeps the configuration from being taken; empty if it is taken.
    #[serde(default)]
    problems: String,
}

impl Reconfig {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        // Checked here as well, so that the errors are shown here, with colours.
        let source = Source::of(self.dir.path());
        if source.load(Scope::File, Tell::Errors)?.is_none() {
            return Ok(refused());
        }
        let request = Service::Reconfigure {
            dry_run: self.dry_run,
        };
        let done: Done = serde_json::from_value(answer(self.dir.path(), request)?)?;
        if !done.problems.is_empty() {
            complain(&done.problems);
            return Ok(refused());
        }
        if !done.warnings.is_empty() && !self.quiet {
            complain(&done.warnings);
        }
        if self.quiet && !self.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        let lines = match self.verbose {
            true => done.changes.0.iter().map(ToString::to_string).collect(),
            false => done.changes.lines(),
        };
        for line in lines {
            say(&line);
        }
        let files = &done.files;
        say(&match (done.changes.is_empty(), self.dry_run) {
            (true, _) => format!("nothing has changed in {files}"),
            (false, true) => format!("nothing was done: this is what {files} would change"),
            (false, false) => format!("the new configuration is in force: {files}"),
        });
        Ok(ExitCode::SUCCESS)
    }
}

fn refused() -> ExitCode {
    complain("the configuration stays as it was");
    ExitCode::from(USAGE)
}
