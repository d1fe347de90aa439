//! `Monotone`: the source of a build from a Monotone server (section 21). The database is beside
//! the tree and lasts longer.

#[cfg(test)]
mod tests;

use super::shell::{put_in, put_in_repourl};
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::MonotoneStepConfig;
use crate::protocol::source::SourceValue;
use crate::vc::mtn;
use async_trait::async_trait;

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &MonotoneStepConfig,
) -> Performed {
    let make = |step: &StepRun<'_>, wanted| {
        Ok(Monotone {
            config,
            repourl: put_in_repourl(&config.repourl, step.values())?,
            database: put_in(&config.db_path, step.values(), "db_path")?,
            wanted,
        })
    };
    source::run::<Monotone<'_>>(step, &config.source, FromChanges::Last, make).await
}

/// A checkout of a Monotone branch.
struct Monotone<'c> {
    config: &'c MonotoneStepConfig,
    repourl: String,
    /// The database.
    database: String,
    wanted: Wanted,
}

impl Monotone<'_> {
    fn branch(&self) -> &str {
        self.wanted.branch.as_deref().unwrap_or_default()
    }

    async fn mtn(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        let program = [self.config.monotone.as_str()];
        at.run(words(program.iter().chain(arguments).copied()))
            .await
    }

    /// Runs a command on the database.
    async fn mtn_above(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<bool> {
        let database = format!("--db={}", self.database);
        let program = [self.config.monotone.as_str(), &database];
        let words = words(program.iter().chain(arguments).copied());
        Ok(at.run_above(words).await?.rc == Some(0))
    }

    async fn pull(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let from = format!("{}?{}", self.repourl, self.branch());
        let ticker = if self.config.progress {
            "--ticker=dot"
        } else {
            "--ticker=none"
        };
        self.mtn_above(at, &["pull", &from, ticker]).await
    }

    /// Pulls into the database, which is made anew if it is damaged. A server that is away costs
    /// no database.
    async fn pull_or_mend(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if self.pull(at).await? {
            return Ok(true);
        }
        if self.mtn_above(at, &["db", "check"]).await? {
            return Ok(false);
        }
        Ok(self.make_database(at).await? && self.pull(at).await?)
    }

    /// Makes a database, in place of a damaged one.
    async fn make_database(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        at.remove_above(&self.database).await?;
        self.mtn_above(at, &["db", "init"]).await
    }
}

#[async_trait]
impl System for Monotone<'_> {
    fn name(&self) -> &'static str {
        "mtn"
    }

    fn mark(&self) -> &'static str {
        "_MTN"
    }

    fn improper(&self) -> Option<String> {
        let revision = self.wanted.revision.as_deref();
        if let Some(revision) = revision.filter(|r| !mtn::is_id(r)) {
            return Some(format!("{revision:?} is not a revision of Monotone"));
        }
        source::improper(&self.wanted, &self.repourl)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        let own = vec![
            ("repourl", SourceValue::text(&self.repourl)),
            ("branch", SourceValue::text(self.branch())),
            ("progress", SourceValue::Flag(self.config.progress)),
        ];
        Some(("mtn", own))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let program = self.config.monotone.as_str();
        let report = at.run_above(words([program, "--version"])).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("mtn cannot be run on this slave").await);
        }
        Ok(())
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        let lists: &[&str] = match files {
            Untracked::All => &["unknown", "ignored"],
            Untracked::NotIgnored => &["unknown"],
        };
        for list in lists {
            let report = self.mtn(at, &["ls", list]).await?;
            if report.rc != Some(0) {
                return Ok(false);
            }
            let listed = String::from_utf8_lossy(&report.output).into_owned();
            at.remove_listed(listed.lines().map(str::to_owned)).await?;
        }
        Ok(true)
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        if !self.pull_or_mend(at).await? || self.mtn(at, &["revert", "."]).await?.rc != Some(0) {
            return Ok(Outcome::Failed);
        }
        let revision = match &self.wanted.revision {
            Some(revision) => format!("--revision={revision}"),
            None => format!("--revision=h:{}", self.branch()),
        };
        let branch = format!("--branch={}", self.branch());
        let report = self.mtn(at, &["update", &revision, &branch]).await?;
        Ok((report.rc == Some(0)).into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let is_pulled = if at.exists_above(&self.database).await? {
            self.pull_or_mend(at).await?
        } else {
            self.make_database(at).await? && self.pull(at).await?
        };
        let branch = format!("--branch={}", self.branch());
        let revision = self.wanted.revision.as_ref();
        let revision = revision.map(|revision| format!("--revision={revision}"));
        let workdir = at.workdir.clone();
        let mut arguments = vec!["checkout", &branch];
        arguments.extend(revision.as_deref());
        arguments.push(&workdir);
        Ok((is_pulled && self.mtn_above(at, &arguments).await?).into())
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, revision: bool) -> Part<bool> {
        if !self.pull(at).await? {
            return Ok(false);
        }
        match self.wanted.revision.clone().filter(|_| revision) {
            Some(own) => {
                self.mtn_above(at, &["automate", "get_revision", &own])
                    .await
            }
            None => Ok(true),
        }
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let report = self.mtn(at, &mtn::BASE).await?;
        let revision = String::from_utf8_lossy(&report.output).trim().to_owned();
        Ok(mtn::is_id(&revision).then_some(revision))
    }
}
