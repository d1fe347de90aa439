//! `Repo`: the source of a build from many git repositories, by the tool repo (section 21).

#[cfg(test)]
mod tests;

use super::shell::{Unrenderable, put_in, put_in_some};
use super::source::{
    self, FromChanges, Outcome, Part, SlaveCommand, System, Untracked, Wanted, Workspace, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::RepoStepConfig;
use crate::protocol::source::SourceValue;
use crate::vc::git::is_whole_hash;
use crate::vc::repo;
use async_trait::async_trait;

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &RepoStepConfig,
) -> Performed {
    let make = |step: &StepRun<'_>, wanted| Repo::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::Last, make).await
}

/// A tree of many git repositories.
struct Repo<'c> {
    config: &'c RepoStepConfig,
    url: String,
    file: String,
    override_url: Option<String>,
    tarball: Option<String>,
    /// Changes to apply: project, and change with patch set.
    downloads: Vec<(String, String)>,
    wanted: Wanted,
}

impl<'c> Repo<'c> {
    fn new(
        step: &StepRun<'_>,
        config: &'c RepoStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        let values = step.values();
        let mut downloads = Vec::new();
        for download in &config.repo_downloads {
            let download = put_in(download, values, "repo_downloads")?;
            downloads.extend(repo::parse_downloads(&download));
        }
        Ok(Self {
            config,
            url: put_in(&config.manifest_url, values, "manifest_url")?,
            file: put_in(&config.manifest_file, values, "manifest_file")?,
            override_url: put_in_some(
                &config.manifest_override_url,
                values,
                "manifest_override_url",
            )?,
            tarball: put_in_some(&config.tarball, values, "tarball")?,
            downloads,
            // A change is in one of the repositories; the manifest has no such revision.
            wanted: Wanted {
                revision: None,
                ..wanted
            },
        })
    }

    fn branch(&self) -> &str {
        self.wanted.branch.as_deref().unwrap_or("master")
    }

    async fn run(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<bool> {
        Ok(self.report(at, arguments).await?.rc == Some(0))
    }

    async fn report(&self, at: &mut Workspace<'_, '_>, arguments: &[&str]) -> Part<Report> {
        at.run(words(arguments.iter().copied())).await
    }

    async fn cleanup(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let branch = self.branch().to_owned();
        self.run(at, &["sh", "-c", repo::CLEANUP, "sh", &branch])
            .await
    }

    async fn override_manifest(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let Some(place) = self.override_url.clone() else {
            return Ok(true);
        };
        let target = "manifest_override.xml";
        let is_copied = if !place.contains("://") && at.exists(&place).await? {
            self.run(at, &["cp", "-f", &place, target]).await?
        } else {
            self.run(at, &["wget", &place, "-O", target]).await?
        };
        let link = [
            "ln",
            "-sf",
            "../manifest_override.xml",
            ".repo/manifest.xml",
        ];
        Ok(is_copied && self.run(at, &link).await?)
    }

    async fn sync(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let depth = self.config.depth.to_string();
        let mut init = vec!["repo", "init", "-u", &self.url, "-b", self.branch()];
        init.extend(["-m", &self.file, "--depth", &depth]);
        init.extend(self.config.submodules.then_some("--submodules"));
        let jobs = self.config.jobs.map(|jobs| format!("-j{jobs}"));
        let mut sync = vec!["repo", "sync"];
        sync.extend(jobs.as_deref());
        sync.extend((!self.config.sync_all_branches).then_some("-c"));
        sync.extend(self.config.submodules.then_some("--fetch-submodules"));
        sync.extend(self.config.sync_quietly.then_some("-q"));
        let manifest = ["repo", "manifest", "-r", "-o", "manifest-original.xml"];
        Ok(self.run(at, &init).await?
            && self.override_manifest(at).await?
            && self.run(at, &sync).await?
            && self.run(at, &manifest).await?)
    }

    /// Starts a tree from the archive. A bad archive is removed.
    async fn unpack(&self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let Some(tarball) = self.tarball.clone() else {
            return Ok(());
        };
        let mut unpack = vec!["tar"];
        unpack.extend(repo::compression(&tarball));
        unpack.extend(["-xf", &tarball]);
        if !self.run(at, &unpack).await? {
            self.run(at, &["rm", "-f", &tarball]).await?;
            at.remove(Some(self.mark())).await?;
        }
        Ok(())
    }

    /// Makes the archive, if it is missing or too old.
    async fn pack(&self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let (Some(tarball), Some(age)) = (self.tarball.clone(), self.config.update_tarball_age)
        else {
            return Ok(());
        };
        let minutes = format!("+{}", age.as_secs() / 60);
        let found = self
            .report(at, &["find", &tarball, "-mmin", &minutes])
            .await?;
        if found.rc == Some(0) && found.output.is_empty() {
            return Ok(());
        }
        let mut pack = vec!["tar"];
        pack.extend(repo::compression(&tarball));
        pack.extend(["-cf", &tarball, self.mark()]);
        if !self.run(at, &pack).await? {
            self.run(at, &["rm", "-f", &tarball]).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl System for Repo<'_> {
    fn name(&self) -> &'static str {
        "repo"
    }

    fn mark(&self) -> &'static str {
        ".repo"
    }

    fn improper(&self) -> Option<String> {
        source::improper(&self.wanted, &self.url)
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        let downloads = self.downloads.iter();
        let downloads = downloads.map(|(project, change)| format!("{project} {change}"));
        let jobs = self.config.jobs;
        let own = vec![
            ("manifest_url", SourceValue::text(&self.url)),
            ("manifest_branch", SourceValue::text(self.branch())),
            ("manifest_file", SourceValue::text(&self.file)),
            (
                "manifest_override_url",
                SourceValue::Text(self.override_url.clone()),
            ),
            ("tarball", SourceValue::Text(self.tarball.clone())),
            ("repo_downloads", SourceValue::Texts(downloads.collect())),
            (
                "jobs",
                jobs.map_or(SourceValue::Text(None), SourceValue::Number),
            ),
        ];
        Some(("repo", own))
    }

    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        at.set_default("GIT_TERMINAL_PROMPT", "0");
        let report = at.run_above(words(["repo", "--version"])).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("repo cannot be run on this slave").await);
        }
        Ok(())
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, _files: Untracked) -> Part<bool> {
        self.cleanup(at).await
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        self.cleanup(at).await?;
        Ok(self.sync(at).await?.into())
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        self.unpack(at).await?;
        Ok(self.sync(at).await?.into())
    }

    async fn probe(&mut self, at: &mut Workspace<'_, '_>, _revision: bool) -> Part<bool> {
        let words = words(["git", "ls-remote", &self.url, self.branch()]);
        Ok(at.run_above(words).await?.rc == Some(0))
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    /// The commit of the manifest.
    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let git = ["git", "--git-dir=.repo/manifests/.git", "rev-parse", "HEAD"];
        let report = self.report(at, &git).await?;
        let got = String::from_utf8_lossy(&report.output).trim().to_owned();
        Ok((report.rc == Some(0) && is_whole_hash(&got)).then_some(got))
    }

    /// Also makes the archive and applies the changes.
    async fn tell(&mut self, at: &mut Workspace<'_, '_>, _codebase: &str) -> Part<()> {
        self.pack(at).await?;
        let mut downloaded = String::new();
        for (project, change) in self.downloads.clone() {
            if !self
                .run(at, &["repo", "download", &project, &change])
                .await?
            {
                let problem = format!("the change {project} {change} cannot be applied");
                return Err(at.refuse(&problem).await);
            }
            downloaded.push_str(&format!("{project} {change} "));
        }
        at.step.set_property("repo_downloaded", downloaded);
        Ok(())
    }
}
