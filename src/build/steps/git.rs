//! `Git`: the source of a build from a git repository (section 21), for git 1.7.5 or newer.
//!
//! Invariant: a command on the tree never affects another repository that contains the work
//! directory.

mod access;
mod prompts;
#[cfg(test)]
mod tests;
mod tree;

use self::access::Access;
use super::shell::{Unrenderable, put_in, put_in_repourl, put_in_some};
use super::source::{
    self, DAMAGED, Env, FromChanges, Outcome, Part, Reply, SILENT, SlaveCommand, System, Untracked,
    Wanted, Workspace, git_env, words,
};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::config::{GitFlavor, GitStepConfig};
use crate::protocol::source::SourceValue;
use crate::vc::git::{self, Answer, History, Version, is_whole_hash};
use crate::vc::patch;
use async_trait::async_trait;

/// Runs the step.
pub(in crate::build) async fn perform(step: &mut StepRun<'_>, config: &GitStepConfig) -> Performed {
    let make = |step: &StepRun<'_>, wanted| Git::new(step, config, wanted);
    source::run(step, &config.source, FromChanges::Last, make).await
}

/// A checkout of a git repository.
struct Git<'c> {
    config: &'c GitStepConfig,
    repourl: String,
    reference: Option<String>,
    /// Words that set the settings of git.
    settings: Vec<String>,
    access: Access,
    /// The change of Gerrit that is checked out.
    gerrit: Option<String>,
    wanted: Wanted,
    /// Whether the branch is a tag, according to the server.
    is_tag: bool,
    /// Version of git on the slave.
    version: Version,
    /// What the server has answered in this attempt.
    answer: Option<Answer>,
    /// Whether the failure was the failure of a submodule.
    has_bad_submodule: bool,
}

/// The repository of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// The tree in the work directory, and no other repository.
    Tree,
    /// The work directory, which becomes a tree.
    New,
    /// None. Relative addresses start in the work directory.
    Outside,
    /// None, and no particular directory.
    Anywhere,
}

impl<'c> Git<'c> {
    fn new(
        step: &StepRun<'_>,
        config: &'c GitStepConfig,
        wanted: Wanted,
    ) -> Result<Self, Unrenderable> {
        let (values, properties) = (step.values(), &*step.properties);
        let mut wanted = wanted;
        let mut gerrit = None;
        match config.flavor {
            GitFlavor::Git => {}
            GitFlavor::Gerrit => {
                let property = |name| properties.get(name)?.as_str();
                let project = property("event.change.project");
                // The event may be about the repository of another source step.
                let stamp = source::stamp_of_codebase(&step.around.plan, &config.source);
                let project_here = stamp.map_or("", |stamp| &stamp.project);
                if project.is_none_or(|project| project == project_here) {
                    gerrit = git::gerrit_reference(
                        property("event.patchSet.ref"),
                        property("gerrit_change"),
                    );
                }
                wanted.branch = gerrit.clone().or(wanted.branch);
            }
            GitFlavor::GitHub => {
                let is_merge = wanted
                    .branch
                    .as_deref()
                    .is_some_and(|b| b.ends_with("/merge"));
                wanted.revision = wanted.revision.filter(|_| !is_merge);
            }
        }
        let mut settings = Vec::new();
        for (name, value) in &config.config {
            let value = put_in(value, values, &format!("config, {name}"))?;
            settings.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        let mut repourl = put_in_repourl(&config.repourl, values)?;
        if let Some(port) = config.access.port {
            repourl = git::access::with_port(&repourl, port);
        }
        Ok(Self {
            config,
            access: Access::new(values, &config.access, &repourl)?,
            repourl,
            reference: put_in_some(&config.reference, values, "reference")?,
            settings,
            gerrit,
            wanted,
            is_tag: false,
            version: Version::default(),
            answer: None,
            has_bad_submodule: false,
        })
    }

    /// The possible names of the branch in the repository, in order of preference. A tag never
    /// hides a branch.
    fn references(&self) -> Vec<String> {
        match self.wanted.branch.as_deref() {
            None | Some("HEAD") => vec!["HEAD".to_owned()],
            Some(full) if full.starts_with("refs/") => vec![full.to_owned()],
            Some(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        }
    }

    /// The branch that is checked out in the tree; absent if the source is not a branch.
    fn branch_to_switch_to(&self) -> Option<String> {
        let references = self.references();
        let name = references.first()?.strip_prefix("refs/heads/")?;
        (!self.is_tag).then(|| name.to_owned())
    }

    /// Whether a command of git succeeds.
    async fn git(&self, at: &mut Workspace<'_, '_>, place: Place, words: &[&str]) -> Part<bool> {
        Ok(self.ask_git(at, place, words).await?.rc == Some(0))
    }

    /// Runs a command of git.
    async fn ask_git(
        &self,
        at: &mut Workspace<'_, '_>,
        place: Place,
        arguments: &[&str],
    ) -> Part<Report> {
        let workdir = match place {
            Place::Anywhere => ".".to_owned(),
            Place::Tree | Place::New | Place::Outside => at.workdir.clone(),
        };
        let settings = self.settings.iter().map(String::as_str);
        let shown = |word: &&str| self.config.progress || *word != "--progress";
        let arguments = arguments.iter().copied().filter(shown);
        let words = words(["git"].into_iter().chain(settings).chain(arguments));
        let env = env_in(at.env.clone(), place);
        at.run_in(words, workdir, env, None).await
    }
}

/// The environment of a command.
fn env_in(env: Env, place: Place) -> Env {
    match place {
        Place::Tree => git_env(env, Some(".git"), Some(".")),
        Place::New => git_env(env, None, None),
        Place::Outside | Place::Anywhere => git_env(env, Some(NO_REPOSITORY), None),
    }
}

/// Names a repository that does not exist.
const NO_REPOSITORY: &str = ".buildbot-no-repository";

const fn untracked(files: Untracked) -> git::Untracked {
    match files {
        Untracked::All => git::Untracked::All,
        Untracked::NotIgnored => git::Untracked::NotIgnored,
    }
}

#[async_trait]
impl System for Git<'_> {
    fn name(&self) -> &'static str {
        "git"
    }

    fn mark(&self) -> &'static str {
        ".git"
    }

    fn improper(&self) -> Option<String> {
        let odd = |c: char| c.is_control() || c.is_whitespace();
        let never_in_branches = [':', '^', '~', '?', '*', '[', '\\'];
        let is_bad = |b: &&str| {
            b.starts_with('+')
                || b.contains("..")
                || b.contains(odd)
                || b.contains(never_in_branches)
        };
        if let Some(branch) = self.wanted.branch.as_deref().filter(is_bad) {
            return Some(format!("{branch:?} is not a branch name"));
        }
        let problem = source::improper(&self.wanted, &self.repourl);
        problem.or_else(|| self.access.improper())
    }

    fn slave_command(&self) -> Option<SlaveCommand> {
        let branch = self.wanted.branch.as_deref().unwrap_or("HEAD");
        let config = self.config;
        let own = vec![
            ("repourl", SourceValue::text(&self.repourl)),
            ("branch", SourceValue::text(branch)),
            ("submodules", SourceValue::Flag(config.submodules)),
            ("ignore_ignores", SourceValue::Flag(true)),
            ("reference", SourceValue::Text(self.reference.clone())),
            ("shallow", SourceValue::Flag(config.shallow)),
            ("progress", SourceValue::Flag(config.progress)),
        ];
        Some(("git", own))
    }

    /// Also finds out what would make git wait for a person.
    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        let report = self.ask_git(at, Place::Anywhere, &["--version"]).await?;
        if report.rc != Some(0) {
            return Err(at.refuse("git cannot be run on this slave").await);
        }
        self.version = Version::read(&String::from_utf8_lossy(&report.output));
        let mut configured = String::new();
        if self.config.submodules || git::may_ask(&self.repourl) {
            let words = ["config", "--get-regexp", git::ASKING_SETTINGS];
            let report = self.ask_git(at, Place::Anywhere, &words).await?;
            configured = String::from_utf8_lossy(&report.output).into_owned();
        }
        at.default_env = prompts::quiet(&configured);
        if let Some(problem) = self.access.needs(self.version) {
            return Err(at.refuse(&problem).await);
        }
        self.access.set_up(at, &mut self.settings).await
    }

    fn begin(&mut self) {
        self.answer = None;
        self.has_bad_submodule = false;
    }

    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        let words = git::clean(untracked(files), patch::MARK);
        self.git(at, Place::Tree, &words).await
    }

    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        if self.config.sparse.is_empty() && !self.widen(at).await? {
            return Ok(Outcome::Failed);
        }
        self.update(at).await
    }

    async fn clean_rest(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool> {
        if !self.config.submodules {
            return Ok(true);
        }
        let words = git::clean_submodules(untracked(files));
        let words = words.each_ref().map(String::as_str);
        self.git(at, Place::Tree, &words).await
    }

    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let history = if self.config.shallow {
            History::Latest
        } else {
            History::AsBefore
        };
        let options = git::CloneOptions {
            history,
            reference: self.reference.as_deref(),
            origin: self.config.origin.as_deref(),
            filters: &self.config.filters,
        };
        let words = git::clone(self.version, &self.repourl, &options);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if !self.git(at, Place::New, &words).await? {
            return Ok(Outcome::Failed);
        }
        self.update(at).await
    }

    async fn ask(&mut self, at: &mut Workspace<'_, '_>) -> Part<Reply> {
        Ok(match self.ask_server(at).await? {
            Answer::Silent => Reply::Silent,
            Answer::Lacks => Reply::Lacks,
            Answer::Has(_) => Reply::Has,
        })
    }

    async fn is_to_blame(&mut self, at: &mut Workspace<'_, '_>, outcome: Outcome) -> Part<bool> {
        if self.ask_server(at).await? == Answer::Silent {
            at.note(SILENT).await;
            return Ok(false);
        }
        if outcome == Outcome::Missing {
            let words = git::check(self.version);
            if self.git(at, Place::Tree, &words).await? {
                at.note(&self.missing()).await;
                return Ok(false);
            }
        }
        if self.has_bad_submodule
            && let Some(silent) = self.silent_submodule(at).await?
        {
            let problem =
                format!("the repository {silent} of a submodule does not answer; the tree stays");
            at.note(&format!("{problem} as it is")).await;
            return Ok(false);
        }
        if !self.config.clobber_on_failure {
            at.note("the tree is damaged or locked; clobber_on_failure = true makes it anew")
                .await;
            return Ok(false);
        }
        at.note(DAMAGED).await;
        Ok(true)
    }

    fn missing(&self) -> String {
        source::missing(&self.wanted)
    }

    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>> {
        let report = self
            .ask_git(at, Place::Tree, &["rev-parse", "HEAD"])
            .await?;
        let got = String::from_utf8_lossy(&report.output).trim().to_owned();
        Ok((report.rc == Some(0) && is_whole_hash(&got)).then_some(got))
    }

    async fn tell(&mut self, at: &mut Workspace<'_, '_>, codebase: &str) -> Part<()> {
        if let Some(gerrit) = &self.gerrit {
            source::set_by_codebase(at.step, "gerrit_branch", codebase, gerrit);
        }
        let Some(options) = &self.config.get_description else {
            return Ok(());
        };
        let mut words = vec!["describe"];
        words.extend(options.iter().map(String::as_str));
        words.push("HEAD");
        words.retain(|word| *word != "HEAD" || !git::describes_the_tree(options));
        let report = self.ask_git(at, Place::Tree, &words).await?;
        if report.rc == Some(0) {
            let description = String::from_utf8_lossy(&report.output).trim().to_owned();
            source::set_by_codebase(at.step, "commit-description", codebase, &description);
        }
        Ok(())
    }

    async fn leave(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        self.access.clear(at).await
    }

    /// The patch may have moved submodules.
    async fn after_patch(&mut self, at: &mut Workspace<'_, '_>) -> Part<()> {
        if self.update_submodules(at).await? {
            return Ok(());
        }
        let problem = "the submodules that the patch asks for cannot be had";
        Err(at.refuse(problem).await)
    }
}
