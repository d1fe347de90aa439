//! One step of a build, whatever its kind: its beginning, its logs, its end (STP-02 to STP-04).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Number, Value};

use super::control::{Controls, Waited};
use super::desk::{Desk, waiting_text};
use super::fold::contribution;
use super::guard::caught;
use super::journal::Journal;
use super::mask::{Masks, Stream};
use super::remote::Remote;
use super::render::{NoValues, Values, render};
use super::secrets::{Secrets, obtain};
use super::steplog::{Closed, StepLog};
use crate::botmaster::{BuildPlan, LockUser};
use crate::config::{SecretSource, StepConfig};
use crate::logs::{Channel, LogStore, file_name};
use crate::model::journal::{LogOpening, StepFinish, StepStart};
use crate::model::{Effort, Op, Properties, Results, StepOutcome, Timestamp};
use crate::transfer::MasterFiles;

/// What all steps of a build share.
pub(super) struct Surroundings {
    pub(super) plan: Box<BuildPlan>,
    pub(super) logs: LogStore,
    pub(super) journal: Journal,
    pub(super) desk: Desk,
    #[expect(dead_code, reason = "the first step that transfers takes this away")]
    pub(super) files: MasterFiles,
    pub(super) clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

/// A step that is about to run, or runs.
pub(super) struct StepRun<'a> {
    pub(super) around: &'a Surroundings,
    pub(super) config: &'a StepConfig,
    pub(super) name: &'a str,
    pub(super) remote: &'a mut dyn Remote,
    pub(super) controls: &'a mut Controls,
    pub(super) properties: &'a mut Properties,
    /// Those that it knows and those of earlier steps.
    secrets: &'a mut Secrets,
    /// Those that it has set.
    set: Properties,
    pub(super) logs: StepLogs<'a>,
    /// What it did, without how it ended.
    done: Vec<String>,
    /// Its whole text when it has ended by itself, for kinds with words of their own.
    pub(super) text: Option<Vec<String>>,
    /// What it says in the build's text when it has ended by itself, instead of its name.
    pub(super) build_text: Option<Vec<String>>,
    /// Numbers about what it did.
    pub(super) statistics: BTreeMap<String, Number>,
    /// Whether pages and listings leave it out.
    pub(super) hidden: bool,
    /// Steps that run after it.
    pub(super) added: Vec<StepConfig>,
    has_begun: bool,
    /// When its own work began, after the wait for its locks.
    working_since: Option<Timestamp>,
    /// Why it was interrupted.
    pub(super) interrupted: Option<String>,
    /// How many commands it has started.
    pub(super) commands: u32,
    /// Whether the slave may be running a command of it.
    pub(super) has_command: bool,
    /// Whether the tree has the patch of the build now.
    pub(super) has_patched: bool,
}

/// How the work of a step came to its end.
#[derive(Debug)]
pub(super) enum Performed {
    /// By itself.
    Ended {
        /// Its result.
        result: Results,
        /// Words about it, after those for the result.
        detail: Vec<String>,
    },
    /// Something broke; the text says what (STP-04).
    Raised(String),
    /// The slave is gone (BUI-13).
    SlaveLost,
    /// The slave is gone, and it was still waiting for its locks.
    LostWaiting,
    /// It was stopped while it was waiting for its locks.
    StoppedWaiting,
    /// It was interrupted and did not end in time (BUI-12).
    GivenUp,
}

/// The end of a step.
#[derive(Debug)]
pub(super) struct StepEnd {
    pub(super) result: Results,
    /// What it means for the build.
    pub(super) outcome: StepOutcome,
    /// Whether the slave may still be running a command of it.
    pub(super) has_command: bool,
    /// Whether it has applied the patch of the build.
    pub(super) has_patched: bool,
    /// Steps that run after it.
    pub(super) added: Vec<StepConfig>,
}

impl<'a> StepRun<'a> {
    pub(super) fn new(
        around: &'a Surroundings,
        (index, name): (u32, &'a str),
        config: &'a StepConfig,
        remote: &'a mut dyn Remote,
        controls: &'a mut Controls,
        properties: &'a mut Properties,
        secrets: &'a mut Secrets,
    ) -> Self {
        let masks = Arc::clone(secrets.masks());
        Self {
            around,
            config,
            name,
            remote,
            controls,
            properties,
            secrets,
            set: Properties::new(),
            logs: StepLogs::new(around, index, name, masks),
            done: Vec::new(),
            text: None,
            build_text: None,
            statistics: BTreeMap::new(),
            hidden: false,
            added: Vec::new(),
            has_begun: false,
            working_since: None,
            interrupted: None,
            commands: 0,
            has_command: false,
            has_patched: false,
        }
    }

    /// What texts of its settings can refer to.
    pub(super) fn values(&self) -> Values<'_> {
        Values {
            properties: self.properties,
            stamp: &self.around.plan.stamp,
            slave: &self.around.plan.slave_info,
            kw: &NoValues,
            secrets: self.secrets,
        }
    }

    /// Gets the secrets in the settings of the step, and hides them from now on.
    ///
    /// # Errors
    /// One cannot be had; the text says why.
    async fn learn_secrets(&mut self) -> Result<(), String> {
        let around = self.around;
        for source in around
            .plan
            .builder
            .secrets
            .iter()
            .chain(&self.config.secrets)
        {
            let secret = match (obtain(source).await?, source) {
                (Some(secret), _) => secret,
                (None, SecretSource::Inline(text)) => {
                    render(text, self.values()).map_err(|problem| problem.to_string())?
                }
                (None, _) => continue,
            };
            self.secrets.learn(source, secret);
        }
        self.logs.masks = Arc::clone(self.secrets.masks());
        Ok(())
    }

    /// Sets a property of the build.
    pub(super) fn set_property(&mut self, name: &str, value: impl Into<Value>) {
        let mut value = value.into();
        self.secrets.masks().mask_value(&mut value);
        self.set.set_runtime(name, value.clone(), self.name);
        self.properties.set_runtime(name, value, self.name);
    }

    /// Adds a link to the step, for people.
    pub(super) async fn link(&mut self, name: impl Into<String>, url: impl Into<String>) {
        let op = Op::StepLink {
            build: self.around.plan.build,
            index: self.logs.index,
            name: self.secrets.masks().masked(&name.into()).into_owned(),
            url: self.secrets.masks().masked(&url.into()).into_owned(),
        };
        self.around.journal.write(vec![op]).await;
    }

    /// Runs the step to its end, which is remembered when this returns. What its kind does is
    /// `work`.
    pub(super) async fn run(mut self, work: impl AsyncFnOnce(&mut Self) -> Performed) -> StepEnd {
        let performed = match caught(Box::pin(self.perform(work))).await {
            Ok(performed) => performed,
            Err(panic) => Performed::Raised(format!("The step's own code failed: {panic}\n")),
        };
        if !self.has_begun {
            self.begin(vec![self.name.to_owned()], Vec::new(), &[])
                .await;
        }
        let (around, config, user) = (self.around, self.config, self.lock_user());
        let end = self.finish(performed).await;
        if !config.locks.is_empty() {
            around.desk.give_back(around.plan.build, &user).await;
        }
        end
    }

    fn lock_user(&self) -> LockUser {
        LockUser::Step {
            index: self.logs.index,
            name: self.name.into(),
        }
    }

    /// Waits for the locks of the step, which counts as started (STP-02). Answers how it ended if
    /// it did not get them.
    async fn take_locks(&mut self) -> Option<Performed> {
        let (around, locks) = (self.around, &self.config.locks);
        if locks.is_empty() {
            return None;
        }
        let done = vec![self.name.to_owned()];
        self.begin(waiting_text(locks), done, &[]).await;
        let (build, user) = (around.plan.build, self.lock_user());
        match around.desk.take(build, &user, locks, self.controls).await {
            Waited::Granted => {
                let (index, at) = (self.logs.index, (around.clock)());
                self.working_since = Some(at);
                let op = Op::StepHasLocks { build, index, at };
                around.journal.write(vec![op]).await;
                None
            }
            Waited::Stopped(reason) => {
                self.interrupted = Some(reason);
                Some(Performed::StoppedWaiting)
            }
            Waited::SlaveLost => Some(Performed::LostWaiting),
        }
    }

    /// Tells that the step has started, with its texts for while it runs and for afterwards, and
    /// opens its logs. If it was told already, only the texts are new.
    pub(super) async fn begin(
        &mut self,
        mut doing: Vec<String>,
        mut done: Vec<String>,
        logs: &[&str],
    ) {
        for text in doing.iter_mut().chain(&mut done) {
            self.secrets.masks().mask(text);
        }
        self.done = done;
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        let (build, index) = (self.around.plan.build, self.logs.index);
        let mut ops = vec![if has_begun {
            Op::StepText {
                build,
                index,
                text: doing,
            }
        } else {
            let at = (self.around.clock)();
            // One with locks begins with the wait for them.
            let waits = !self.config.locks.is_empty();
            self.working_since = (!waits).then_some(at);
            Op::StepStarted(StepStart {
                build,
                index,
                name: self.name.to_owned(),
                text: doing,
                waits,
                at,
            })
        }];
        for log in logs {
            ops.extend(self.logs.open(log));
        }
        self.around.journal.write(ops).await;
    }

    async fn perform(&mut self, work: impl AsyncFnOnce(&mut Self) -> Performed) -> Performed {
        match self.take_locks().await {
            Some(ended) => ended,
            None => match self.learn_secrets().await {
                Ok(()) => work(self).await,
                Err(problem) => Performed::Raised(format!("step '{}': {problem}\n", self.name)),
            },
        }
    }

    async fn finish(mut self, performed: Performed) -> StepEnd {
        if let Performed::Raised(text) = &performed {
            self.logs.add("err.text", text.clone().into()).await;
        }
        if let Some(reason) = &self.interrupted {
            self.logs.add("interrupt", reason.clone().into()).await;
        }
        let (result, mut text, mut about) = self.verdict(performed);
        for text in text.iter_mut().chain(&mut about) {
            self.secrets.masks().mask(text);
        }
        let contribution = contribution(self.config, result);
        let ClosedLogs {
            mut ops,
            output,
            incomplete,
        } = self.logs.close().await;
        text.extend(incomplete.iter().cloned());
        let at = (self.around.clock)();
        let secs = at.since(self.working_since.unwrap_or(at)).as_secs_f64();
        let outcome = StepOutcome {
            contribution: contribution.result,
            terminates: contribution.terminates,
            build_text: if contribution.tells {
                about.into_iter().chain(incomplete).collect()
            } else {
                incomplete
            },
            took: Effort { secs, output },
            properties: self.set,
            statistics: self.statistics,
            hidden: self.hidden,
        };
        ops.push(Op::StepFinished(StepFinish {
            build: self.around.plan.build,
            index: self.logs.index,
            result,
            text,
            outcome: Box::new(outcome.clone()),
            at,
        }));
        self.around.journal.write(ops).await;
        StepEnd {
            result,
            outcome,
            has_command: self.has_command,
            has_patched: self.has_patched,
            added: self.added,
        }
    }

    /// Result, text of the step, and text for the build.
    fn verdict(&mut self, performed: Performed) -> (Results, Vec<String>, Vec<String>) {
        let done_and = |words: &[&str]| {
            let words = words.iter().map(|w| (*w).to_owned());
            self.done.iter().cloned().chain(words).collect::<Vec<_>>()
        };
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let (result, detail) = match performed {
            Performed::SlaveLost => {
                return (Results::Retry, done_and(SLAVE_LOST), words(SLAVE_LOST));
            }
            Performed::LostWaiting => {
                return (Results::Retry, done_and(LOST_REMOTE), words(LOST_REMOTE));
            }
            Performed::Ended {
                result: Results::Retry,
                detail,
            } => (Results::Retry, detail),
            _ if self.interrupted.is_some() => {
                return (
                    Results::Exception,
                    done_and(INTERRUPTED),
                    words(INTERRUPTED),
                );
            }
            Performed::Ended { result, detail } => (result, detail),
            Performed::Raised(_) | Performed::GivenUp | Performed::StoppedWaiting => {
                let text = vec![self.name.to_owned(), "exception".to_owned()];
                return (Results::Exception, text, vec![self.name.to_owned()]);
            }
        };
        let text = self.text.take();
        let mut text = text.unwrap_or_else(|| done_and(ending(result)));
        text.extend(detail);
        let about = self.build_text.take();
        let about = about.unwrap_or_else(|| vec![self.name.to_owned()]);
        (result, text, about)
    }
}

const SLAVE_LOST: &[&str] = &["exception", "slave", "lost"];
const LOST_REMOTE: &[&str] = &["lost", "remote"];
const INTERRUPTED: &[&str] = &["interrupted"];

/// The words for a result in the text of a step.
const fn ending(result: Results) -> &'static [&'static str] {
    match result {
        Results::Success => &[],
        Results::Warnings => &["warnings"],
        Results::Failure => &["failed"],
        Results::Skipped => &["skipped"],
        Results::Exception => &["exception"],
        Results::Retry => &["retry"],
    }
}

/// The logs of a step.
pub(super) struct StepLogs<'a> {
    around: &'a Surroundings,
    pub(super) index: u32,
    /// What the paths of its logs begin with: those of a build are together in one directory.
    prefix: String,
    open: Vec<StepLog>,
    /// Hides secrets.
    masks: Arc<Masks>,
    /// What may be the beginning of a secret, of each log and channel.
    streams: BTreeMap<(String, Channel), Stream>,
    /// Logs that are opened when there is something in them (`lazy_logfiles`).
    pub(super) lazy: Vec<String>,
}

impl<'a> StepLogs<'a> {
    fn new(around: &'a Surroundings, index: u32, step: &str, masks: Arc<Masks>) -> Self {
        let log_dir = around.plan.log_dir.to_string_lossy();
        Self {
            around,
            index,
            prefix: format!("{log_dir}/{index}-{}.", file_name(step)),
            open: Vec::new(),
            masks,
            streams: BTreeMap::new(),
            lazy: Vec::new(),
        }
    }

    /// What may be seen of a piece of a log. What may be the beginning of a secret is kept back
    /// until more comes, or [`StepLogs::rest`] asks for it.
    pub(super) fn masked(&mut self, (log, channel): (&str, Channel), data: Bytes) -> Bytes {
        if self.masks.is_empty() {
            return data;
        }
        let stream = self.streams.entry((log.to_owned(), channel));
        stream.or_default().feed(&self.masks, data)
    }

    /// What was kept back of the logs: nothing follows for now.
    pub(super) fn rest(&mut self) -> Vec<((String, Channel), Bytes)> {
        let streams = std::mem::take(&mut self.streams).into_iter();
        let rest = streams.map(|(of, mut stream)| (of, stream.end(&self.masks)));
        rest.filter(|(_, data)| !data.is_empty()).collect()
    }

    /// Puts what the slave said into the logs; returns when they have it. A log that nobody asked
    /// for is ignored.
    pub(super) async fn store(&mut self, channel: Channel, log: &str, data: Bytes) {
        let Some(at) = self.position(log).await else {
            tracing::debug!(log = ?log, "the slave sent a piece of an unknown log");
            return;
        };
        if let Some(log) = self.open.get_mut(at) {
            log.append(channel, data).await;
        }
    }

    /// Puts a piece of a log into it, without the secrets in it.
    pub(super) async fn put(&mut self, (log, channel): (&str, Channel), data: Bytes) {
        let data = self.masked((log, channel), data);
        self.store(channel, log, data).await;
    }

    /// Adds what the master has to say about the command to `stdio`, if it is open.
    pub(super) async fn note(&mut self, text: String) {
        self.note_in(STDIO, text).await;
    }

    /// Adds what the master has to say to `log`, if it is open.
    pub(super) async fn note_in(&mut self, log: &str, mut text: String) {
        self.masks.mask(&mut text);
        if let Some(log) = self.open.iter_mut().find(|l| l.name() == log) {
            log.note(text).await;
        }
    }

    /// A whole log at once; nothing if there is one of this name.
    pub(super) async fn add(&mut self, name: &str, text: Bytes) {
        let mut stream = Stream::default();
        let text = [stream.feed(&self.masks, text), stream.end(&self.masks)];
        let Some(op) = self.open(name) else {
            return;
        };
        self.around.journal.write(vec![op]).await;
        if let Some(log) = self.open.last_mut() {
            for text in text.into_iter().filter(|text| !text.is_empty()) {
                log.append(Channel::Stdout, text).await;
            }
        }
    }

    /// Where `log` is among the open ones; opens it if it is lazy.
    async fn position(&mut self, log: &str) -> Option<usize> {
        if let Some(at) = self.open.iter().position(|l| l.name() == log) {
            return Some(at);
        }
        let lazy = self.lazy.iter().position(|name| name == log)?;
        self.lazy.swap_remove(lazy);
        let op = self.open(log)?;
        self.around.journal.write(vec![op]).await;
        self.open.len().checked_sub(1)
    }

    /// Opens a log; nothing if there is one of this name.
    fn open(&mut self, name: &str) -> Option<Op> {
        if self.open.iter().any(|l| l.name() == name) {
            return None;
        }
        // Logs stay open until the step ends, so that no position is given twice.
        let position = u32::try_from(self.open.len()).ok()?;
        let path = format!("{}{}", self.prefix, file_name(name));
        let sink = self.around.logs.create(&path);
        let limits = self.around.plan.log_limits;
        self.open.push(StepLog::new(name.to_owned(), sink, limits));
        Some(Op::LogOpened(LogOpening {
            build: self.around.plan.build,
            step: self.index,
            position,
            name: name.to_owned(),
            path,
        }))
    }

    /// Closes all.
    async fn close(&mut self) -> ClosedLogs {
        let mut output = BTreeMap::new();
        let mut ops = Vec::with_capacity(self.open.len() + 1);
        let mut incomplete = Vec::new();
        for log in self.open.drain(..) {
            let Closed {
                name,
                written,
                output_bytes,
            } = log.close().await;
            if written.lost_bytes > 0 {
                let lost = written.lost_bytes;
                incomplete.push(format!(
                    "(log {name} is incomplete: the master could not write {lost} bytes)"
                ));
            }
            if output_bytes > 0 {
                #[expect(clippy::cast_precision_loss, reason = "it becomes an estimate")]
                output.insert(name.clone(), output_bytes as f64);
            }
            ops.push(Op::LogClosed {
                build: self.around.plan.build,
                step: self.index,
                name,
                size_bytes: written.size_bytes,
            });
        }
        ClosedLogs {
            ops,
            output,
            incomplete,
        }
    }
}

/// What became of the logs of a step.
struct ClosedLogs {
    /// What is to be remembered.
    ops: Vec<Op>,
    /// Bytes of output in those that have any.
    output: BTreeMap<String, f64>,
    /// A sentence for each that lacks something.
    incomplete: Vec<String>,
}

/// The log of a command's output.
pub(super) const STDIO: &str = "stdio";
