//! `Dependent`: builds what another scheduler has built with success (section 6). The registry
//! tells it of that.

use std::sync::Arc;

use crate::config::Codebases;
use crate::model::{Change, Decision, Instead, Moment, SourceStamps};
use crate::schedulers::codebases;
use crate::schedulers::kind::{Outcome, Scheduler};

/// A `Dependent`; it has no state.
#[derive(Debug)]
pub(super) struct Dependent(pub(super) Codebases);

impl Scheduler for Dependent {
    fn on_change(&mut self, _change: &Arc<Change>, _now: Moment) -> (Outcome, Decision) {
        let instead = Instead::Upstream;
        (Outcome::default(), Decision::LooksAtNone { instead })
    }

    /// All that the other has built (DEP-03), and what is configured besides.
    fn following(&self, stamps: &Arc<SourceStamps>) -> Arc<SourceStamps> {
        codebases::besides(&self.0, stamps)
    }
}
