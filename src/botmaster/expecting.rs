//! What builders expect of their steps (PRG-01).

use crate::config::BuilderConfig;
use crate::model::{Expectations, Forecast, Properties, unique_names};

/// What is expected of a build of `builder` with the steps `planned` that starts now.
pub(super) fn forecast(
    expectations: Option<&Expectations>,
    (builder, planned): (&BuilderConfig, &[String]),
) -> Forecast {
    let steps = &builder.factory.steps;
    let counting = steps.iter().zip(planned);
    let counting = counting.filter(|(step, _)| step.use_progress);
    let names = counting.map(|(_, name)| name.clone());
    match expectations {
        Some(expectations) => expectations.forecast(names),
        None => Expectations::default().forecast(names),
    }
}

/// The names of the steps of a build with these properties (BUI-04): those of `builder`, or those
/// up to the one in question (SRH-03).
pub(super) fn planned(builder: &BuilderConfig, properties: &Properties) -> Vec<String> {
    up_to(builder, properties.last_step())
}

/// The names of the steps of `builder` up to `last`, which the build may add itself.
pub(super) fn up_to(builder: &BuilderConfig, last: Option<&str>) -> Vec<String> {
    let steps = builder.factory.steps.iter();
    let mut names = unique_names(steps.map(|step| step.name.as_str()));
    if let Some(at) = names.iter().position(|name| Some(name.as_str()) == last) {
        names.truncate(at + 1);
    }
    names
}
