//! `Dependent`: builds what another scheduler has built with success (section 6). The registry
//! tells it of that.

use std::sync::Arc;

use crate::model::{Change, Decision, Instead, Moment};
use crate::schedulers::kind::{Outcome, Scheduler};

/// A `Dependent`; it has no state.
#[derive(Debug)]
pub(super) struct Dependent;

impl Scheduler for Dependent {
    fn on_change(&mut self, _change: &Arc<Change>, _now: Moment) -> (Outcome, Decision) {
        let instead = Instead::Upstream;
        (Outcome::default(), Decision::LooksAtNone { instead })
    }
}
