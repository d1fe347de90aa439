//! The life of a build: its steps in order, to one outcome (section 17).

use std::collections::BTreeMap;
use std::fmt;

use tokio::sync::mpsc;

use super::control::{Control, Controls, Waited};
use super::desk::Desk;
use super::fold::headline;
use super::guard::caught;
use super::journal::Journal;
use super::remote::Remote;
use super::rules::SoFar;
use super::secrets::Secrets;
use super::step::StepRun;
use super::steplist::StepList;
use super::steps;
use super::surroundings::Surroundings;
use crate::botmaster::{BuildOutcome, BuildPlan, LockUser};
use crate::config::StepConfig;
use crate::logs::LogStore;
use crate::model::{Effort, Op, Properties, Results, Timestamp, unique_names};
use crate::transfer::MasterFiles;

/// What a build has of its master.
pub struct Services {
    /// Where the logs of its steps go.
    pub logs: LogStore,
    /// What is to be remembered of it.
    pub journal: Journal,
    /// Where it asks the core.
    pub desk: Desk,
    /// The master's files, for transfers.
    pub files: MasterFiles,
    /// The time for what is remembered.
    pub clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

/// Runs a build to its end. There is exactly one outcome, whatever happens: a panic makes it
/// EXCEPTION. What it did is handed to the journal before this returns.
///
/// `control` brings stops, the loss of the slave, and locks that were asked for; that nobody holds
/// its other end means that nobody will stop it.
pub async fn run(
    mut plan: Box<BuildPlan>,
    slave: Box<dyn Remote>,
    services: Services,
    control: mpsc::Receiver<Control>,
) -> BuildOutcome {
    let properties = std::mem::take(&mut plan.properties);
    let Services {
        logs,
        journal,
        desk,
        files,
        clock,
    } = services;
    let around = Surroundings {
        plan,
        syncs: logs.syncs(),
        logs,
        journal,
        desk,
        files,
        clock,
    };
    let mut build = RunningBuild {
        remote: slave,
        controls: Controls::new(control),
        properties,
        so_far: SoFar::default(),
        text: Vec::new(),
        took: BTreeMap::new(),
        secrets: Secrets::default(),
        has_command: false,
        has_patched: false,
    };
    let text = match caught(Box::pin(build.run_steps(&around))).await {
        Ok(()) => {
            let headline = headline(build.so_far.result)
                .iter()
                .map(|word| (*word).to_owned());
            headline.chain(build.text).collect()
        }
        Err(panic) => {
            let number = around.plan.number;
            tracing::error!(builder = %around.plan.builder.name, build = %number, "the build's own code failed: {panic}");
            build.so_far.result = Results::Exception;
            build.has_command = true;
            vec!["build".to_owned(), "exception".to_owned()]
        }
    };
    around.syncs.finished().await;
    BuildOutcome {
        result: build.so_far.result,
        text,
        stop_reason: build.controls.stop_reason,
        properties: build.properties,
        took: build.took,
        abandoned_command: build.has_command && build.controls.lost.is_none(),
    }
}

struct RunningBuild {
    remote: Box<dyn Remote>,
    controls: Controls,
    properties: Properties,
    /// The secrets of its steps so far.
    secrets: Secrets,
    /// Its result, and those of its steps.
    so_far: SoFar,
    /// Texts of the steps that affected the result.
    text: Vec<String>,
    /// Its steps and what they took.
    took: BTreeMap<String, Option<Effort>>,
    /// Whether the slave may still be running a command.
    has_command: bool,
    /// Whether a step has applied the patch.
    has_patched: bool,
}

impl RunningBuild {
    async fn run_steps(&mut self, around: &Surroundings) {
        let steps = &around.plan.builder.factory.steps;
        let names = unique_names(steps.iter().map(|step| step.name.as_str()));
        let has_patch = around.plan.stamps.patched().is_some();
        let needs_patch = has_patch && !around.plan.builder.ignore_patch;
        if needs_patch && !steps.iter().any(StepConfig::takes_source) {
            return self.lack_patch(around);
        }
        let counting = steps
            .iter()
            .zip(&names)
            .filter(|(step, _)| step.use_progress);
        self.took = counting.map(|(_, name)| (name.clone(), None)).collect();
        let mut terminates = false;
        self.controls.catch_up();
        if !self.take_locks(around).await {
            return;
        }
        let last_step = self.properties.last_step().map(ToOwned::to_owned);
        let mut list = StepList::new(steps, names);
        while let Some((index, config, name)) = list.next() {
            if self.has_command {
                break;
            }
            if (terminates || self.controls.stop_reason.is_some()) && !config.always_run {
                continue;
            }
            if self.controls.lost.is_some() {
                self.lose();
                break;
            }
            let mut step = StepRun::new(
                around,
                (index, &name, &config),
                &mut *self.remote,
                &mut self.controls,
                &mut self.properties,
                &mut self.secrets,
                &self.so_far,
            );
            step.has_patched = self.has_patched;
            let end = step.run(steps::perform).await;
            tracing::debug!(step = ?name, "step ended: {}", end.result);
            self.so_far.steps.insert(name.clone(), end.result);
            if let Some(result) = end.outcome.contribution {
                self.so_far.result = self.so_far.result.worse(result);
            }
            self.text.extend(end.outcome.build_text);
            if let Some(took) = self.took.get_mut(&name) {
                *took = Some(end.outcome.took);
            }
            terminates |= end.outcome.terminates;
            self.has_command = end.has_command;
            self.has_patched |= end.has_patched;
            if !end.added.is_empty() {
                self.add_steps(around, &mut list, end.added).await;
            }
            if last_step.as_ref() == Some(&name) {
                break;
            }
            if !list.is_at_end() {
                self.controls.catch_up();
            }
        }
        if self.controls.stop_reason.is_some() {
            self.so_far.result = self.so_far.result.worse(Results::Exception);
        }
        // A step that could not apply it may be one whose failure does not count.
        let is_good = matches!(self.so_far.result, Results::Success | Results::Warnings);
        if needs_patch && is_good && !self.has_patched {
            self.lack_patch(around);
        }
    }

    /// Has further steps run after the present one.
    async fn add_steps(
        &mut self,
        around: &Surroundings,
        list: &mut StepList<'_>,
        added: Vec<StepConfig>,
    ) {
        for (name, counts) in list.add(added) {
            if counts {
                self.took.insert(name, None);
            }
        }
        let build = around.plan.build;
        let planned = list.names().to_vec();
        let op = Op::StepsAdded { build, planned };
        around.journal.write(vec![op]).await;
    }

    /// Ends the build of a patch that no step has applied: what it would say is not about the
    /// patch.
    fn lack_patch(&mut self, around: &Surroundings) {
        let builder = &around.plan.builder;
        let why = format!(
            "the patch was not applied: no step of factory \"{}\" has done so; add a source step without \
             always_use_latest or a Patch step, or set ignore_patch = true for builder \"{}\"",
            builder.factory.name, builder.name
        );
        tracing::warn!(builder = %builder.name, build = %around.plan.number, "{why}");
        self.so_far.result = self.so_far.result.worse(Results::Exception);
        self.text = vec![why];
    }

    /// Waits for the locks of the build (BUI-02); answers whether there is anything to do. A build
    /// that is stopped meanwhile still runs its steps that always run, without the locks.
    async fn take_locks(&mut self, around: &Surroundings) -> bool {
        if self.controls.stop_reason.is_some() || self.controls.lost.is_some() {
            return true;
        }
        let (build, locks) = (around.plan.build, &around.plan.builder.locks);
        let wait = around
            .desk
            .take(build, &LockUser::Build, locks, &mut self.controls);
        match wait.await {
            Waited::Granted => true,
            Waited::Stopped(_) => {
                self.text.push("interrupted".to_owned());
                true
            }
            Waited::SlaveLost => {
                self.lose();
                false
            }
        }
    }

    /// The slave was lost and there is still something to do: it is to be done again (BUI-13).
    fn lose(&mut self) {
        if self.so_far.result != Results::Retry {
            self.so_far.result = Results::Retry;
            self.text = vec!["lost".to_owned(), "remote".to_owned()];
        }
    }
}
