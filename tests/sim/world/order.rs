//! Requests wait in the order that their builder has (CFL-120, CFL-121).

use std::cmp::Reverse;

use buildmaster::config::BuilderConfig;
use buildmaster::model::RequestId;

use super::World;
use crate::setup;

/// The priority of a request, the values by which its builder orders it, and its age.
type Place = (Reverse<i32>, Vec<Reverse<u64>>, RequestId);

impl World {
    /// Whatever has put them back or ordered them anew.
    pub(super) fn check_order(&self) {
        for builder in &self.config.builders {
            let queued = self.core.queued(&builder.name);
            let places: Vec<_> = queued
                .into_iter()
                .map(|id| self.place(builder, id))
                .collect();
            assert!(places.is_sorted(), "CFL-120: {}: {places:?}", builder.name);
        }
    }

    fn place(&self, builder: &BuilderConfig, id: RequestId) -> Place {
        let set = &self.disk.sets[&self.disk.requests[&id].set].set;
        let is_of_rel = set.stamps.first().branch.as_deref() == Some("rel");
        let order = builder.queue.request_order.iter();
        let order = order.map(|expression| match expression.text() {
            setup::REL_FIRST => Reverse(u64::from(is_of_rel)),
            setup::NEWEST_FIRST => Reverse(id.0),
            other => panic!("{other}"),
        });
        (Reverse(set.priority), order.collect(), id)
    }
}
