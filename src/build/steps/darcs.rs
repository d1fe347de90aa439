//! `Darcs`: the source of a build from a Darcs repository (section 21).
//!
//! A revision is a context, as `darcs log --context` prints it, or the hash of a patch. A tree
//! cannot go back to an earlier state, so a revision always gets a new tree.

use async_trait::async_trait;
use bytes::Bytes;

use super::shell::Unrenderable;
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::DarcsStepConfig;
use crate::protocol::source::SourceValue;
use crate::vc::darcs;

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &DarcsStepConfig,
) -> Performed {
    let make = |step: &StepRun<'_>, wanted| Darcs::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::Context, make).await
}

/// A checkout of a Darcs repository.
struct Darcs {
    url: String,
    wanted: Wanted,
}

/// File with the context of the wanted revision, beside the tree.
const CONTEXT: &str = ".buildbot-context";

impl Darcs {
    fn new(
        step: &StepRun<'_>,
        config: &DarcsStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        Ok(Self {
            url: source::address(step, &config.location, &wanted)?,
            wanted,
        })
    }

    async fn darcs(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        let all = ["darcs"].into_iter();
        at.run(words(all.chain(arguments.iter().copied()))).await
    }

    async fn revert(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let report = self.darcs(at, &["revert", "--all"]).await?;
        Ok(report.rc == Some(0))
    }
}

#[async_trait]
impl System for Darcs {
    fn name(&self) -> &'static str {
        "darcs"
    }

    fn mark(&self) -> &'static str {
        "_darcs"
    }

    fn improper(&self) -> Option<String> {
        let revision = self.wanted.revision.as_deref();
        let is_known = |r: &&str| darcs::is_context(r) || darcs::is_hash(r);
        if let Some(revision) = revision.filter(|r| !is_known(r)) {
            return Some(format!(
                "{revision:?} is neither a context of Darcs nor the hash of a patch"
            ));
        }
        let wanted = Wanted {
            revision: None,
            ..self.wanted.clone()
        };
        source::improper(&wanted, &self.url)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        Some(("darcs", vec![("repourl", SourceValue::text(&self.url))]))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let report = at.run_above(words(["darcs", "--version"])).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("darcs cannot be run on this slave").await);
        }
        Ok(())
    }

    async fn may_update(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if self.wanted.revision.is_some() || !at.exists(self.mark()).await? {
            return Ok(false);
        }
        let report = self.darcs(at, &["show", "repo"]).await?;
        let shown = String::from_utf8_lossy(&report.output);
        let remote = darcs::parse_remote(&shown);
        let is_same = remote.as_deref() == Some(self.url.trim_end_matches('/'));
        // A damaged tree does not tell. The update will show what is wrong.
        Ok(report.rc != Some(0) || is_same && darcs::has_patches(&shown))
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        if !self.revert(at).await? {
            return Ok(false);
        }
        let mut arguments = darcs::SUMMARY.to_vec();
        if files == Untracked::All {
            arguments.push("--boring");
        }
        // It fails when there is nothing to list.
        let report = self.darcs(at, &arguments).await?;
        let summary = String::from_utf8_lossy(&report.output);
        at.remove_listed(darcs::new_names(&summary)).await?;
        Ok(true)
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        if !self.revert(at).await? {
            return Ok(Outcome::Failed);
        }
        let report = self.darcs(at, &["pull", "--all", &self.url]).await?;
        Ok((report.rc == Some(0) && self.revert(at).await?).into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let mut arguments = vec!["darcs", "get"];
        let revision = self.wanted.revision.clone();
        match revision.as_deref() {
            Some(context) if darcs::is_context(context) => {
                let content = Bytes::from(context.to_owned());
                let workdir = std::mem::replace(&mut at.workdir, ".".to_owned());
                let written = at.write(CONTEXT, content).await;
                at.workdir = workdir;
                written?;
                arguments.extend(["--context", CONTEXT]);
            }
            Some(hash) => arguments.extend(["--to-hash", hash]),
            None => {}
        }
        let workdir = at.workdir.clone();
        arguments.extend(["--repo-name", &workdir, &self.url]);
        Ok((at.run_above(words(arguments)).await?.rc == Some(0)).into())
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, _revision: bool) -> Part<bool> {
        let repo = format!("--repo={}", self.url);
        let words = words(["darcs", "log", "--last=1", &repo]);
        Ok(at.run_above(words).await?.rc == Some(0))
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let report = self.darcs(at, &["changes", "--last=1"]).await?;
        let text = String::from_utf8_lossy(&report.output).trim().to_owned();
        let revision = darcs::parse_hash(&text).unwrap_or(text);
        Ok((report.rc == Some(0)).then_some(revision))
    }
}
