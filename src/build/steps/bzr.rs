//! `Bzr`: the source of a build from a Bazaar branch, by Bazaar or Breezy (section 21).

#[cfg(test)]
mod tests;

use super::shell::Unrenderable;
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::BzrStepConfig;
use crate::protocol::source::SourceValue;
use crate::vc::{Vc, bzr};
use async_trait::async_trait;

/// Runs the step.
pub(in crate::build) async fn perform(step: &mut StepRun<'_>, config: &BzrStepConfig) -> Performed {
    let make = |step: &StepRun<'_>, wanted| Bzr::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::Greatest, make).await
}

/// A checkout of a Bazaar branch.
struct Bzr {
    url: String,
    wanted: Wanted,
    program: &'static str,
    /// Whether the directory of the builder is a repository that its branches share.
    force_shared_repo: bool,
}

impl Bzr {
    fn new(
        step: &StepRun<'_>,
        config: &BzrStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        Ok(Self {
            url: source::address(step, &config.location, &wanted)?,
            wanted,
            program: "bzr",
            force_shared_repo: config.force_shared_repo,
        })
    }

    async fn bzr(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        let all = [self.program, "--no-aliases"].into_iter();
        at.run(words(all.chain(arguments.iter().copied()))).await
    }

    fn revision_option(&self) -> Option<String> {
        let revision = self.wanted.revision.as_ref();
        revision.map(|revision| format!("--revision={revision}"))
    }

    /// Undoes all changes of files.
    async fn revert(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let report = self.bzr(at, &["revert", "--quiet", "--no-backup"]).await?;
        Ok(report.rc == Some(0))
    }
}

#[async_trait]
impl System for Bzr {
    fn name(&self) -> &'static str {
        "bzr"
    }

    fn mark(&self) -> &'static str {
        ".bzr"
    }

    fn improper(&self) -> Option<String> {
        source::improper(&self.wanted, &self.url)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        let own = vec![
            ("repourl", SourceValue::text(&self.url)),
            ("forceSharedRepo", SourceValue::Flag(self.force_shared_repo)),
        ];
        Some(("bzr", own))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        for program in Vc::Bzr.system().programs {
            self.program = program;
            let report = at.run_above(words([*program, "--version"])).await?;
            if report.rc == Some(0) {
                return Ok(());
            }
        }
        Err(at.refuse("bzr cannot be run on this slave").await)
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        if !self.revert(at).await? {
            return Ok(false);
        }
        let kinds: &[&str] = match files {
            Untracked::All => &["--unknown", "--ignored"],
            Untracked::NotIgnored => &["--unknown"],
        };
        for kind in kinds {
            let report = self.bzr(at, &["ls", "--recursive", "--null", kind]).await?;
            if report.rc != Some(0) {
                return Ok(false);
            }
            at.remove_listed(bzr::parse_names(&report.output)).await?;
        }
        Ok(true)
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        if !self.revert(at).await? {
            return Ok(Outcome::Failed);
        }
        let mut arguments = vec!["pull", "--overwrite"];
        let revision = self.revision_option();
        arguments.extend(revision.as_deref());
        arguments.extend(["--", &self.url]);
        let is_pulled = self.bzr(at, &arguments).await?.rc == Some(0);
        Ok((is_pulled && self.revert(at).await?).into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        if self.force_shared_repo {
            let info = words([self.program, "--no-aliases", "info", "."]);
            if at.run_above(info).await?.rc != Some(0) {
                let make = [self.program, "--no-aliases", "init-repo", "."];
                at.run_above(words(make)).await?;
            }
        }
        let mut arguments = vec!["branch", "--use-existing-dir"];
        let revision = self.revision_option();
        arguments.extend(revision.as_deref());
        arguments.extend(["--", &self.url, "."]);
        let report = self.bzr(at, &arguments).await?;
        Ok((report.rc == Some(0)).into())
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, revision: bool) -> Part<bool> {
        let option = self.revision_option().filter(|_| revision);
        let mut arguments = vec![self.program, "--no-aliases", "revision-info"];
        arguments.extend(option.as_deref());
        arguments.extend(["-d", &self.url]);
        Ok(at.run_above(words(arguments)).await?.rc == Some(0))
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let report = self.bzr(at, &["revno"]).await?;
        let revision = String::from_utf8_lossy(&report.output).trim().to_owned();
        let is_number = revision.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        Ok((report.rc == Some(0) && is_number && !revision.is_empty()).then_some(revision))
    }
}
