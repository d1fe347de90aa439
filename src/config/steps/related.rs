//! The settings of `CancelRelatedBuilds` and `StopRelatedBuilds`: steps that end what another build
//! has made needless.

use serde::Serialize;

use super::kind::StepSettings;
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `CancelRelatedBuilds` and `StopRelatedBuilds`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelatedStepConfig {
    /// Patterns on the names of builders; empty: all builders.
    pub builders: Vec<Template>,
    /// What of the source stamp is the same: branch, project, repository, codebase.
    pub same: Vec<&'static str>,
    /// Properties that have the same values.
    pub same_properties: Vec<String>,
    /// Whether only requests end that are older than those of this build.
    pub only_older: bool,
    /// Whether waiting requests are cancelled.
    pub cancel_waiting: bool,
    /// Whether running builds are stopped.
    pub stop_running: bool,
    /// Why running builds are stopped.
    pub reason: Template,
}

/// The parts of a source stamp that can be compared.
const STAMP_FIELDS: [&str; 5] = ["branch", "revision", "repository", "project", "codebase"];

/// The keys of both kinds.
pub(super) const KEYS: &[&str] = &[
    "builders",
    "same",
    "same_properties",
    "only_older",
    "reason",
];

/// The keys of `CancelRelatedBuilds` alone.
pub(super) const CANCEL: &[&str] = &["stop_running"];

impl StepSettings for RelatedStepConfig {}

impl RelatedStepConfig {
    /// The settings of `CancelRelatedBuilds`.
    pub(super) fn cancel() -> Self {
        Self {
            builders: Vec::new(),
            same: vec!["branch", "repository", "project", "codebase"],
            same_properties: Vec::new(),
            only_older: true,
            cancel_waiting: true,
            stop_running: false,
            reason: Template::literal("stopped for a newer build"),
        }
    }

    /// The settings of `StopRelatedBuilds`.
    pub(super) fn stop() -> Self {
        Self {
            cancel_waiting: false,
            stop_running: true,
            ..Self::cancel()
        }
    }

    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        table.set("builders", &mut self.builders, |value| {
            let entries = value.one_or_list()?;
            Some(entries.iter().filter_map(Value::template).collect())
        });
        table.set("same", &mut self.same, |value| {
            let entries = value.one_or_list()?;
            let fields = entries
                .iter()
                .filter_map(|entry| entry.one_of(&STAMP_FIELDS));
            Some(fields.collect())
        });
        table.set("same_properties", &mut self.same_properties, |value| {
            let entries = value.one_or_list()?;
            Some(entries.iter().filter_map(Value::property_name).collect())
        });
        table.set("only_older", &mut self.only_older, Value::flag);
        table.set("reason", &mut self.reason, Value::template);
        if self.cancel_waiting {
            table.set("stop_running", &mut self.stop_running, Value::flag);
        }
    }
}
