//! `type = "Triggerable"`: builds when a step of another build asks for it.

use std::sync::Arc;

use super::SchedulerConfig;
use super::kind::SchedulerSettings;
use crate::config::names::Names;
use crate::config::reader::{Sink, Triggered};
use crate::config::spelling;

/// A `Triggerable` has no settings of its own.
pub(super) struct Triggerable;

impl SchedulerSettings for Triggerable {
    fn takes_triggers(&self) -> bool {
        true
    }
}

/// Checks that what a step triggers is a scheduler that takes triggers.
pub(super) fn check(
    sink: &Sink<'_>,
    triggered: &Triggered,
    names: &Names<'_>,
    schedulers: &[Arc<SchedulerConfig>],
) {
    let Triggered { name, span, label } = triggered;
    if names.place(name).is_none() {
        let known = schedulers.iter().filter(|s| s.kind.takes_triggers());
        let near = spelling::nearest(name, known.map(|s| s.name.as_str()));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add [[schedulers]] with `type = \"Triggerable\"`, `name = {name:?}`"),
        };
        let message = format!("{label} triggers the scheduler `{name}`, which does not exist");
        sink.missing(span.clone(), message, help);
        return;
    }
    let found = schedulers.iter().find(|s| s.name.as_str() == name);
    if let Some(other) = found.filter(|s| !s.kind.takes_triggers()) {
        let kind = other.kind.name();
        let message = format!("{label} triggers {kind} `{name}`, which cannot be triggered");
        let help = "name a scheduler of `type = \"Triggerable\"` or `\"NightlyTriggerable\"`";
        sink.error(span.clone(), message, help);
    }
}
