//! Expressions of the core that could not be worked out (CFL-145): the log has each once for a
//! configuration, and how often it happened when the configuration ends.

use std::collections::BTreeMap;

use super::dispatch::Failed;
use super::ids::BuilderIx;
use super::{BotMaster, MasterEvent};
use crate::config::expression::Expression;
use crate::model::SchedulerName;

/// Whose expressions failed since the configuration is in force, how often.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<(Owner, String), u64>);

/// Who has an expression.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Owner {
    Builder(BuilderIx),
    Scheduler(SchedulerName),
}

impl Failures {
    /// Counts a failure; the first is to be told.
    pub(super) fn note(
        &mut self,
        owner: Owner,
        expression: &Expression,
        why: &str,
    ) -> Option<MasterEvent> {
        let key = (owner, expression.text().to_owned());
        let count = self.0.entry(key).or_default();
        *count += 1;
        (*count == 1).then(|| MasterEvent::ExpressionFailed {
            place: expression.place().to_owned(),
            expression: expression.text().to_owned(),
            why: why.to_owned(),
            count: 1,
        })
    }

    /// The configuration ends: how often those failed that did so several times.
    pub(super) fn finish(&mut self) -> Vec<MasterEvent> {
        let all = std::mem::take(&mut self.0).into_iter();
        all.filter(|&(_, count)| count > 1)
            .map(|((_, expression), count)| MasterEvent::ExpressionFailed {
                place: String::new(),
                expression,
                why: String::new(),
                count,
            })
            .collect()
    }
}

impl BotMaster {
    /// Takes up what has failed in the choice of requests and slaves.
    pub(super) fn collect_failures(&mut self) {
        for (builder, Failed { expression, why }) in self.dispatch.take_failures() {
            self.out
                .note_failure(Owner::Builder(builder), &expression, &why);
        }
    }
}
