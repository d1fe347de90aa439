//! A directory on the slave, and the commands on it.

use std::time::Duration;

use bytes::Bytes;

use crate::build::command::{Listening, Report};
use crate::build::step::{Performed, StepRun};
use crate::model::Results;
use crate::protocol::files::{CpdirArgs, RmdirArgs, StatArgs};
use crate::protocol::{CommandArgs, DefaultVariable, ShellArgs, ShellCommand, Word};
use crate::vc::patch::MARK;

/// Variables of a command's environment. A value of `None` removes the variable.
pub(in crate::build::steps) type Env = Vec<(String, Option<String>)>;

/// A directory in which a step works. A method returns an error when the step has ended.
pub(in crate::build::steps) struct Workspace<'s, 'a> {
    pub(in crate::build::steps) step: &'s mut StepRun<'a>,
    /// The directory, below the builder's or absolute.
    pub(in crate::build::steps) workdir: String,
    /// Environment of its commands.
    pub(in crate::build::steps) env: Env,
    /// Variables for commands whose environment does not set them.
    pub(in crate::build::steps) default_env: Vec<DefaultVariable>,
    /// Maximum time of a command without output.
    pub(in crate::build::steps) timeout: Option<Duration>,
    /// Whether the log shows the environment.
    pub(in crate::build::steps) log_environ: bool,
}

/// The end of a step that has failed, with the reason in its log.
pub(in crate::build::steps) const fn failed() -> Performed {
    Performed::Ended {
        result: Results::Failure,
        detail: Vec::new(),
    }
}

impl Workspace<'_, '_> {
    /// Whether a file or directory of this name exists.
    pub(in crate::build::steps) async fn exists(&mut self, name: &str) -> Result<bool, Performed> {
        let file = format!("{}/{name}", self.workdir);
        let args = CommandArgs::Stat(StatArgs::of(file));
        Ok(self.perform(&args).await?.rc == Some(0))
    }

    /// Whether a file or directory of this name exists in the directory of the builder.
    pub(in crate::build::steps) async fn exists_above(
        &mut self,
        name: &str,
    ) -> Result<bool, Performed> {
        let args = CommandArgs::Stat(StatArgs::of(name.to_owned()));
        Ok(self.perform(&args).await?.rc == Some(0))
    }

    /// Removes the file or directory of this name in the directory of the builder.
    pub(in crate::build::steps) async fn remove_above(
        &mut self,
        name: &str,
    ) -> Result<(), Performed> {
        if name.starts_with('/') {
            return self.remove_dir(name.to_owned()).await;
        }
        let workdir = std::mem::replace(&mut self.workdir, ".".to_owned());
        let removed = self.remove(Some(name)).await;
        self.workdir = workdir;
        removed
    }

    /// Removes the file or directory of this name, or the whole directory.
    pub(in crate::build::steps) async fn remove(
        &mut self,
        name: Option<&str>,
    ) -> Result<(), Performed> {
        let workdir = &self.workdir;
        let dir = name.map_or_else(|| workdir.clone(), |name| format!("{workdir}/{name}"));
        self.remove_dir(dir).await
    }

    async fn remove_dir(&mut self, dir: String) -> Result<(), Performed> {
        let args = CommandArgs::Rmdir(RmdirArgs {
            dir: dir.clone(),
            timeout: self.seconds(),
            log_environ: self.log_environ,
        });
        if self.perform(&args).await?.rc != Some(0) {
            return Err(self.refuse(&format!("{dir} cannot be removed")).await);
        }
        Ok(())
    }

    /// Removes what a version control system has listed, except the mark of a patch. Names that
    /// leave the directory are skipped.
    pub(in crate::build::steps) async fn remove_listed(
        &mut self,
        names: impl IntoIterator<Item = String>,
    ) -> Result<(), Performed> {
        for name in names {
            let climbs = name.split(['/', '\\']).any(|part| part == "..");
            let is_absolute = name.starts_with(['/', '\\']) || name.contains(':');
            if !climbs && !is_absolute && !name.is_empty() && name != "." && name != MARK {
                self.remove(Some(&name)).await?;
            }
        }
        Ok(())
    }

    /// Sets a variable of the environment, unless the step or the builder does.
    pub(in crate::build::steps) fn set_default(&mut self, name: &str, value: &str) {
        if !self.env.iter().any(|(known, _)| known == name) {
            self.env.push((name.to_owned(), Some(value.to_owned())));
        }
    }

    /// Writes a file.
    pub(in crate::build::steps) async fn write(
        &mut self,
        name: &str,
        content: Bytes,
    ) -> Result<(), Performed> {
        let workdir = self.workdir.clone();
        self.write_in(&workdir, name, content, None).await
    }

    /// Writes a file for the slave's user alone in the directory of the builder.
    pub(in crate::build::steps) async fn write_private(
        &mut self,
        name: &str,
        content: Bytes,
    ) -> Result<(), Performed> {
        self.write_in(".", name, content, Some(0o600)).await
    }

    async fn write_in(
        &mut self,
        dir: &str,
        name: &str,
        content: Bytes,
        mode: Option<u32>,
    ) -> Result<(), Performed> {
        let report = self.step.send_bytes(name, dir, content, mode).await?;
        if self.step.interrupted.is_some() {
            return Err(failed());
        }
        if report.rc != Some(0) {
            return Err(self.refuse(&format!("{name} cannot be written")).await);
        }
        Ok(())
    }

    /// The whole path of the directory of the builder.
    pub(in crate::build::steps) async fn builder_directory(&mut self) -> Result<String, Performed> {
        // As the core knows it: a step may have set the property.
        let known = self.step.around.plan.properties.get("builddir");
        if let Some(known) = known.and_then(serde_json::Value::as_str) {
            return Ok(known.to_owned());
        }
        let report = self.run_above(words(["pwd"])).await?;
        let printed = String::from_utf8_lossy(&report.output).trim().to_owned();
        if report.rc == Some(0) && !printed.is_empty() {
            return Ok(printed);
        }
        Err(self.refuse("the slave does not tell its directory").await)
    }

    /// Copies the directory `from` to this directory, which does not exist.
    pub(in crate::build::steps) async fn copy_from(&mut self, from: &str) -> Result<(), Performed> {
        let args = CommandArgs::Cpdir(CpdirArgs {
            from: from.to_owned(),
            to: self.workdir.clone(),
            timeout: self.seconds(),
            max_time: None,
            log_environ: self.log_environ,
        });
        if self.perform(&args).await?.rc != Some(0) {
            let problem = format!("{from} cannot be copied to {}", self.workdir);
            return Err(self.refuse(&problem).await);
        }
        Ok(())
    }

    /// Runs a program in the directory.
    pub(in crate::build::steps) async fn run(
        &mut self,
        words: Vec<Word>,
    ) -> Result<Report, Performed> {
        let (dir, env) = (self.workdir.clone(), self.env.clone());
        self.run_in(words, dir, env, None).await
    }

    /// Runs a program in the directory of the builder.
    pub(in crate::build::steps) async fn run_above(
        &mut self,
        words: Vec<Word>,
    ) -> Result<Report, Performed> {
        let env = self.env.clone();
        self.run_in(words, ".".to_owned(), env, None).await
    }

    /// Runs a program in `dir` with the environment `env` and the input `stdin`.
    pub(in crate::build::steps) async fn run_in(
        &mut self,
        words: Vec<Word>,
        dir: String,
        env: Env,
        stdin: Option<Bytes>,
    ) -> Result<Report, Performed> {
        let args = CommandArgs::Shell(Box::new(ShellArgs {
            env,
            default_env: self.default_env.clone(),
            initial_stdin: stdin,
            timeout: self.seconds(),
            // On a terminal, the program would ask for passwords.
            use_pty: Some(false),
            log_environ: self.log_environ,
            ..ShellArgs::new(ShellCommand::Words(words), dir)
        }));
        let listening = Listening {
            collect: MAX_COLLECTED_BYTES,
            ..Listening::default()
        };
        let report = self.step.complete_heard(&args, listening).await?;
        if self.step.interrupted.is_some() {
            return Err(failed());
        }
        Ok(report)
    }

    /// Runs a command. An interrupt during the command ends the step.
    async fn perform(&mut self, args: &CommandArgs) -> Result<Report, Performed> {
        let report = self.step.complete(args).await?;
        if self.step.interrupted.is_some() {
            return Err(failed());
        }
        Ok(report)
    }

    /// Fails the step, with the reason in the log.
    pub(in crate::build::steps) async fn refuse(&mut self, problem: &str) -> Performed {
        self.note(problem).await;
        failed()
    }

    /// Adds a line to the log of the step.
    pub(in crate::build::steps) async fn note(&mut self, text: &str) {
        self.step.logs.note(format!("\n{text}\n")).await;
    }

    fn seconds(&self) -> Option<f64> {
        self.timeout.as_ref().map(Duration::as_secs_f64)
    }
}

/// The output of a program that is looked at. Lists of files can be long.
const MAX_COLLECTED_BYTES: usize = 1 << 20;

/// The last word of a command, which is not shown.
pub(in crate::build::steps) fn secret(word: &str) -> Word {
    Word::Obfuscated {
        real: word.to_owned(),
        shown: "XXXXXX".to_owned(),
    }
}

/// The words of a command.
pub(in crate::build::steps) fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Vec<Word> {
    let words = words.into_iter().map(|word| Word::Plain(word.to_owned()));
    words.collect()
}

/// The environment for a command of git on the tree in the directory, and on no other repository.
/// Variables of the slave about repositories have no effect; the slave may have been started by a
/// hook of git.
pub(in crate::build::steps) fn git_env(
    mut env: Env,
    repository: Option<&str>,
    files: Option<&str>,
) -> Env {
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
