//! When builds and steps will be over, as those who follow them are told (section 19).
//!
//! What is overdue has a time below zero, as with real masters: clients show it in their own ways.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::tracked::{BuildKey, Step};
use super::{Client, Thing};
use crate::model::progress::StepState;
use crate::pb::{Luid, Value};

impl Client {
    /// When the next observer wants to hear when its build will be over.
    pub(super) fn next_eta(&self) -> Option<Instant> {
        let watchers = self.watched_builds.values().flatten();
        watchers
            .filter_map(|watcher| Some(watcher.eta.as_ref()?.1))
            .min()
    }

    pub(super) async fn tell_etas(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (build, watchers) in &mut self.watched_builds {
            for watcher in watchers {
                if let Some((interval, next)) = &mut watcher.eta
                    && *next <= now
                {
                    *next = now + *interval;
                    due.push((*build, watcher.observer));
                }
            }
        }
        for (build, observer) in due {
            self.tell_eta(build, observer).await;
        }
    }

    pub(super) async fn tell_eta(&mut self, key: BuildKey, observer: Luid) {
        let Some(seconds) = self.eta(key).await else {
            return;
        };
        let Some(builder) = self.tracked.build(key).map(|b| b.builder.clone()) else {
            return;
        };
        let args = vec![
            self.text(builder.as_str()),
            self.value_of(Thing::Build(key)),
            Value::Float(seconds),
        ];
        self.send(observer, "buildETAUpdate", args);
    }

    /// How many seconds the build will probably take from now on; absent if that is unknown.
    pub(super) async fn eta(&mut self, key: BuildKey) -> Option<f64> {
        let build = self.tracked.build(key).filter(|build| !build.is_over)?;
        let mut output = Vec::new();
        for step in &build.steps {
            output.push(self.output_of(step).await);
        }
        let steps = build.steps.iter().zip(&output);
        let steps: Vec<_> = steps.map(|(step, output)| state(step, output)).collect();
        Some(
            build
                .forecast
                .of_build(&steps, self.control.clock().wall())?
                .0,
        )
    }

    /// The same for a step.
    pub(super) async fn step_eta(&mut self, key: BuildKey, index: usize) -> Option<f64> {
        let build = self.tracked.build(key)?;
        let step = build.steps.get(index).filter(|s| s.finished.is_none())?;
        let output = self.output_of(step).await;
        let left = build
            .forecast
            .of_step(&state(step, &output), self.control.clock().wall())?;
        Some(left.0)
    }

    /// What is known of the output of a step and what is expected: name, bytes so far, bytes in the end.
    pub(super) async fn step_expectations(&self, key: BuildKey, index: usize) -> Value {
        let Some(build) = self.tracked.build(key) else {
            return Value::List(Vec::new());
        };
        let step = build.steps.get(index);
        let expected = step.and_then(|step| build.forecast.0.get(&step.name)?.as_ref());
        let (Some(step), Some(expected)) = (step, expected) else {
            return Value::List(Vec::new());
        };
        let found = self.bytes(step).await;
        let metrics = expected.output.iter().map(|(log, bytes)| {
            let so_far = found.iter().find(|(name, _)| name == log);
            let so_far = so_far.and_then(|(_, bytes)| i64::try_from(*bytes).ok());
            // What real masters call the output of the command.
            let metric = if log == "stdio" { "output" } else { log };
            Value::Tuple(vec![
                self.text(metric),
                so_far.map_or(Value::None, Value::Int),
                Value::Float(*bytes),
            ])
        });
        Value::List(metrics.collect())
    }

    /// Bytes of output so far of a step that runs; of others they are not needed.
    async fn output_of(&self, step: &Step) -> Vec<(String, u64)> {
        match step.finished {
            Some(_) => Vec::new(),
            None => self.bytes(step).await,
        }
    }

    async fn bytes(&self, step: &Step) -> Vec<(String, u64)> {
        let logs = step.logs.iter();
        let logs = logs.map(|log| (log.name.clone(), log.path.clone()));
        self.history.output(logs.collect()).await
    }
}

fn state<'a>(step: &'a Step, output: &'a [(String, u64)]) -> StepState<'a> {
    let output = output.iter().map(|(log, bytes)| (log.as_str(), *bytes));
    StepState {
        name: &step.name,
        working_since: step.working_since,
        is_over: step.finished.is_some(),
        output: output.collect::<BTreeMap<_, _>>(),
    }
}
