//! `Arch` and `Bazaar`: the source of a build from an archive of GNU Arch, by `tla` or `baz`
//! (section 21). A branch is a version. A revision always gets a new tree.

#[cfg(test)]
mod tests;

use super::shell::{Unrenderable, put_in, put_in_some};
use super::source::{
    self, FromChanges, Outcome, Part, System, Untracked, Wanted, Workspace, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::ArchStepConfig;
use crate::vc::arch;
use async_trait::async_trait;

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &ArchStepConfig,
) -> Performed {
    let make = |step: &StepRun<'_>, wanted| Arch::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::GreatestPatch, make).await
}

/// A checkout of a version in an archive.
struct Arch {
    program: &'static str,
    url: String,
    archive: Option<String>,
    wanted: Wanted,
}

impl Arch {
    fn new(
        step: &StepRun<'_>,
        config: &ArchStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        let values = step.values();
        Ok(Self {
            program: config.program,
            url: put_in(&config.url, values, "url")?,
            archive: put_in_some(&config.archive, values, "archive")?,
            wanted,
        })
    }

    async fn arch(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        let all = [self.program].into_iter();
        at.run(words(all.chain(arguments.iter().copied()))).await
    }

    async fn arch_above(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        let all = [self.program].into_iter();
        at.run_above(words(all.chain(arguments.iter().copied())))
            .await
    }

    /// The version, with the name of its archive.
    fn version(&self) -> String {
        let version = self.wanted.branch.as_deref().unwrap_or_default();
        let archive = self.archive.as_deref().unwrap_or_default();
        format!("{archive}/{version}")
    }
}

#[async_trait]
impl System for Arch {
    fn name(&self) -> &'static str {
        "arch"
    }

    fn mark(&self) -> &'static str {
        "{arch}"
    }

    fn improper(&self) -> Option<String> {
        let names = [&self.wanted.branch, &self.wanted.revision, &self.archive];
        let mut names = names.into_iter().flatten();
        if let Some(name) = names.find(|name| !arch::is_name(name)) {
            return Some(format!("{name:?} is not a valid Arch name"));
        }
        source::improper(&self.wanted, &self.url)
    }

    /// Also registers the archive.
    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let report = self.arch_above(at, &["--version"]).await?;
        if report.rc != Some(0) {
            let problem = format!("{} cannot be run on this slave", self.program);
            return Err(at.refuse(&problem).await);
        }
        let url = self.url.clone();
        let report = self
            .arch_above(at, &["register-archive", "--force", &url])
            .await?;
        if self.archive.is_none() {
            self.archive = arch::parse_archive(&String::from_utf8_lossy(&report.output));
        }
        if report.rc != Some(0) || self.archive.is_none() {
            return Err(at.refuse("the archive cannot be registered").await);
        }
        Ok(())
    }

    async fn may_update(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if self.wanted.revision.is_some() || !at.exists(self.mark()).await? {
            return Ok(false);
        }
        let report = self.arch(at, &["tree-version"]).await?;
        let version = String::from_utf8_lossy(&report.output).trim().to_owned();
        // A damaged tree does not tell. The update will show what is wrong.
        Ok(report.rc != Some(0) || version == self.version())
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        let kinds: &[&str] = match files {
            Untracked::All => &["--unrecognized", "--precious", "--junk", "--backups"],
            Untracked::NotIgnored => &["--unrecognized"],
        };
        for kind in kinds {
            let report = self.arch(at, &["inventory", "--both", kind]).await?;
            if report.rc != Some(0) {
                return Ok(false);
            }
            let listed = String::from_utf8_lossy(&report.output).into_owned();
            at.remove_listed(listed.lines().map(str::to_owned)).await?;
        }
        Ok(true)
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let is_reverted = self.arch(at, &["undo", "--no-output"]).await?.rc == Some(0);
        Ok((is_reverted && self.arch(at, &["replay"]).await?.rc == Some(0)).into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let mut revision = self.version();
        if let Some(own) = &self.wanted.revision {
            revision = format!("{revision}--{own}");
        }
        let workdir = at.workdir.clone();
        let report = self.arch_above(at, &["get", &revision, &workdir]).await?;
        Ok((report.rc == Some(0)).into())
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, _revision: bool) -> Part<bool> {
        let version = self.version();
        let report = self.arch_above(at, &["revisions", &version]).await?;
        Ok(report.rc == Some(0))
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let report = self.arch(at, &["logs", "--reverse", "--full"]).await?;
        Ok(arch::parse_revision(&String::from_utf8_lossy(
            &report.output,
        )))
    }
}
