//! `show builds`: the newest builds.

use std::io;

use clap::Args;

use super::build::{took, verdict};
use super::fields::{heading, runs};
use super::output::Output;
use super::screen::{Screen, headline};
use super::source::Source;
use super::wait;
use crate::cli::buildmaster::names::check_builder;
use crate::model::BuilderName;
use crate::text::commas;
use crate::text::table::Cell;
use crate::view::{Build, Moment};

/// Which builds.
#[derive(Args, Clone, Debug)]
pub(super) struct BuildsArgs {
    /// List only builds of this builder
    builder: Option<String>,
    /// Wait until there are builds, and until nothing that leads to one is under way: builds that
    /// run, requests, and changes that wait for their tree to be stable
    #[arg(long)]
    wait: bool,
}

impl BuildsArgs {
    fn builder(&self) -> Option<BuilderName> {
        self.builder.as_deref().map(BuilderName::from)
    }

    /// Waits, if that is asked for.
    pub(super) fn wait(
        &self,
        source: &mut Source<'_>,
        screen: &mut Screen<'_>,
    ) -> anyhow::Result<()> {
        if !self.wait {
            return Ok(());
        }
        let (state, builder) = (source.state()?, self.builder());
        if let Some(builder) = &builder {
            check_builder(state, builder)?;
        }
        wait::until_quiet(state, builder.as_ref(), screen)?;
        source.look_again();
        Ok(())
    }
}

/// Shows the newest builds.
pub(super) fn show(
    source: &Source<'_>,
    out: &mut Output<'_, '_>,
    args: &BuildsArgs,
) -> anyhow::Result<()> {
    let (state, builder) = (source.state()?, args.builder());
    if let Some(builder) = &builder {
        check_builder(state, builder)?;
    }
    let builds = Build::newest(state, builder.as_ref(), out.limit(), source.moment)?;
    out.print(&builds, |screen, builds| {
        page(screen, builds, source.moment)
    })
}

/// Prints the newest builds.
fn page(screen: &mut Screen<'_>, builds: &[Build], moment: Moment) -> io::Result<()> {
    if builds.is_empty() {
        return screen.line("no builds yet");
    }
    let mut rows = vec![heading(&[
        "builder", "build", "result", "started", "took", "branch", "rev", "who", "slave",
        "changes", "reason",
    ])];
    for build in builds {
        let branch = match (build.branch.as_deref().unwrap_or_default(), build.is_try) {
            (branch, false) => branch.to_owned(),
            ("", true) => "try".to_owned(),
            (branch, true) => format!("{branch}, try"),
        };
        rows.push(vec![
            build.builder.as_str().into(),
            Cell::kept(build.number),
            verdict(build, moment),
            screen.moment(build.started_at),
            Cell::kept(took(build.took)),
            Cell::from(branch).at_least(6),
            headline(build.revision.as_deref().unwrap_or_default()).into(),
            headline(&commas(&build.blamelist)).into(),
            build.slave.as_str().into(),
            runs(build.changes.iter().map(|change| change.0)).into(),
            headline(&build.reason).into(),
        ]);
    }
    screen.table(&rows)
}
