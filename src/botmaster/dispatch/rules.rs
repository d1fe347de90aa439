//! The rules of a builder's queue, windows in which it starts nothing, its limit, and expressions
//! that failed.

use std::sync::Arc;

use super::{Demand, Dispatch, Failed, Judge, Pair};
use crate::botmaster::ids::{BuilderIx, SlaveIx};
use crate::config::Merging;
use crate::model::BuildRequest;

impl Dispatch {
    /// Sets by which rules requests of a builder find their places, their builds and their slaves
    /// from now on; `requests` are all that wait for the builder (CFL-79).
    pub(in crate::botmaster) fn set_queue_rules<'a>(
        &mut self,
        builder: BuilderIx,
        (merging, limit): (Merging, Option<u32>),
        judge: Option<Judge>,
        requests: impl Iterator<Item = &'a BuildRequest>,
    ) {
        let mut failures = Vec::new();
        let judge = judge.map(Arc::new);
        self.change_builder(builder, |demand| {
            let queue = &mut demand.queue;
            queue.set_rules(merging, limit, judge, requests, &mut failures);
        });
        self.note_failures(builder, failures);
        self.forget_answers_of(builder);
        self.lower_bounds(builder);
    }

    /// Says whether a window keeps the builder from starting builds (CFL-133).
    pub(in crate::botmaster) fn set_held(&mut self, builder: BuilderIx, is_held: bool) {
        self.change_builder(builder, |demand| demand.is_held = is_held);
    }

    /// Whether the builder runs as many builds as it may.
    pub(in crate::botmaster) fn is_full(&self, builder: BuilderIx) -> bool {
        self.demands[builder.0].is_full()
    }

    /// Whether the slave does something for the builder.
    pub(in crate::botmaster) fn is_busy(&self, slave: SlaveIx, builder: BuilderIx) -> bool {
        let pair = self.supplies[slave.0].pairs.get(&builder);
        matches!(pair, Some(Pair::Busy))
    }

    /// Takes the expressions that could not be worked out.
    pub(in crate::botmaster) fn take_failures(&mut self) -> Vec<(BuilderIx, Failed)> {
        std::mem::take(&mut self.failures)
    }

    pub(super) fn note_failures(
        &mut self,
        builder: BuilderIx,
        failed: impl IntoIterator<Item = Failed>,
    ) {
        let failed = failed.into_iter().map(|failed| (builder, failed));
        self.failures.extend(failed);
    }
}

impl Demand {
    /// Whether nobody and no window keeps it from starting builds.
    pub(super) const fn starts_builds(&self) -> bool {
        !self.is_paused && !self.is_held
    }

    /// How many more builds may start; absent: any number.
    pub(super) fn room(&self) -> Option<u32> {
        let max = self.rules.max_builds?;
        Some(max.saturating_sub(self.busy))
    }

    /// Whether as many builds start or run as may.
    pub(super) fn is_full(&self) -> bool {
        self.room() == Some(0)
    }
}
