//! `CVS`: the source of a build from a CVS repository (section 21). A revision is a time.

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;

use super::shell::{Unrenderable, put_in, put_in_some};
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::CvsStepConfig;
use crate::protocol::source::SourceValue;
use crate::vc::cvs;

/// Runs the step.
pub(in crate::build) async fn perform(step: &mut StepRun<'_>, config: &CvsStepConfig) -> Performed {
    let rule = FromChanges::Time {
        delay: config.checkout_delay,
        requested: step.around.plan.requested,
    };
    let make = |step: &StepRun<'_>, wanted| Cvs::new(step, config, wanted);
    source::run(step, &config.source, rule, make).await
}

/// A checkout of a CVS repository.
struct Cvs<'c> {
    config: &'c CvsStepConfig,
    root: String,
    module: String,
    login: Option<String>,
    wanted: Wanted,
}

impl<'c> Cvs<'c> {
    fn new(
        step: &StepRun<'_>,
        config: &'c CvsStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        let values = step.values();
        Ok(Self {
            config,
            root: put_in(&config.cvsroot, values, "cvsroot")?,
            module: put_in(&config.cvsmodule, values, "cvsmodule")?,
            login: put_in_some(&config.login, values, "login")?,
            wanted,
        })
    }

    /// A command, without the user's options from `.cvsrc`.
    fn command<'w>(&'w self, options: &[&'w str], arguments: &[&'w str]) -> Vec<&'w str> {
        let mut command = vec!["cvs", "-f"];
        command.extend(self.config.global_options.iter().map(String::as_str));
        command.extend(options);
        command.extend(["-d", &self.root]);
        command.extend(arguments);
        command
    }

    async fn cvs(
        &self,
        at: &mut Workspace<'_, '_>,
        options: &[&str],
        arguments: &[&str],
    ) -> Part<Report> {
        let command = self.command(options, arguments);
        at.run(words(command)).await
    }

    /// The options for branch and time. CVS has no files at a time on the branch `HEAD`.
    fn choice(&self) -> Vec<&str> {
        let revision = self.wanted.revision.as_deref();
        let branch = self.wanted.branch.as_deref();
        let mut choice = Vec::new();
        if let Some(branch) = branch.filter(|b| *b != "HEAD" || revision.is_none()) {
            choice.extend(["-r", branch]);
        }
        if let Some(time) = revision {
            choice.extend(["-D", time]);
        }
        choice
    }
}

#[async_trait]
impl System for Cvs<'_> {
    fn name(&self) -> &'static str {
        "cvs"
    }

    fn mark(&self) -> &'static str {
        "CVS"
    }

    fn improper(&self) -> Option<String> {
        if self.module.is_empty() || self.module.starts_with('-') {
            return Some(format!("{:?} is not a module", self.module));
        }
        let time = self.wanted.revision.as_deref();
        let is_bad = |t: &&str| t.starts_with('-') || t.contains(char::is_control);
        if let Some(time) = time.filter(is_bad) {
            return Some(format!("{time:?} is not a time"));
        }
        let wanted = Wanted {
            revision: None,
            ..self.wanted.clone()
        };
        source::improper(&wanted, &self.root)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        // Without a branch, a tree would keep the time of its last build.
        let has_time = self.wanted.revision.is_some();
        let branch = self.wanted.branch.as_deref().unwrap_or("HEAD");
        let branch = Some(branch).filter(|branch| *branch != "HEAD" || !has_time);
        let extra = SourceValue::Texts(self.config.extra_options.clone());
        let own = vec![
            ("cvsroot", SourceValue::text(&self.root)),
            ("cvsmodule", SourceValue::text(&self.module)),
            ("branch", SourceValue::Text(branch.map(str::to_owned))),
            (
                "global_options",
                SourceValue::Texts(self.config.global_options.clone()),
            ),
            ("checkout_options", SourceValue::Texts(Vec::new())),
            ("export_options", SourceValue::Texts(Vec::new())),
            ("extra_options", extra),
            (
                "login",
                match &self.login {
                    Some(login) => SourceValue::Secret(login.clone()),
                    None => SourceValue::Text(None),
                },
            ),
        ];
        Some(("cvs", own))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let report = at.run_above(words(["cvs", "--version"])).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("cvs cannot be run on this slave").await);
        }
        let Some(login) = &self.login else {
            return Ok(());
        };
        let command = words(self.command(&[], &["login"]));
        let env = at.env.clone();
        let stdin = Some(Bytes::from(format!("{login}\n")));
        let report = at.run_in(command, ".".to_owned(), env, stdin).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("the repository refuses the login").await);
        }
        Ok(())
    }

    async fn may_update(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if !at.exists(self.mark()).await? {
            return Ok(false);
        }
        let report = at.run(words(["cat", "CVS/Root", "CVS/Repository"])).await?;
        let text = String::from_utf8_lossy(&report.output).into_owned();
        let mut lines = text.lines().map(str::trim);
        let (root, module) = (lines.next(), lines.next());
        let is_root =
            root.is_some_and(|r| r == self.root || r == cvs::without_password(&self.root));
        Ok(is_root && module.is_some_and(|m| cvs::is_module(m, &self.root, &self.module)))
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        let mut arguments = vec!["update"];
        if files == Untracked::All {
            // Empties the list of names that are ignored.
            arguments.extend(["-I", "!"]);
        }
        let report = self.cvs(at, &["-n", "-q"], &arguments).await?;
        let printed = String::from_utf8_lossy(&report.output).into_owned();
        at.remove_listed(cvs::parse_unknown(&printed)).await?;
        Ok(report.rc == Some(0))
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let mut arguments = vec!["update", "-d", "-P", "-C", "-A"];
        arguments.extend(self.choice());
        let report = self.cvs(at, &["-z3"], &arguments).await?;
        Ok((report.rc == Some(0)).into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let mut arguments = vec!["checkout", "-P", "-d", "."];
        arguments.extend(self.config.extra_options.iter().map(String::as_str));
        arguments.extend(self.choice());
        arguments.push(&self.module);
        let report = self.cvs(at, &["-z3"], &arguments).await?;
        Ok((report.rc == Some(0)).into())
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, _revision: bool) -> Part<bool> {
        let command = self.command(&["-Q"], &["rls", &self.module]);
        Ok(at.run_above(words(command)).await?.rc == Some(0))
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    /// The time that was checked out.
    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let own = self.wanted.revision.clone();
        let now = (at.step.around.clock)();
        Ok(own.or_else(|| Some(cvs::time(DateTime::from_timestamp_micros(now.0)?))))
    }

    async fn export(&mut self, at: &mut Workspace<'_, '_>, from: &str) -> Part<()> {
        at.copy_from(from).await?;
        // It has directories of its own everywhere.
        let find = ["find", ".", "-name", "CVS", "-type", "d", "-prune"];
        let remove = ["-exec", "rm", "-rf", "{}", "+"];
        if at.run(words(find.into_iter().chain(remove))).await?.rc != Some(0) {
            return Err(at.refuse("the tree cannot be exported").await);
        }
        Ok(())
    }
}
