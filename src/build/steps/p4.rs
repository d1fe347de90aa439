//! `P4`: the source of a build from a Perforce depot (section 21).

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use bytes::Bytes;

use super::shell::{Unrenderable, put_in, put_in_some};
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, secret,
    words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::P4StepConfig;
use crate::protocol::Word;
use crate::protocol::source::SourceValue;
use crate::vc::p4;

/// Runs the step.
pub(in crate::build) async fn perform(step: &mut StepRun<'_>, config: &P4StepConfig) -> Performed {
    let make = |step: &StepRun<'_>, wanted| P4::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::Greatest, make).await
}

/// A checkout of a Perforce depot.
struct P4<'c> {
    config: &'c P4StepConfig,
    client: String,
    port: Option<String>,
    user: Option<String>,
    password: Option<String>,
    base: Option<String>,
    /// Further depot paths, with their directories.
    extra: Vec<(String, String)>,
    /// Lines of the client's view.
    view: Vec<String>,
    wanted: Wanted,
}

impl<'c> P4<'c> {
    fn new(
        step: &StepRun<'_>,
        config: &'c P4StepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        let values = step.values();
        let client = put_in(&config.p4client, values, "p4client")?;
        let mut view = Vec::new();
        let base = put_in_some(&config.p4base, values, "p4base")?;
        if let Some(base) = &base {
            let branch = wanted.branch.as_deref().unwrap_or_default();
            let place = source::joined(base, branch);
            view.push(p4::view(&place, "/...", &client, "/..."));
        }
        for (depot, dir) in &config.p4viewspec {
            let depot = put_in(depot, values, "p4viewspec")?;
            let dir = format!("/{}", put_in(dir, values, "p4viewspec")?);
            let suffix = &config.p4viewspec_suffix;
            view.push(p4::view(&depot, suffix, &client, &format!("{dir}{suffix}")));
        }
        let mut extra = Vec::new();
        for (depot, dir) in &config.p4extra_views {
            let depot = put_in(depot, values, "p4extra_views")?;
            let dir = put_in(dir, values, "p4extra_views")?;
            view.push(p4::view(&depot, "/...", &client, &format!("/{dir}/...")));
            extra.push((depot, dir));
        }
        Ok(Self {
            config,
            client,
            port: put_in_some(&config.p4port, values, "p4port")?,
            user: put_in_some(&config.p4user, values, "p4user")?,
            password: put_in_some(&config.p4passwd, values, "p4passwd")?,
            base,
            extra,
            view,
            wanted,
        })
    }

    fn command(&self, arguments: &[&str]) -> Vec<Word> {
        let mut command = words([self.config.p4bin.as_str()]);
        for (option, value) in [("-p", &self.port), ("-u", &self.user)] {
            if let Some(value) = value {
                command.extend(words([option, value]));
            }
        }
        if let (Some(password), false) = (&self.password, self.config.use_tickets) {
            command.extend(words(["-P"]));
            command.push(secret(password));
        }
        command.extend(words(["-c", &self.client]));
        if arguments.first() == Some(&"sync") {
            command.extend(words(self.config.p4extra_args.iter().map(String::as_str)));
        }
        command.extend(words(arguments.iter().copied()));
        command
    }

    async fn p4(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        let command = self.command(arguments);
        at.run(command).await
    }

    async fn p4_with_input(
        &self,
        at: &mut Workspace<'_, '_>,
        arguments: &[&str],
        input: String,
    ) -> Part<bool> {
        let (command, env) = (self.command(arguments), at.env.clone());
        let dir = at.workdir.clone();
        let report = at
            .run_in(command, dir, env, Some(Bytes::from(input)))
            .await?;
        Ok(report.rc == Some(0))
    }

    /// Makes the client, or brings it up to date.
    async fn make_client(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let root = at.run(words(["pwd"])).await?;
        let root = String::from_utf8_lossy(&root.output).trim().to_owned();
        let spec = p4::ClientSpec {
            client: &self.client,
            user: self.user.as_deref(),
            root: &root,
            options: &self.config.p4client_spec_options,
            line_end: &self.config.p4line_end,
            view: &self.view,
        };
        let spec = spec.to_string();
        self.p4_with_input(at, &["client", "-i"], spec).await
    }

    /// All files of the client at the wanted revision.
    fn files(&self) -> String {
        match &self.wanted.revision {
            Some(revision) => format!("//{}/...@{revision}", self.client),
            None => format!("//{}/...#head", self.client),
        }
    }
}

#[async_trait]
impl System for P4<'_> {
    fn name(&self) -> &'static str {
        "p4"
    }

    fn mark(&self) -> &'static str {
        "."
    }

    fn improper(&self) -> Option<String> {
        let revision = self.wanted.revision.as_deref();
        if let Some(revision) = revision.filter(|r| !r.bytes().all(|b| b.is_ascii_digit())) {
            return Some(format!("{revision:?} is not a change of Perforce"));
        }
        let is_bad = |line: &&String| line.contains(char::is_control);
        if let Some(line) = self.view.iter().find(is_bad) {
            return Some(format!("{line:?} is not a line of a view"));
        }
        source::improper(&self.wanted, &self.client)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        let own = vec![
            ("p4base", SourceValue::Text(self.base.clone())),
            ("branch", SourceValue::Text(self.wanted.branch.clone())),
            ("p4port", SourceValue::Text(self.port.clone())),
            ("p4user", SourceValue::Text(self.user.clone())),
            (
                "p4passwd",
                match &self.password {
                    Some(password) => SourceValue::Secret(password.clone()),
                    None => SourceValue::Text(None),
                },
            ),
            ("p4client", SourceValue::text(&self.client)),
            ("p4extra_views", SourceValue::Pairs(self.extra.clone())),
            ("p4line_end", SourceValue::text(&self.config.p4line_end)),
        ];
        Some(("p4", own))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let report = at
            .run_above(words([self.config.p4bin.as_str(), "-V"]))
            .await?;
        if report.rc != Some(0) {
            return Err(at.refuse("p4 cannot be run on this slave").await);
        }
        if let (Some(password), true) = (&self.password, self.config.use_tickets) {
            let input = format!("{password}\n");
            if !self.p4_with_input(at, &["login"], input).await? {
                return Err(at.refuse("the server refuses the login").await);
            }
        }
        Ok(())
    }

    /// Also restores files that were changed.
    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        let mut arguments = vec!["clean"];
        if files == Untracked::All {
            arguments.push("-I");
        }
        Ok(self.make_client(at).await? && self.p4(at, &arguments).await?.rc == Some(0))
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let files = self.files();
        let is_made = self.make_client(at).await?;
        Ok((is_made && self.p4(at, &["sync", &files]).await?.rc == Some(0)).into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let files = self.files();
        // The server thinks that the files of the last build are there.
        let is_made = self.make_client(at).await?;
        Ok((is_made && self.p4(at, &["sync", "-f", &files]).await?.rc == Some(0)).into())
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, revision: bool) -> Part<bool> {
        let own = self.wanted.revision.as_deref().filter(|_| revision);
        let command = match own {
            Some(change) => self.command(&["describe", "-s", change]),
            None => self.command(&["info"]),
        };
        Ok(at.run_above(command).await?.rc == Some(0))
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let files = format!("//{}/...#have", self.client);
        let report = self.p4(at, &["changes", "-m1", &files]).await?;
        Ok(p4::parse_change(&String::from_utf8_lossy(&report.output)))
    }

    async fn export(&mut self, at: &mut Workspace<'_, '_>, from: &str) -> Part<()> {
        // Perforce has no files of its own in the tree.
        at.copy_from(from).await
    }
}
