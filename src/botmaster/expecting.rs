//! What builders expect of their steps (PRG-01).

use crate::config::BuilderConfig;
use crate::model::{Expectations, Forecast, unique_names};

/// What is expected of a build of `builder` that starts now.
pub(super) fn forecast(expectations: Option<&Expectations>, builder: &BuilderConfig) -> Forecast {
    let steps = &builder.factory.steps;
    let counting = steps
        .iter()
        .zip(step_names(builder))
        .filter(|(step, _)| step.use_progress);
    let names = counting.map(|(_, name)| name);
    match expectations {
        Some(expectations) => expectations.forecast(names),
        None => Expectations::default().forecast(names),
    }
}

/// The names of the steps of `builder` (BUI-04).
pub(super) fn step_names(builder: &BuilderConfig) -> Vec<String> {
    let steps = builder.factory.steps.iter();
    unique_names(steps.map(|step| step.name.as_str()))
}
