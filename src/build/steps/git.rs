//! `Git`: the sources of a build, from a git repository (section 21).
//!
//! The master drives it with ordinary commands, so that it works on slaves of every kind that have `git`.
//!
//! Invariants: texts that come from outside (branch, revision, directory of the patch) never reach `git` as an option
//! or leave the work directory; a tree is marked as patched before the patch touches it, and the mark is removed only
//! after the tree was cleaned (SRC-05). What the log says of a command is what the slave said.

mod patch;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use self::patch::PatchJob;
use super::shell::{Unrenderable, describe, merged_env, put_in};
use crate::build::command::Report;
use crate::build::control::Paused;
use crate::build::step::{Performed, STDIO, StepRun};
use crate::config::checked::{GitMode, GitStepConfig};
use crate::model::{Patch, Results};
use crate::protocol::CommandArgs;
use crate::protocol::command::{ShellArgs, ShellCommand};
use crate::protocol::files::{DownloadArgs, RmdirArgs, StatArgs};

/// Runs the step.
pub(in crate::build) async fn perform(step: &mut StepRun<'_>, config: &GitStepConfig) -> Performed {
    let (job, doing, done) = match prepare(step, config) {
        Ok(prepared) => prepared,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    step.begin(doing, done, &[STDIO]).await;
    let mut git = Git { step, config, job };
    match git.run().await {
        Ok(()) => Performed::Ended {
            result: Results::Success,
            detail: &[],
        },
        Err(ended) => ended,
    }
}

/// What is to be done, with the properties put in.
struct Job {
    repourl: String,
    branch: Option<String>,
    revision: Option<String>,
    workdir: String,
    env: Vec<(String, Option<String>)>,
    timeout: Option<f64>,
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
}

/// What became of a tree that was there.
enum Updated {
    /// It has the revision.
    Yes,
    /// What is asked for could not be had; the tree is as good as before.
    Unreachable,
    /// The tree itself makes trouble.
    Broken,
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

    /// Puts the diff into a log and finds out how it is applied. The diff is let go of, since the checkout may take long.
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

    /// One attempt; answers whether it succeeded.
    async fn check_out(&mut self) -> Result<bool, Performed> {
        let may_update = match self.config.mode {
            GitMode::Clobber => false,
            GitMode::Incremental | GitMode::Fresh | GitMode::Clean => self.exists(".git").await?,
        };
        if may_update {
            match self.update().await? {
                Updated::Yes => return Ok(true),
                Updated::Unreachable => return Ok(false),
                Updated::Broken => {
                    let note = "\nthe tree cannot be updated, and is made anew\n";
                    self.step.logs.note(note.to_owned()).await;
                }
            }
        }
        self.remove(None).await?;
        let mut clone = vec!["git", "clone", "--no-checkout"];
        clone.extend(self.depth());
        let repourl = self.job.repourl.clone();
        clone.extend(["--", repourl.as_str(), "."]);
        if !self.git(&clone).await? || !self.fetch().await? {
            return Ok(false);
        }
        Ok(self.switch().await? && self.update_submodules().await?)
    }

    /// Brings the tree that is there to the revision.
    async fn update(&mut self) -> Result<Updated, Performed> {
        let was_patched = self.exists(patch::MARK).await?;
        let method = match self.config.mode {
            _ if was_patched => Some(["-f", "-f", "-d", "-x"].as_slice()),
            GitMode::Fresh => Some(["-f", "-f", "-d", "-x"].as_slice()),
            GitMode::Clean => Some(["-f", "-f", "-d"].as_slice()),
            GitMode::Incremental | GitMode::Clobber => None,
        };
        if let Some(method) = method {
            // The mark goes last, so that a clean that is cut short is done again.
            let mut clean = [&["git", "clean"], method].concat();
            clean.extend(["-e", patch::MARK]);
            if !self.git(&clean).await? {
                return Ok(Updated::Broken);
            }
        }
        if !self.fetch().await? {
            return Ok(Updated::Unreachable);
        }
        if !self.switch().await? {
            let known = match self.job.revision.clone() {
                Some(revision) if !self.config.shallow => {
                    self.git(&["git", "cat-file", "-e", &revision]).await?
                }
                Some(_) | None => true,
            };
            return Ok(if known {
                Updated::Broken
            } else {
                Updated::Unreachable
            });
        }
        if !self.update_submodules().await? {
            return Ok(Updated::Unreachable);
        }
        if let (Some(method), true) = (method, self.config.submodules) {
            let clean = format!("git clean {}", method.join(" "));
            let words = ["git", "submodule", "foreach", "--recursive", &clean];
            if !self.git(&words).await? {
                return Ok(Updated::Broken);
            }
        }
        if was_patched {
            self.remove(Some(patch::MARK)).await?;
        }
        Ok(Updated::Yes)
    }

    async fn fetch(&mut self) -> Result<bool, Performed> {
        let mut fetch = vec!["git", "fetch", "-f", "-t"];
        fetch.extend(self.depth());
        let repourl = self.job.repourl.clone();
        let branch = self.job.branch.clone();
        let branch = branch.as_deref().unwrap_or("HEAD");
        fetch.extend(["--", repourl.as_str(), branch]);
        self.git(&fetch).await
    }

    /// Puts the files of the revision in place, over whatever was changed.
    async fn switch(&mut self) -> Result<bool, Performed> {
        let revision = self.job.revision.clone();
        let revision = revision.as_deref().unwrap_or("FETCH_HEAD");
        self.git(&["git", "checkout", "-f", "--detach", revision, "--"])
            .await
    }

    async fn update_submodules(&mut self) -> Result<bool, Performed> {
        if !self.config.submodules {
            return Ok(true);
        }
        let update = "git submodule update --init --recursive --force";
        Ok(self.git(&["git", "submodule", "sync"]).await?
            && self.git(&update.split(' ').collect::<Vec<_>>()).await?)
    }

    /// A revision that is asked for may be any; the latest needs no history.
    const fn depth(&self) -> &'static [&'static str] {
        if self.config.shallow && self.job.revision.is_none() {
            &["--depth", "1"]
        } else {
            &[]
        }
    }

    /// Sets the properties for the revision that was checked out (SRC-03).
    async fn tell_revision(&mut self) -> Result<(), Performed> {
        let args = self.shell(&["git", "rev-parse", "HEAD"], &self.job.workdir);
        let report = self.run_command(&args).await?;
        let got = String::from_utf8_lossy(&report.output).trim().to_owned();
        let is_hash = matches!(got.len(), 40 | 64) && got.bytes().all(|b| b.is_ascii_hexdigit());
        if report.rc != Some(0) || !is_hash {
            return Err(self.refuse("git does not tell which revision it is").await);
        }
        let StepRun {
            properties,
            around,
            name,
            ..
        } = &mut *self.step;
        let codebase = &around.plan.stamp.codebase;
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
        properties.set_runtime("got_revision", value, name);
        let is_unset = match properties.get("revision") {
            None | Some(Json::Null) => true,
            Some(value) => value.as_str() == Some(""),
        };
        if let (true, Some(revision)) = (is_unset, &self.job.revision) {
            properties.set_runtime("revision", revision.as_str(), name);
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
        let args = self.shell(&words, &dir);
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

    /// Whether a program that runs in the work directory succeeds.
    async fn git(&mut self, words: &[&str]) -> Result<bool, Performed> {
        let args = self.shell(words, &self.job.workdir);
        Ok(self.run_command(&args).await?.rc == Some(0))
    }

    fn shell(&self, words: &[&str], workdir: &str) -> CommandArgs {
        CommandArgs::Shell(Box::new(ShellArgs {
            env: self.job.env.clone(),
            timeout: self.job.timeout,
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
        self.step.logs.note(format!("\n{problem}\n")).await;
        FAILED
    }
}

const FAILED: Performed = Performed::Ended {
    result: Results::Failure,
    detail: &[],
};

/// What is wrong with the names in a job. They come from people's changes and must not be taken for options of git.
fn improper(job: &Job) -> Option<String> {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    let no_branch = |b: &str| b.starts_with(['-', '+']) || b.contains("..");
    let never_in_branches = [':', '^', '~', '?', '*', '[', '\\'];
    if job.repourl.is_empty() || job.repourl.contains('\0') {
        return Some(format!("{:?} is no address of a repository", job.repourl));
    }
    let branch = job.branch.as_deref();
    if let Some(b) =
        branch.filter(|b| no_branch(b) || b.contains(odd) || b.contains(never_in_branches))
    {
        return Some(format!("{b:?} is no name of a branch"));
    }
    let revision = job.revision.as_deref();
    if let Some(r) = revision.filter(|r| r.starts_with('-') || r.contains(odd)) {
        return Some(format!("{r:?} is no revision"));
    }
    None
}
