//! Requests enter and leave the queues of their builders, also of builders that were removed
//! (BLD-10, BST-09).

use super::buildset::{Place, RequestEnd};
use super::ids::BuilderIx;
use super::timers::Timer;
use super::{BotMaster, IntakeEvent};
use crate::model::{RequestId, Results};

impl BotMaster {
    /// Puts a request into the queue of its builder, at the place that its priority and age give it
    /// (BLD-10).
    pub(super) fn enqueue(&mut self, id: RequestId, announce: bool) {
        self.intake.set_places(&[id], Place::Queued);
        let Some(open) = self.intake.request(id) else {
            return;
        };
        if let Some(why) = &open.unwanted {
            let why = why.to_string();
            self.end_unbuilt(id, why);
            return;
        }
        let Some(builder) = self.out.layout.builder_named(&open.request.builder) else {
            return;
        };
        self.dispatch.enqueue(builder, &open.request);
        if self.dispatch.queue(builder).len() == 1 {
            self.want_checks(builder);
        }
        if announce {
            let builder = self.out.layout.builder_name(builder);
            self.out.announce(IntakeEvent::RequestQueued {
                request: id,
                builder,
            });
        }
        if !self.out.layout.builder(builder).is_configured {
            self.await_return(builder);
        }
    }

    /// A request that is in no queue and in no build ends without one.
    pub(super) fn end_unbuilt(&mut self, request: RequestId, why: String) {
        let (mut ops, mut effects) = (Vec::new(), Vec::new());
        let end = RequestEnd {
            request,
            result: Results::Failure,
            why: Some(why),
            build: None,
        };
        self.intake
            .finish_request(&mut self.out, end, &mut ops, &mut effects);
        self.out.persist_then(ops, effects);
    }

    /// Takes a request out of the queue.
    pub(super) fn unqueue(&mut self, id: RequestId) {
        if let Some(open) = self.intake.request(id)
            && let Some(builder) = self.out.layout.builder_named(&open.request.builder)
        {
            self.dispatch.unqueue(builder, &open.request);
        }
    }

    /// Requests wait for a builder that was removed: they wait for a while, and are given up then
    /// (BST-09).
    pub(super) fn await_return(&mut self, builder: BuilderIx) {
        let timer = Timer::Orphans(builder);
        if !self.out.timers.is_set(timer) {
            let wait = self.out.layout.config().orphan_request_grace;
            self.out.set_timer(timer, wait);
        }
    }

    /// The builder has not come back.
    pub(super) fn on_orphans_due(&mut self, builder: BuilderIx) {
        let placed = self.out.layout.builder(builder);
        if placed.is_configured {
            return;
        }
        let why = format!(
            "builder {} was removed from the configuration",
            placed.config.name
        );
        let waiting: Vec<_> = self
            .dispatch
            .queue(builder)
            .iter()
            .map(|(_, id)| id)
            .collect();
        let (mut ops, mut effects) = (Vec::new(), Vec::new());
        for request in waiting {
            self.unqueue(request);
            let end = RequestEnd {
                request,
                result: Results::Failure,
                why: Some(why.clone()),
                build: None,
            };
            self.intake
                .finish_request(&mut self.out, end, &mut ops, &mut effects);
        }
        self.out.persist_then(ops, effects);
    }
}
