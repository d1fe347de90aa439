//! `type = "Triggerable"`: builds when a step of another build asks for it.

use std::sync::Arc;

use serde::Serialize;

use super::SchedulerConfig;
use super::codebases::Codebases;
use super::kind::SchedulerSettings;
use crate::config::names::Names;
use crate::config::reader::{Sink, Table, Triggered};
use crate::config::spelling;

/// Settings of `Triggerable`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TriggerableConfig {
    /// The codebases that have a stamp each in its sets; empty: those that the step names.
    #[serde(flatten)]
    pub codebases: Codebases,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &["codebases"];

impl SchedulerSettings for TriggerableConfig {
    fn takes_triggers(&self) -> bool {
        true
    }
}

impl TriggerableConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.codebases.read(table, None);
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
