//! `ForceScheduler`: watches nothing; the sets that it is asked for are submitted with its name.

use std::sync::Arc;

use crate::model::{Change, Decision, Instead, Moment};
use crate::schedulers::kind::{Outcome, Scheduler};

/// A `ForceScheduler`; it has no state.
#[derive(Debug)]
pub(super) struct Forcing;

impl Scheduler for Forcing {
    fn on_change(&mut self, _change: &Arc<Change>, _now: Moment) -> (Outcome, Decision) {
        let instead = Instead::Users;
        (Outcome::default(), Decision::LooksAtNone { instead })
    }
}
