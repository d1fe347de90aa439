//! `Mercurial`: the source of a build from a Mercurial repository (section 21).

#[cfg(test)]
mod tests;

use super::shell::Unrenderable;
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::{Location, MercurialStepConfig};
use crate::protocol::source::SourceValue;
use crate::vc::hg;
use crate::vc::patch;
use async_trait::async_trait;

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &MercurialStepConfig,
) -> Performed {
    let make = |step: &StepRun<'_>, wanted| Mercurial::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::Last, make).await
}

/// A checkout of a Mercurial repository.
struct Mercurial<'c> {
    config: &'c MercurialStepConfig,
    url: String,
    wanted: Wanted,
}

impl<'c> Mercurial<'c> {
    fn new(
        step: &StepRun<'_>,
        config: &'c MercurialStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        let mut url = source::address(step, &config.location, &wanted)?;
        let is_base = matches!(config.location, Location::BaseUrl(_));
        if config.branches_are_directories && !is_base {
            url = source::joined(&url, wanted.branch.as_deref().unwrap_or_default());
        }
        Ok(Self {
            config,
            url,
            wanted,
        })
    }

    async fn hg(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        let all = ["hg", "--noninteractive"].into_iter();
        at.run(words(all.chain(arguments.iter().copied()))).await
    }

    /// The branch in the repository.
    fn branch(&self) -> &str {
        let branch = self.wanted.branch.as_deref();
        branch
            .filter(|_| !self.config.branches_are_directories)
            .unwrap_or("default")
    }

    /// The commit that `revision` is on the server; nothing if the server does not tell.
    async fn look_up(&self, at: &mut Workspace<'_, '_>, revision: &str) -> Part<Option<String>> {
        let rev = format!("--rev={revision}");
        let words = words([
            "hg",
            "--noninteractive",
            "identify",
            "--debug",
            "--id",
            &rev,
            "--",
            &self.url,
        ]);
        let report = at.run_above(words).await?;
        Ok(hg::parse_node(&report.output).filter(|_| report.rc == Some(0)))
    }

    /// The commit to check out. The latest of a directory may be on a branch of any name.
    async fn target(&self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        if let Some(revision) = &self.wanted.revision {
            return Ok(Some(revision.clone()));
        }
        match self.look_up(at, self.branch()).await? {
            None if self.config.branches_are_directories => self.look_up(at, "tip").await,
            found => Ok(found),
        }
    }

    async fn update(&self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let Some(target) = self.target(at).await? else {
            return Ok(Outcome::Failed);
        };
        if self.hg(at, &["pull", "--", &self.url]).await?.rc != Some(0) {
            return Ok(Outcome::Failed);
        }
        let rev = format!("--rev={target}");
        let report = self.hg(at, &["update", "--clean", &rev]).await?;
        Ok((report.rc == Some(0)).into())
    }
}

#[async_trait]
impl System for Mercurial<'_> {
    fn name(&self) -> &'static str {
        "hg"
    }

    fn mark(&self) -> &'static str {
        ".hg"
    }

    fn improper(&self) -> Option<String> {
        source::improper(&self.wanted, &self.url)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        let is_directory = self.config.branches_are_directories;
        let kind = if is_directory { "dirname" } else { "inrepo" };
        let clobbers = self.config.clobber_on_branch_change;
        let mut own = vec![
            ("repourl", SourceValue::text(&self.url)),
            ("branchType", SourceValue::text(kind)),
            ("clobberOnBranchChange", SourceValue::Flag(clobbers)),
        ];
        if !is_directory {
            own.push(("branch", SourceValue::text(self.branch())));
        }
        Some(("hg", own))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        at.set_default("HGPLAIN", "1");
        let report = at.run_above(words(["hg", "--version", "--quiet"])).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("hg cannot be run on this slave").await);
        }
        Ok(())
    }

    async fn may_update(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if !at.exists(self.mark()).await? {
            return Ok(false);
        }
        if self.config.branches_are_directories || !self.config.clobber_on_branch_change {
            return Ok(true);
        }
        let report = self.hg(at, &["identify", "--branch"]).await?;
        let current = String::from_utf8_lossy(&report.output).trim().to_owned();
        // A damaged tree does not tell. The update will show what is wrong.
        Ok(report.rc != Some(0) || current == self.branch())
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        let mut arguments = vec!["--config", "extensions.purge=", "purge"];
        if files == Untracked::All {
            arguments.push("--all");
        }
        arguments.extend(["--exclude", patch::MARK]);
        Ok(self.hg(at, &arguments).await?.rc == Some(0))
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        self.update(at).await
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let report = self
            .hg(at, &["clone", "--noupdate", "--", &self.url, "."])
            .await?;
        if report.rc != Some(0) {
            return Ok(Outcome::Failed);
        }
        self.update(at).await
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, revision: bool) -> Part<bool> {
        let own = self.wanted.revision.clone().filter(|_| revision);
        let found = match own {
            Some(own) => self.look_up(at, &own).await?,
            None if self.config.branches_are_directories => self.look_up(at, "tip").await?,
            None => self.look_up(at, self.branch()).await?,
        };
        Ok(found.is_some())
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let report = self.hg(at, &["parents", "--template", "{node}\\n"]).await?;
        Ok(hg::parse_node(&report.output).filter(|_| report.rc == Some(0)))
    }
}
