//! The rules of a builder's queue, windows in which it starts nothing, and expressions that failed.

use std::sync::Arc;

use super::{Dispatch, Failed, Judge};
use crate::botmaster::ids::BuilderIx;
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
