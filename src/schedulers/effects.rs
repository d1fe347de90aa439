//! What schedulers want done.

use std::sync::Arc;

use serde_json::Value;

use crate::config::expression::Expression;
use crate::model::{BuilderName, Decision, Properties, SchedulerName, SourceStamps, WaitingChange};

/// Place of a scheduler in the registry: its place in the configuration.
pub type SchedulerIx = usize;

/// What schedulers want done after an event.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Effects {
    /// Sets to submit, in order.
    pub submissions: Vec<Submission>,
    /// What must be remembered of schedulers from now on.
    pub states: Vec<(SchedulerName, Option<Value>)>,
    /// Changes that wait besides those of what is remembered; a state that comes later has them.
    pub waits: Vec<(SchedulerName, WaitingChange)>,
    /// Schedulers whose due time may have changed.
    pub touched: Vec<SchedulerIx>,
    /// What each scheduler made of the change it was offered, in the order of the configuration;
    /// empty after other events.
    pub decisions: Vec<(SchedulerName, Decision)>,
    /// Expressions that could not be worked out for a change, of which scheduler, and why
    /// (CFL-142).
    pub failures: Vec<(SchedulerName, Expression, String)>,
    /// What went wrong, and with which scheduler (CHG-05).
    pub problems: Vec<(SchedulerName, String)>,
}

/// A set that a scheduler wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Who wants it.
    pub scheduler: SchedulerName,
    /// On which builders, in order; one that is listed twice gets one request (SCB-02).
    pub builders: Vec<BuilderName>,
    /// What to build.
    pub stamps: Arc<SourceStamps>,
    /// Why.
    pub reason: String,
    /// With which properties (SCB-08).
    pub properties: Properties,
    /// How urgent its requests are (BRQ-09).
    pub priority: i32,
    /// The id that a client gave it (TJD-11).
    pub external_id: Option<String>,
}
