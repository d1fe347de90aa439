//! One step of a build, whatever its kind: its beginning, its logs, its end (STP-02 to STP-04).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::control::{Controls, Waited};
use super::desk::waiting_text;
use super::fold::contribution;
use super::guard::caught;
use super::remote::Remote;
use super::render::{Values, render};
use super::rules::{self, Asked, Ending, SoFar};
use super::secrets::{Secrets, obtain};
use super::steplogs::{ClosedLogs, StepLogs};
use super::surroundings::Surroundings;
use super::watcher::Watcher;
use crate::botmaster::LockUser;
use crate::config::expression::Scope;
use crate::config::{SecretSource, StepConfig};
use crate::model::journal::{StepFinish, StepStart};
use crate::model::{Effort, Op, Properties, Results, StepCommand, StepOutcome, Timestamp};

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
    /// What its expressions see.
    seen: Scope,
    /// What is remembered of its commands for its rules.
    pub(super) watcher: Watcher<'a>,
    /// Whether its condition says that it does not run.
    is_skipped: bool,
    /// Whether it waits for locks, or has them.
    wants_locks: bool,
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
    /// Whether the exit status of its command ends the build (`decode_rc`).
    pub(super) ends_build: bool,
    /// Steps that run after it.
    pub(super) added: Vec<StepConfig>,
    has_begun: bool,
    /// When its own work began, after the wait for its locks.
    working_since: Option<Timestamp>,
    /// Why it was interrupted.
    pub(super) interrupted: Option<String>,
    /// How many commands it has started.
    pub(super) commands: u32,
    /// The first of them, as they may be seen.
    pub(super) ran: Vec<StepCommand>,
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
        (index, name, config): (u32, &'a str, &'a StepConfig),
        remote: &'a mut dyn Remote,
        controls: &'a mut Controls,
        properties: &'a mut Properties,
        secrets: &'a mut Secrets,
        so_far: &SoFar,
    ) -> Self {
        let masks = Arc::clone(secrets.masks());
        let plan = &around.plan;
        let mut seen = Scope::new();
        if config.rules.have_expressions() || !plan.values.is_empty() {
            seen = rules::scope(plan, properties, so_far).with_kw(plan.values.to_work_out());
        }
        Self {
            around,
            config,
            name,
            remote,
            controls,
            properties,
            secrets,
            set: Properties::new(),
            seen,
            watcher: Watcher::new(&config.rules, &config.progress_metrics),
            is_skipped: false,
            wants_locks: !config.locks.is_empty(),
            logs: StepLogs::new(around, index, name, masks),
            done: Vec::new(),
            text: None,
            build_text: None,
            statistics: BTreeMap::new(),
            hidden: false,
            ends_build: false,
            added: Vec::new(),
            has_begun: false,
            working_since: None,
            interrupted: None,
            commands: 0,
            ran: Vec::new(),
            has_command: false,
            has_patched: false,
        }
    }

    /// What texts of its settings can refer to.
    pub(super) fn values(&self) -> Values<'_> {
        Values {
            properties: self.properties,
            stamps: &self.around.plan.stamps,
            slave: &self.around.plan.slave_info,
            repositories: &self.around.plan.repositories,
            kw: &self.seen,
            drop_empty: self.config.drop_empty,
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

    /// Hides the secrets in a text.
    pub(super) fn mask(&self, text: &mut String) {
        self.secrets.masks().mask(text);
    }

    /// Adds to what the step says that it did.
    pub(super) fn did(&mut self, words: Vec<String>) {
        self.done.extend(words);
    }

    /// Remembers a command that is started, without secrets.
    pub(super) fn note_command(&mut self, mut command: StepCommand) {
        if self.ran.len() == StepOutcome::MOST_COMMANDS {
            return;
        }
        for text in [&mut command.command, &mut command.workdir] {
            self.secrets.masks().mask(text);
            if let Some((end, _)) = text.char_indices().nth(LONGEST_COMMAND) {
                text.truncate(end);
                text.push('\u{2026}');
            }
        }
        self.ran.push(command);
    }

    /// Sets a property of the build.
    pub(super) fn set_property(&mut self, name: &str, value: impl Into<Value>) {
        self.set_property_from(name, value, self.name);
    }

    /// Sets a property of the build, with a source other than the name of the step.
    pub(super) fn set_property_from(&mut self, name: &str, value: impl Into<Value>, source: &str) {
        let mut value = value.into();
        self.secrets.masks().mask_value(&mut value);
        self.set.set_runtime(name, value.clone(), source);
        self.properties.set_runtime(name, value, source);
        if !self.seen.is_empty() {
            self.seen = rules::with_properties(self.seen.clone(), self.properties);
        }
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
        let (around, user, has_locks) = (self.around, self.lock_user(), self.wants_locks);
        let end = self.finish(performed).await;
        if has_locks {
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
            let waits = self.wants_locks;
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
        if let Some(ended) = self.ask_condition().await {
            return ended;
        }
        match self.take_locks().await {
            Some(ended) => ended,
            None => match self.learn_secrets().await {
                Ok(()) => work(self).await,
                Err(problem) => Performed::Raised(format!("step '{}': {problem}\n", self.name)),
            },
        }
    }

    /// Asks whether the step runs (CFL-115). Answers how it ended if it does not.
    async fn ask_condition(&mut self) -> Option<Performed> {
        let ended = match rules::ask(&self.config.rules, &self.seen) {
            Asked::Runs => return None,
            Asked::Failed(text) => Performed::Raised(text),
            Asked::Skips(reason) => {
                self.is_skipped = true;
                Performed::Ended {
                    result: Results::Skipped,
                    detail: vec![reason],
                }
            }
        };
        self.wants_locks = false;
        let name = vec![self.name.to_owned()];
        self.begin(name.clone(), name, &[]).await;
        Some(ended)
    }

    /// Makes of the end of its work what its rules say (CFL-110 to CFL-113).
    async fn conclude(&mut self, mut performed: Performed) -> Performed {
        let (mut result, is_by_itself) = match &performed {
            Performed::SlaveLost | Performed::LostWaiting => (Results::Retry, false),
            Performed::Ended {
                result: Results::Retry,
                ..
            } => (Results::Retry, false),
            _ if self.interrupted.is_some() => (Results::Exception, false),
            Performed::Ended { result, .. } => (*result, !self.is_skipped),
            Performed::Raised(_) | Performed::GivenUp | Performed::StoppedWaiting => {
                (Results::Exception, false)
            }
        };
        if let Some(worst) = self.watcher.worst.filter(|_| is_by_itself) {
            result = result.worse(worst);
        }
        for (name, url) in std::mem::take(&mut self.watcher.links) {
            self.link(name, url).await;
        }
        if result != Results::Retry {
            for (name, value) in std::mem::take(&mut self.watcher.properties) {
                self.set_property(name, value);
            }
        }
        let ending = Ending {
            result,
            is_by_itself,
            is_skipped: self.is_skipped,
        };
        let after = self
            .seen
            .clone()
            .with("rc", self.watcher.rc.into())
            .with("stdout", self.watcher.output())
            .with("count", self.watcher.counts());
        let conclusion = rules::conclude(&self.config.rules, ending, &after);
        for (name, value) in conclusion.set {
            self.set_property(&name, value);
        }
        self.hidden |= conclusion.is_hidden;
        if let Some(failure) = conclusion.failure {
            if conclusion.result != Results::Retry && !matches!(performed, Performed::Raised(_)) {
                return Performed::Raised(failure);
            }
            self.logs.add("err.text", failure.into()).await;
        } else if let Performed::Ended { result, .. } = &mut performed
            && is_by_itself
            && *result != conclusion.result
        {
            *result = conclusion.result;
            // Its own words were about the other result.
            self.text = None;
        }
        performed
    }

    async fn finish(mut self, performed: Performed) -> StepEnd {
        let performed = self.conclude(performed).await;
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
        let has_failed = matches!(result, Results::Failure | Results::Exception);
        let ClosedLogs {
            mut ops,
            output,
            incomplete,
            errors,
        } = self.logs.close(has_failed.then_some(self.config)).await;
        text.extend(incomplete.iter().cloned());
        let measured = self.config.measured(output, self.watcher.progress());
        let at = (self.around.clock)();
        let secs = at.since(self.working_since.unwrap_or(at)).as_secs_f64();
        let outcome = StepOutcome {
            contribution: contribution.result,
            terminates: contribution.terminates || self.ends_build,
            build_text: if contribution.tells || self.ends_build {
                about.into_iter().chain(incomplete).collect()
            } else {
                incomplete
            },
            took: Effort {
                secs,
                output: measured,
            },
            properties: self.set,
            statistics: self.statistics,
            hidden: self.hidden,
            commands: self.ran,
            first_error: errors.first,
            symptoms: errors.symptoms,
            is_infrastructure: self.config.kind.is_source()
                || self.config.infrastructure
                || errors.is_infrastructure,
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

/// Characters of a command that are remembered.
const LONGEST_COMMAND: usize = 1000;

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
