//! `Git`: the sources of a build, from a git repository (section 21).
//!
//! The master drives it with ordinary commands, so that it works on slaves of every kind that have
//! `git`, from 1.7.5 on.
//!
//! Invariants: texts that come from outside (branch, revision, directory of the patch) never reach
//! `git` as an option or leave the work directory; a command on the tree never reaches another
//! repository that the work directory lies in; a tree is marked as patched before the patch touches
//! it, and the mark is removed only after the tree was cleaned (SRC-05); no command waits for a
//! person. What the log says of a command is what the slave said.

mod prompts;
#[cfg(test)]
mod tests;
mod tree;

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::shell::{ENVIRONMENT_HIDDEN, Unrenderable, describe, merged_env, put_in};
use crate::build::command::Report;
use crate::build::control::Paused;
use crate::build::step::{Performed, STDIO, StepRun};
use crate::config::GitStepConfig;
use crate::model::{Patch, Results};
use crate::protocol::files::{DownloadArgs, RmdirArgs, StatArgs};
use crate::protocol::{CommandArgs, DefaultVariable, ShellArgs, ShellCommand};
use crate::vc::git::{Answer, Version, is_whole_hash};
use crate::vc::patch::{self, PatchJob};

/// Runs the step.
pub(in crate::build) async fn perform(step: &mut StepRun<'_>, config: &GitStepConfig) -> Performed {
    let (job, doing, done) = match prepare(step, config) {
        Ok(prepared) => prepared,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    step.begin(doing, done, &[STDIO]).await;
    if !config.log_environ {
        step.logs.note(ENVIRONMENT_HIDDEN.to_owned()).await;
    }
    let mut git = Git {
        step,
        config,
        job,
        version: Version::default(),
        quiet: Vec::new(),
        answer: None,
    };
    match git.run().await {
        Ok(()) => Performed::Ended {
            result: Results::Success,
            detail: Vec::new(),
        },
        Err(ended) => ended,
    }
}

/// What is to be done, with the properties put in.
struct Job {
    repourl: String,
    branch: Option<String>,
    /// Whether the branch is a tag, as the server has said.
    is_tag: bool,
    revision: Option<String>,
    workdir: String,
    env: Vec<(String, Option<String>)>,
    timeout: Option<f64>,
}

impl Job {
    /// What the branch is called in the repository; the first that is there counts. A tag never
    /// hides a branch.
    fn references(&self) -> Vec<String> {
        match self.branch.as_deref() {
            None | Some("HEAD") => vec!["HEAD".to_owned()],
            Some(full) if full.starts_with("refs/") => vec![full.to_owned()],
            Some(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        }
    }

    /// The branch that is checked out in the tree; absent where what is built is none.
    fn branch_to_switch_to(&self) -> Option<String> {
        let references = self.references();
        let name = references.first()?.strip_prefix("refs/heads/")?;
        (!self.is_tag).then(|| name.to_owned())
    }
}

type Texts = Vec<String>;

fn prepare(
    step: &StepRun<'_>,
    config: &GitStepConfig,
) -> Result<(Job, Texts, Texts), Unrenderable> {
    let values = step.values();
    let plan = &step.around.plan;
    let stamp = (!config.always_use_latest).then_some(&*plan.stamp);
    let own = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let branch = match (
        stamp.and_then(|s| own(s.branch.as_deref()?)),
        &config.branch,
    ) {
        (None, Some(default)) => own(&put_in(default, values, "branch")?),
        (branch, _) => branch,
    };
    let job = Job {
        repourl: put_in(&config.repourl, values, "repourl")?,
        branch,
        is_tag: false,
        revision: stamp.and_then(|s| own(s.revision_to_build()?)),
        workdir: put_in(&config.workdir, values, "workdir")?,
        env: merged_env(&plan.builder.env, &config.env, values)?,
        timeout: config.timeout.as_ref().map(Duration::as_secs_f64),
    };
    let command = ShellCommand::Line("git".to_owned());
    let doing = describe(step.config, &command, false, values)?;
    let done = describe(step.config, &command, true, values)?;
    Ok((job, doing, done))
}

/// A step that runs. Its functions answer with an error as soon as the step has ended.
struct Git<'s, 'a> {
    step: &'s mut StepRun<'a>,
    config: &'s GitStepConfig,
    job: Job,
    /// Of the slave's git.
    version: Version,
    /// Keep git from waiting for a person.
    quiet: Vec<DefaultVariable>,
    /// What the server has said in this attempt.
    answer: Option<Answer>,
}

/// What a command of git is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// The tree in the work directory, and no other repository.
    Tree,
    /// The work directory, which is to become a tree.
    New,
    /// No repository; the work directory is where relative addresses begin.
    Outside,
    /// No repository and no particular directory.
    Anywhere,
}

impl Git<'_, '_> {
    async fn run(&mut self) -> Result<(), Performed> {
        let plan = &self.step.around.plan;
        let patch = plan.stamp.patch.as_ref();
        let patch = patch.filter(|_| !self.config.always_use_latest);
        let has_patch = patch.is_some();
        let patch = match patch {
            Some(patch) => self.prepare(patch).await?,
            None => None,
        };
        if let Some(problem) = improper(&self.job) {
            return Err(self.refuse(&problem).await);
        }
        self.look_around().await?;
        self.obtain().await?;
        self.tell_revision().await?;
        if let Some(patch) = patch {
            self.apply(&patch).await?;
            // The patch may have moved them.
            if !self.update_submodules().await? {
                let problem = "the submodules that the patch asks for cannot be had";
                return Err(self.refuse(problem).await);
            }
        }
        self.step.has_patched = has_patch;
        Ok(())
    }

    /// Puts the diff into a log and finds out how it is applied. The diff is dropped from memory,
    /// since the checkout may take long.
    async fn prepare(&mut self, patch: &Patch) -> Result<Option<PatchJob>, Performed> {
        let diff = self.diff(patch).await?;
        self.step.logs.add("patch", diff.clone()).await;
        match PatchJob::new(patch, &diff) {
            Ok(job) => Ok(job),
            Err(problem) => Err(self.refuse(&problem).await),
        }
    }

    async fn diff(&self, patch: &Patch) -> Result<Bytes, Performed> {
        let diff = self.step.around.journal.diff(patch).await;
        diff.map_err(|problem| Performed::Raised(format!("{problem}\n")))
    }

    /// The revision that is asked for, in the work directory (SRC-07).
    async fn obtain(&mut self) -> Result<(), Performed> {
        let (delay, mut tries_left) = self.config.retry.unwrap_or((Duration::ZERO, 0));
        while !self.check_out().await? {
            if tries_left == 0 {
                return Err(FAILED);
            }
            tries_left -= 1;
            let seconds = delay.as_secs_f64();
            let note = format!("\nthe checkout failed, and is tried again in {seconds} s\n");
            self.step.logs.note(note).await;
            match self.step.controls.pause(delay).await {
                Paused::Over => {}
                Paused::Stopped(reason) => {
                    self.step.interrupted = Some(reason);
                    return Err(FAILED);
                }
                Paused::SlaveLost => return Err(Performed::SlaveLost),
            }
        }
        Ok(())
    }

    /// Sets the properties for the revision that was checked out (SRC-03).
    async fn tell_revision(&mut self) -> Result<(), Performed> {
        let report = self.ask_git(Place::Tree, &["rev-parse", "HEAD"]).await?;
        let got = String::from_utf8_lossy(&report.output).trim().to_owned();
        if report.rc != Some(0) || !is_whole_hash(&got) {
            return Err(self.refuse("git does not tell which revision it is").await);
        }
        let (properties, codebase) = (
            &*self.step.properties,
            &self.step.around.plan.stamp.codebase,
        );
        let value = if codebase.is_empty() {
            json!(got)
        } else {
            let mut all = match properties.get("got_revision") {
                Some(Json::Object(all)) => all.clone(),
                Some(_) | None => serde_json::Map::new(),
            };
            all.insert(codebase.clone(), json!(got));
            Json::Object(all)
        };
        self.step.set_property("got_revision", value);
        let is_unset = match self.step.properties.get("revision") {
            None | Some(Json::Null) => true,
            Some(value) => value.as_str() == Some(""),
        };
        if let (true, Some(revision)) = (is_unset, &self.job.revision) {
            self.step.set_property("revision", revision.as_str());
        }
        Ok(())
    }

    /// Marks the tree, and applies the patch to it (SRC-05).
    async fn apply(&mut self, patch: &PatchJob) -> Result<(), Performed> {
        let mark = Bytes::from_static(b"patched\n");
        self.write(patch::MARK, mark).await?;
        if let Some(of) = &self.step.around.plan.stamp.patch {
            let diff = self.diff(of).await?;
            self.write(&patch.file, diff).await?;
        }
        let dir = match &patch.dir {
            Some(dir) => format!("{}/{dir}", self.job.workdir),
            None => self.job.workdir.clone(),
        };
        let words: Vec<&str> = patch.command.iter().map(String::as_str).collect();
        let args = self.shell(&words, &dir, self.env_in(Place::Tree));
        if self.run_command(&args).await?.rc != Some(0) {
            return Err(self.refuse("the patch cannot be applied").await);
        }
        self.remove(Some(&patch.file)).await
    }

    /// Whether there is something of this name in the work directory.
    async fn exists(&mut self, name: &str) -> Result<bool, Performed> {
        let file = format!("{}/{name}", self.job.workdir);
        let args = CommandArgs::Stat(StatArgs { file });
        Ok(self.run_command(&args).await?.rc == Some(0))
    }

    /// Removes something in the work directory, or all of it.
    async fn remove(&mut self, name: Option<&str>) -> Result<(), Performed> {
        let workdir = &self.job.workdir;
        let dir = name.map_or_else(|| workdir.clone(), |name| format!("{workdir}/{name}"));
        let args = CommandArgs::Rmdir(RmdirArgs {
            dir: dir.clone(),
            timeout: self.job.timeout,
            log_environ: self.config.log_environ,
        });
        if self.run_command(&args).await?.rc != Some(0) {
            return Err(self.refuse(&format!("{dir} cannot be removed")).await);
        }
        Ok(())
    }

    /// Writes a file in the work directory.
    async fn write(&mut self, name: &str, content: Bytes) -> Result<(), Performed> {
        let args = CommandArgs::DownloadFile(DownloadArgs {
            dest: name.to_owned(),
            workdir: self.job.workdir.clone(),
            content,
        });
        if self.run_command(&args).await?.rc != Some(0) {
            return Err(self.refuse(&format!("{name} cannot be written")).await);
        }
        Ok(())
    }

    /// Whether a command of git succeeds.
    async fn git(&mut self, place: Place, words: &[&str]) -> Result<bool, Performed> {
        Ok(self.ask_git(place, words).await?.rc == Some(0))
    }

    /// Runs a command of git.
    async fn ask_git(&mut self, place: Place, words: &[&str]) -> Result<Report, Performed> {
        let workdir = match place {
            Place::Anywhere => ".",
            Place::Tree | Place::New | Place::Outside => &self.job.workdir,
        };
        let words = [&["git"], words].concat();
        let args = self.shell(&words, workdir, self.env_in(place));
        self.run_command(&args).await
    }

    /// The environment of a command. What the slave's own has about repositories, perhaps because
    /// the slave was started by a hook of git, does not count.
    fn env_in(&self, place: Place) -> Vec<(String, Option<String>)> {
        let (repository, files) = match place {
            Place::Tree => (Some(".git"), Some(".")),
            Place::New => (None, None),
            Place::Outside | Place::Anywhere => (Some(NO_REPOSITORY), None),
        };
        let mut env = self.job.env.clone();
        for (name, value) in [
            ("GIT_DIR", repository),
            ("GIT_WORK_TREE", files),
            ("GIT_INDEX_FILE", None),
            ("GIT_OBJECT_DIRECTORY", None),
        ] {
            if !env.iter().any(|(known, _)| known == name) {
                env.push((name.to_owned(), value.map(str::to_owned)));
            }
        }
        env
    }

    fn shell(
        &self,
        words: &[&str],
        workdir: &str,
        env: Vec<(String, Option<String>)>,
    ) -> CommandArgs {
        CommandArgs::Shell(Box::new(ShellArgs {
            env,
            default_env: self.quiet.clone(),
            timeout: self.job.timeout,
            // On a terminal it would ask.
            use_pty: Some(false),
            log_environ: self.config.log_environ,
            ..ShellArgs::words(words.iter().copied(), workdir)
        }))
    }

    /// Runs a command; an interrupt during it is the end of the step.
    async fn run_command(&mut self, args: &CommandArgs) -> Result<Report, Performed> {
        let report = self.step.complete(args).await?;
        if self.step.interrupted.is_some() {
            return Err(FAILED);
        }
        Ok(report)
    }

    /// Fails the step, saying why.
    async fn refuse(&mut self, problem: &str) -> Performed {
        self.note(problem).await;
        FAILED
    }

    /// Says something in the step's log.
    async fn note(&mut self, text: &str) {
        self.step.logs.note(format!("\n{text}\n")).await;
    }
}

const FAILED: Performed = Performed::Ended {
    result: Results::Failure,
    detail: Vec::new(),
};

/// Names a repository that does not exist.
const NO_REPOSITORY: &str = ".buildbot-no-repository";

/// What is wrong with the names in a job. They come from people's changes and must not be taken for
/// options of git.
fn improper(job: &Job) -> Option<String> {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    let no_branch = |b: &str| b.starts_with(['-', '+']) || b.contains("..");
    let never_in_branches = [':', '^', '~', '?', '*', '[', '\\'];
    if job.repourl.is_empty() || job.repourl.starts_with('-') || job.repourl.contains('\0') {
        return Some(format!(
            "{:?} is not an address of a repository",
            job.repourl
        ));
    }
    let branch = job.branch.as_deref();
    if let Some(b) =
        branch.filter(|b| no_branch(b) || b.contains(odd) || b.contains(never_in_branches))
    {
        return Some(format!("{b:?} is not a branch name"));
    }
    let revision = job.revision.as_deref();
    if let Some(r) = revision.filter(|r| r.starts_with('-') || r.contains(odd)) {
        return Some(format!("{r:?} is not a revision"));
    }
    None
}
