//! `Triggerable`: builds when a step of another build asks for it.

use std::sync::Arc;

use crate::config::Codebases;
use crate::model::{Change, Decision, Instead, Moment, Properties, SourceStamps};
use crate::schedulers::codebases;
use crate::schedulers::kind::{Outcome, Scheduler};

/// A `Triggerable`; it has no state.
#[derive(Debug)]
pub(super) struct Triggerable(pub(super) Codebases);

impl Scheduler for Triggerable {
    fn on_change(&mut self, _change: &Arc<Change>, _now: Moment) -> (Outcome, Decision) {
        let instead = Instead::Trigger;
        (Outcome::default(), Decision::LooksAtNone { instead })
    }

    fn trigger(
        &mut self,
        stamps: &Arc<SourceStamps>,
        properties: &Properties,
        _now: Moment,
    ) -> Option<Outcome> {
        Some(Outcome {
            triggered: vec![(codebases::asked_for(&self.0, stamps), properties.clone())],
            ..Outcome::default()
        })
    }
}
