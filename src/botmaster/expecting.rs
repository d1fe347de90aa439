//! What builders expect of their steps: what a build that starts is told of them, and what is learned from one that has
//! succeeded (PRG-01, PRG-03).

use std::collections::BTreeMap;

use super::BotMaster;
use super::ids::BuilderIx;
use super::names::unique_names;
use crate::config::BuilderConfig;
use crate::model::{BuilderName, Effort, Expectations, Forecast, Op};

/// What is expected of a build of `builder` that starts now.
pub(super) fn forecast(
    expectations: &BTreeMap<BuilderName, Expectations>,
    builder: &BuilderConfig,
) -> Forecast {
    let steps = &builder.factory.steps;
    let counting = steps
        .iter()
        .zip(step_names(builder))
        .filter(|(step, _)| step.use_progress);
    let names = counting.map(|(_, name)| name);
    match expectations.get(&builder.name) {
        Some(expectations) => expectations.forecast(names),
        None => Expectations::default().forecast(names),
    }
}

/// The names of the steps of `builder` (BUI-04).
pub(super) fn step_names(builder: &BuilderConfig) -> Vec<String> {
    let steps = builder.factory.steps.iter();
    unique_names(steps.map(|step| step.name.as_str()))
}

impl BotMaster {
    /// A build has succeeded, the steps of which took this; what is to be remembered of it, if anything is.
    pub(super) fn learn(
        &mut self,
        builder: BuilderIx,
        took: BTreeMap<String, Option<Effort>>,
    ) -> Option<Op> {
        let builder = self.builder_name(builder);
        let expectations = self.expectations.entry(builder.clone()).or_default();
        if took.is_empty() && expectations.0.is_empty() {
            return None;
        }
        expectations.learn(took);
        let expected = expectations.clone();
        Some(Op::StepsExpected { builder, expected })
    }
}
