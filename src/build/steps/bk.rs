//! `BK`: the source of a build from a BitKeeper repository (section 21). A revision always gets a
//! new tree, because `bk pull` gets the latest.

#[cfg(test)]
mod tests;

use super::shell::Unrenderable;
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::BkStepConfig;
use crate::protocol::source::SourceValue;
use async_trait::async_trait;

/// Runs the step.
pub(in crate::build) async fn perform(step: &mut StepRun<'_>, config: &BkStepConfig) -> Performed {
    let make = |step: &StepRun<'_>, wanted| Bk::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::Last, make).await
}

/// A checkout of a BitKeeper repository.
struct Bk<'c> {
    config: &'c BkStepConfig,
    url: String,
    wanted: Wanted,
}

impl<'c> Bk<'c> {
    fn new(
        step: &StepRun<'_>,
        config: &'c BkStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        Ok(Self {
            config,
            url: source::address(step, &config.location, &wanted)?,
            wanted,
        })
    }

    async fn bk(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        let all = ["bk"].into_iter();
        at.run(words(all.chain(arguments.iter().copied()))).await
    }
}

#[async_trait]
impl System for Bk<'_> {
    fn name(&self) -> &'static str {
        "bk"
    }

    fn mark(&self) -> &'static str {
        "BK/parent"
    }

    fn improper(&self) -> Option<String> {
        source::improper(&self.wanted, &self.url)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        let own = vec![
            ("bkurl", SourceValue::text(&self.url)),
            (
                "extra_args",
                SourceValue::Texts(self.config.extra_args.clone()),
            ),
        ];
        Some(("bk", own))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let report = at.run_above(words(["bk", "version"])).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("bk cannot be run on this slave").await);
        }
        Ok(())
    }

    async fn may_update(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if self.wanted.revision.is_some() || !at.exists(self.mark()).await? {
            return Ok(false);
        }
        let report = at.run(words(["cat", self.mark()])).await?;
        let parent = String::from_utf8_lossy(&report.output).trim().to_owned();
        Ok(report.rc == Some(0) && parent == self.url)
    }

    /// Fails, so that the tree is made anew: `bk` does not tell ignored files from others.
    async fn clean(&mut self, _at: &mut Workspace<'_, '_>, _files: Untracked) -> Part<bool> {
        Ok(false)
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        Ok((self.bk(at, &["pull"]).await?.rc == Some(0)).into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let revision = self.wanted.revision.as_ref();
        let revision = revision.map(|revision| format!("-r{revision}"));
        let workdir = at.workdir.clone();
        let mut arguments = vec!["bk", "clone"];
        arguments.extend(revision.as_deref());
        arguments.extend(self.config.extra_args.iter().map(String::as_str));
        arguments.extend([self.url.as_str(), &workdir]);
        Ok((at.run_above(words(arguments)).await?.rc == Some(0)).into())
    }

    async fn is_to_blame(&mut self, at: &mut Workspace<'_, '_>, _outcome: Outcome) -> Part<bool> {
        at.note("the tree cannot be cleaned or updated, and is made anew")
            .await;
        Ok(true)
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let report = self.bk(at, &["changes", "-r+", "-d:REV:"]).await?;
        let revision = String::from_utf8_lossy(&report.output).trim().to_owned();
        Ok((report.rc == Some(0) && !revision.is_empty()).then_some(revision))
    }

    async fn export(&mut self, at: &mut Workspace<'_, '_>, from: &str) -> Part<()> {
        let to = at.workdir.clone();
        let export = words(["bk", "export", from, &to]);
        if at.run_above(export).await?.rc != Some(0) {
            return Err(at.refuse("the tree cannot be exported").await);
        }
        Ok(())
    }
}
