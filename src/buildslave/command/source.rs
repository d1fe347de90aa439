//! The version control commands of old masters: `svn`, `git` and so on. They get a tree into the
//! work directory, tell its revision, and apply a patch.
//!
//! A file beside the tree says what the tree is of. A tree of something else, a patched tree and a
//! tree that cannot be updated are removed and made anew.

mod p4;
mod plan;
mod repo;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::plan::{Plan, Run, Wish, parse_patch};
use super::args::{Args, duration, path, under};
use super::files::remove_directly;
use super::process::{self, Kill, RunSpec};
use super::{Context, Outlet};
use crate::buildslave::host::{blocking, read_whole, strerror};
use crate::model::{Patch, PatchBody};
use crate::pb::{Failure, Value};
use crate::platform::HAS_FILE_PROGRAMS;
use crate::protocol::{ShellArgs, ShellCommand, Update, Word};
use crate::vc::patch::{MARK, PatchJob};

/// The commands, as announced.
pub(super) const COMMANDS: [&str; 10] = [
    "bk", "bzr", "cvs", "darcs", "git", "hg", "mtn", "p4", "repo", "svn",
];

/// A version control command.
#[derive(Debug)]
pub(super) struct SourceCommand {
    name: String,
    plan: Plan,
    /// The work directory, and the directory of the tree that is copied there.
    workdir: Bytes,
    tree: Bytes,
    /// Whether the work directory is removed first.
    is_clobbered: bool,
    patch: Option<(PatchJob, Bytes)>,
    /// Pause before a retry of a failed checkout, and number of retries.
    retry: (Duration, u64),
    env: Vec<(Bytes, Option<Bytes>)>,
    timeout: Option<f64>,
    max_time: Option<f64>,
    log_environ: bool,
}

/// Maximum size of an answer of a program.
const MAX_ANSWER: usize = 1 << 20;

/// How a command ended before its end: with this exit status, or by a failure of the slave.
enum Ended {
    With(i64),
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl SourceCommand {
    /// Reads the arguments.
    ///
    /// # Errors
    /// The arguments are invalid.
    pub(super) fn parse(name: &str, args: &Args<'_>) -> Result<Self, Failure> {
        let workdir = args.raw("workdir")?;
        let mode = args.given("mode").and_then(Value::as_raw);
        let mode = mode.map_or(&b"update"[..], |mode| &mode[..]);
        let (is_copy, is_export) = match mode {
            b"update" | b"clobber" => (false, false),
            b"copy" => (true, false),
            b"export" => (false, true),
            _ => return Err(args.wrong("mode", "update, copy, clobber or export")),
        };
        let tree = if is_copy {
            Bytes::from_static(b"source")
        } else {
            workdir.clone()
        };
        let wish = Wish {
            args,
            tree: tree.clone(),
            is_export,
        };
        let retry = match args.given("retry").and_then(Value::as_items) {
            Some([delay, count]) => {
                let delay = delay.unshared().as_float().unwrap_or(0.0);
                let count = count.unshared().as_int().unwrap_or(0);
                (duration(delay), u64::try_from(count).unwrap_or(0))
            }
            Some(_) | None => (Duration::ZERO, 0),
        };
        let shell = ShellArgs::from_value(&Value::Dict(vec![
            (Value::bytes("command"), Value::bytes("true")),
            (Value::bytes("workdir"), Value::bytes(&workdir)),
            (
                Value::bytes("env"),
                args.given("env").cloned().unwrap_or(Value::None),
            ),
        ]));
        Ok(Self {
            name: name.to_owned(),
            plan: match name {
                "p4" => p4::plan(&wish)?,
                "repo" => repo::plan(&wish)?,
                _ => plan::plan(name, &wish)?,
            },
            is_clobbered: mode != b"update",
            workdir,
            tree,
            patch: read_patch(args)?,
            retry,
            env: shell
                .map_err(|_| args.wrong("env", "names and strings"))?
                .env,
            timeout: args.seconds("timeout")?,
            max_time: args.seconds("maxTime")?,
            log_environ: args.flag("logEnviron", true)?,
        })
    }

    /// Runs it.
    ///
    /// # Errors
    /// A process cannot be killed.
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let header = format!("starting {} operation\n", self.name);
        context.outlet.header(header).await;
        let rc = match self.get(context).await {
            Ok(()) => 0,
            Err(Ended::With(rc)) => rc,
            Err(Ended::Failed(failure)) => return Err(failure),
        };
        context.outlet.say(Update::Rc(rc)).await;
        Ok(())
    }

    async fn get(&self, context: &mut Context) -> Result<(), Ended> {
        self.run_all(context, &self.plan.before).await?;
        if self.is_clobbered {
            self.remove(context, &self.workdir).await?;
        }
        if !self.update(context).await? {
            self.check_out(context).await?;
        }
        self.add_changes(context).await?;
        self.tell_revision(context).await?;
        let (note, source) = (self.note(context), Bytes::from(self.plan.source.clone()));
        self.write(context, note, source).await?;
        if self.tree != self.workdir {
            let words: [&[u8]; 6] = [b"cp", b"-R", b"-P", b"-p", &self.tree, &self.workdir];
            self.run_words(context, &words).await?;
        }
        match &self.patch {
            Some((job, diff)) => self.apply(context, job, diff).await,
            None => Ok(()),
        }
    }

    /// Updates the tree; whether this succeeded.
    async fn update(&self, context: &mut Context) -> Result<bool, Ended> {
        let tree = self.at(context, &self.tree);
        let (mark, patched) = (tree.join(self.plan.mark), tree.join(MARK));
        let note = self.note(context);
        let host = Arc::clone(&context.settings.host);
        let source = self.plan.source.clone();
        let is_known = blocking(move || {
            let is_of_it = read_whole(&*host, &note, 1 << 16).is_ok_and(|read| read == source);
            Ok(is_of_it && host.kind(&mark).is_ok() && host.kind(&patched).is_err())
        });
        if !self.plan.may_update || !is_known.await.unwrap_or(false) {
            return Ok(false);
        }
        match self.run_all(context, &self.plan.update).await {
            Ok(()) => Ok(true),
            Err(Ended::With(_)) if !context.stop.is_given() => {
                let text = "update failed, clobbering and trying again\n";
                context.outlet.header(text).await;
                Ok(false)
            }
            Err(ended) => Err(ended),
        }
    }

    /// Makes the tree, again if this fails.
    async fn check_out(&self, context: &mut Context) -> Result<(), Ended> {
        let (delay, mut tries_left) = self.retry;
        loop {
            self.remove(context, &self.tree).await?;
            let result = self.run_all(context, &self.plan.full).await;
            let is_last = tries_left == 0 || context.stop.is_given();
            match result {
                Err(Ended::With(_)) if !is_last => {}
                result => return result,
            }
            tries_left -= 1;
            let seconds = delay.as_secs_f64();
            let text = format!("checkout failed, trying again in {seconds} seconds\n");
            context.outlet.header(text).await;
            tokio::select! {
                biased;
                _ = context.stop.wait() => return Err(Ended::With(1)),
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// Adds changes to the tree, and tells what was added.
    async fn add_changes(&self, context: &mut Context) -> Result<(), Ended> {
        let mut added = Vec::new();
        for (run, parse) in &self.plan.added {
            let (result, printed) = self.hear(context, run, true).await;
            result?;
            added.extend(parse(&printed));
        }
        if !added.is_empty() {
            let key = "repo_downloaded".to_owned();
            let value = context.style.value(&added.join(" "));
            context.outlet.say(Update::Other { key, value }).await;
        }
        Ok(())
    }

    async fn tell_revision(&self, context: &mut Context) -> Result<(), Ended> {
        let Some((run, parse)) = &self.plan.revision else {
            return Ok(());
        };
        let (result, printed) = self.hear(context, run, false).await;
        if let Some(revision) = parse(&printed).filter(|_| result.is_ok()) {
            let key = "got_revision".to_owned();
            let value = context.style.value(&revision);
            context.outlet.say(Update::Other { key, value }).await;
        } else {
            let text = format!("{} does not tell the revision\n", self.name);
            context.outlet.header(text).await;
        }
        Ok(())
    }

    /// Runs a program. Returns also what it prints: if it is not `shown` to the master, its output,
    /// else also its errors.
    async fn hear(&self, context: &Context, run: &Run, shown: bool) -> (Result<(), Ended>, String) {
        let (outlet, mut queue) = Outlet::new();
        let mut inner = Context {
            settings: Arc::clone(&context.settings),
            dir: context.dir.clone(),
            peer: None,
            style: context.style,
            outlet,
            stop: context.stop.clone(),
        };
        let running = async move { self.run_one(&mut inner, run).await };
        let listening = async {
            let mut printed = Vec::new();
            while let Some(update) = queue.recv().await {
                if let Update::Stdout(data) | Update::Stderr(data) = &update
                    && (shown || matches!(update, Update::Stdout(_)))
                {
                    let room = MAX_ANSWER - printed.len();
                    printed.extend(data.iter().take(room));
                }
                if shown {
                    context.outlet.say(update).await;
                }
            }
            printed
        };
        let (result, printed) = tokio::join!(running, listening);
        (result, String::from_utf8_lossy(&printed).into_owned())
    }

    async fn apply(
        &self,
        context: &mut Context,
        job: &PatchJob,
        diff: &Bytes,
    ) -> Result<(), Ended> {
        let workdir = self.at(context, &self.workdir);
        let mark = Bytes::from_static(b"patched\n");
        self.write(context, workdir.join(MARK), mark).await?;
        let file = workdir.join(&job.file);
        self.write(context, file.clone(), diff.clone()).await?;
        let words = job
            .command
            .iter()
            .map(|word| Word::Plain(Bytes::from(word.clone())));
        let dir = match &job.dir {
            Some(dir) => workdir.join(dir),
            None => workdir,
        };
        let result = self.run_in(context, words.collect(), dir, None).await;
        let host = Arc::clone(&context.settings.host);
        drop(blocking(move || host.remove_file(&file)).await);
        result
    }

    async fn run_all(&self, context: &mut Context, runs: &[Run]) -> Result<(), Ended> {
        for run in runs {
            match self.run_one(context, run).await {
                Err(Ended::With(_)) if run.may_fail && !context.stop.is_given() => {}
                result => result?,
            }
        }
        Ok(())
    }

    async fn run_one(&self, context: &mut Context, run: &Run) -> Result<(), Ended> {
        let dir = if run.in_tree {
            self.at(context, &self.tree)
        } else {
            context.dir.clone()
        };
        let words = run.words.iter().map(plan::Text::word).collect();
        self.run_in(context, words, dir, run.stdin.clone()).await
    }

    async fn run_words(&self, context: &mut Context, words: &[&[u8]]) -> Result<(), Ended> {
        let words = words
            .iter()
            .map(|word| Word::Plain(Bytes::copy_from_slice(word)));
        let dir = context.dir.clone();
        self.run_in(context, words.collect(), dir, None).await
    }

    async fn run_in(
        &self,
        context: &mut Context,
        words: Vec<Word<Bytes>>,
        workdir: PathBuf,
        initial_stdin: Option<Bytes>,
    ) -> Result<(), Ended> {
        let base = Arc::clone(&context.settings.environment.borrow());
        let mut environment = super::shell::environment(&base, &self.env);
        environment.insert("PWD".into(), workdir.clone().into_os_string());
        environment.insert("LC_MESSAGES".into(), "C".into());
        let spec = RunSpec {
            command: ShellCommand::Words(words),
            workdir,
            environment,
            initial_stdin,
            want_stdout: true,
            want_stderr: true,
            logfiles: Vec::new(),
            timeout: self.timeout,
            max_time: self.max_time,
            max_lines: None,
            kill: Kill::default(),
            use_pty: false,
            log_environ: self.log_environ,
            says_rc: false,
        };
        let rc = process::run(spec, context).await?;
        match rc {
            _ if context.stop.is_given() => Err(Ended::With(1)),
            0 => Ok(()),
            rc => Err(Ended::With(rc)),
        }
    }

    async fn remove(&self, context: &mut Context, name: &Bytes) -> Result<(), Ended> {
        if !HAS_FILE_PROGRAMS {
            return match remove_directly(&self.at(context, name), context).await {
                0 => Ok(()),
                rc => Err(Ended::With(rc)),
            };
        }
        let words: [&[u8]; 4] = [b"rm", b"-rf", b"--", name];
        self.run_words(context, &words).await
    }

    async fn write(
        &self,
        context: &mut Context,
        file: PathBuf,
        content: Bytes,
    ) -> Result<(), Ended> {
        let (host, target) = (Arc::clone(&context.settings.host), file.clone());
        let written = blocking(move || {
            let mut new = host.begin(&target, None)?;
            new.write(&content)?;
            new.finish()
        });
        match written.await {
            Ok(()) => Ok(()),
            Err(error) => {
                let text = format!("{}: {}\n", strerror(&error), file.display());
                context.outlet.header(text).await;
                Err(Ended::With(1))
            }
        }
    }

    fn at(&self, context: &Context, name: &[u8]) -> PathBuf {
        under(&context.dir, &path(name))
    }

    /// The file that says what the tree is of.
    fn note(&self, context: &Context) -> PathBuf {
        let mut name = String::from(".buildbot-sourcedata-");
        for byte in &self.tree {
            write!(name, "{byte:02x}").expect("writing to a string cannot fail");
        }
        context.dir.join(name)
    }
}

fn read_patch(args: &Args<'_>) -> Result<Option<(PatchJob, Bytes)>, Failure> {
    let Some((level, diff, dir)) = parse_patch(args)? else {
        return Ok(None);
    };
    let patch = Patch {
        level,
        body: PatchBody::Given(diff.clone()),
        subdir: (!dir.is_empty()).then(|| String::from_utf8_lossy(&dir).into_owned()),
        who: None,
        comment: None,
    };
    let job = PatchJob::new(&patch, &diff);
    let job = job.map_err(|_| args.wrong("patch", "inside the work directory"))?;
    Ok(job.map(|job| (job, diff)))
}
