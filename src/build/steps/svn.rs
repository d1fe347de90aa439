//! `SVN`: the source of a build from a Subversion repository (section 21).

#[cfg(test)]
mod tests;

use super::shell::{Unrenderable, put_in_some};
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, secret,
    words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::SvnStepConfig;
use crate::protocol::Word;
use crate::protocol::source::SourceValue;
use crate::vc::svn::{self, Info};
use async_trait::async_trait;

/// Runs the step.
pub(in crate::build) async fn perform(step: &mut StepRun<'_>, config: &SvnStepConfig) -> Performed {
    let make = |step: &StepRun<'_>, wanted| Svn::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::Greatest, make).await
}

/// A checkout of a Subversion repository.
struct Svn<'c> {
    config: &'c SvnStepConfig,
    url: String,
    username: Option<String>,
    password: Option<String>,
    wanted: Wanted,
}

impl<'c> Svn<'c> {
    fn new(
        step: &StepRun<'_>,
        config: &'c SvnStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        let values = step.values();
        Ok(Self {
            config,
            url: source::address(step, &config.location, &wanted)?,
            username: put_in_some(&config.username, values, "username")?,
            password: put_in_some(&config.password, values, "password")?,
            wanted,
        })
    }

    /// A command with the options of all commands that talk to the server.
    fn command(&self, arguments: &[&str]) -> Vec<Word> {
        let mut command = words(["svn"]);
        command.extend(words(arguments.iter().copied()));
        command.extend(words(["--non-interactive", "--no-auth-cache"]));
        if let Some(username) = &self.username {
            command.extend(words(["--username", username]));
        }
        if let Some(password) = &self.password {
            command.extend(words(["--password"]));
            command.push(secret(password));
        }
        command.extend(words(self.config.extra_args.iter().map(String::as_str)));
        command
    }

    async fn svn(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<bool> {
        let command = self.command(arguments);
        Ok(at.run(command).await?.rc == Some(0))
    }

    async fn info(&self, at: &mut Workspace<'_, '_>) -> Part<(Report, Info)> {
        let report = at.run(words(["svn", "info", "--xml"])).await?;
        let info = Info::parse(&String::from_utf8_lossy(&report.output));
        Ok((report, info))
    }

    fn wanted_revision(&self) -> &str {
        self.wanted.revision.as_deref().unwrap_or("HEAD")
    }

    async fn update(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let mut arguments = vec!["update", "--force", "--revision", self.wanted_revision()];
        if let Some(depth) = self.config.depth {
            arguments.extend(["--set-depth", depth]);
        }
        Ok(self.svn(at, &arguments).await? && self.revert(at).await?)
    }

    async fn revert(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let command = words(["svn", "revert", "--quiet", "--recursive", "."]);
        Ok(at.run(command).await?.rc == Some(0))
    }
}

#[async_trait]
impl System for Svn<'_> {
    fn name(&self) -> &'static str {
        "svn"
    }

    fn mark(&self) -> &'static str {
        ".svn"
    }

    fn improper(&self) -> Option<String> {
        let not_a_number = |r: &&str| !r.bytes().all(|b| b.is_ascii_digit()) && *r != "HEAD";
        let revision = self.wanted.revision.as_deref();
        if let Some(revision) = revision.filter(not_a_number) {
            return Some(format!("{revision:?} is not a revision of Subversion"));
        }
        source::improper(&self.wanted, &self.url)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        let config = self.config;
        let mut own = vec![
            ("svnurl", SourceValue::text(&self.url)),
            ("extra_args", SourceValue::Texts(config.extra_args.clone())),
            (
                "keep_on_purge",
                SourceValue::Texts(config.keep_on_purge.clone()),
            ),
            ("ignore_ignores", SourceValue::Flag(config.ignore_ignores)),
            ("always_purge", SourceValue::Flag(config.always_purge)),
        ];
        // The slave takes whatever is there for a value.
        let depth = config.depth.map(SourceValue::text);
        own.extend(depth.map(|depth| ("depth", depth)));
        let username = self.username.as_deref().map(SourceValue::text);
        own.extend(username.map(|username| ("username", username)));
        let password = self.password.clone().map(SourceValue::Secret);
        own.extend(password.map(|password| ("password", password)));
        Some(("svn", own))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let report = at.run_above(words(["svn", "--version", "--quiet"])).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("svn cannot be run on this slave").await);
        }
        Ok(())
    }

    fn always_cleans(&self) -> bool {
        self.config.always_purge
    }

    async fn may_update(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if !at.exists(self.mark()).await? {
            return Ok(false);
        }
        let (report, info) = self.info(at).await?;
        // A damaged tree does not tell. The update will show what is wrong.
        Ok(report.rc != Some(0) || info.url.is_none_or(|url| svn::is_same(&url, &self.url)))
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        if !self.revert(at).await? {
            return Ok(false);
        }
        let mut command = words(["svn", "status", "--xml"]);
        if files == Untracked::All && self.config.ignore_ignores {
            command.extend(words(["--no-ignore"]));
        }
        let report = at.run(command).await?;
        let mut names = svn::parse_unversioned(&String::from_utf8_lossy(&report.output));
        names.retain(|name| !self.config.keep_on_purge.contains(name));
        at.remove_listed(names).await?;
        Ok(report.rc == Some(0))
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        if self.update(at).await? {
            return Ok(Outcome::Done);
        }
        // An earlier command may have been killed.
        let is_unlocked = at.run(words(["svn", "cleanup"])).await?.rc == Some(0);
        Ok((is_unlocked && self.update(at).await?).into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        // The peg finds a branch that was removed since.
        let peg = self.wanted.revision.as_deref().unwrap_or_default();
        let url = format!("{}@{peg}", self.url);
        let mut arguments = vec!["checkout", "--revision", self.wanted_revision()];
        if let Some(depth) = self.config.depth {
            arguments.extend(["--depth", depth]);
        }
        arguments.extend([url.as_str(), "."]);
        Ok(self.svn(at, &arguments).await?.into())
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, revision: bool) -> Part<bool> {
        let peg = self.wanted.revision.as_deref().filter(|_| revision);
        let url = format!("{}@{}", self.url, peg.unwrap_or_default());
        let command = self.command(&["info", &url]);
        Ok(at.run_above(command).await?.rc == Some(0))
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let (_, info) = self.info(at).await?;
        Ok(if self.config.prefer_last_changed_rev {
            info.last_changed.or(info.revision)
        } else {
            info.revision
        })
    }

    async fn export(&mut self, at: &mut Workspace<'_, '_>, from: &str) -> Part<()> {
        let to = at.workdir.clone();
        let report = at.run_above(words(["svn", "export", from, &to])).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("the tree cannot be exported").await);
        }
        Ok(())
    }
}
