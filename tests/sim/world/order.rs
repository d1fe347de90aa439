//! Requests wait in the order that their builder has (CFL-120, CFL-121).

use std::cmp::Reverse;

use buildmaster::config::BuilderConfig;
use buildmaster::model::RequestId;

use super::World;
use crate::setup;

/// Whether a request is of a search, its priority, the values by which its builder orders it, and
/// its age.
type Place = (bool, Reverse<i32>, Vec<Reverse<u64>>, RequestId);

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
        // Searches are in the order in which they asked.
        let is_of_search = self.disk.asks.contains_key(&id);
        let order = builder.queue.request_order.iter();
        let order = order.filter(|_| !is_of_search);
        let order = order.map(|expression| match expression.text() {
            setup::REL_FIRST => Reverse(u64::from(is_of_rel)),
            setup::NEWEST_FIRST => Reverse(id.0),
            other => panic!("{other}"),
        });
        (is_of_search, Reverse(set.priority), order.collect(), id)
    }
}
