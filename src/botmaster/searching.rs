//! Builds of culprit searches, which never make anybody wait (SRH-11).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attempt::{Attempt, Stage, Stop};
use super::buildset::Place;
use super::intake::Wanted;
use super::{Answer, AttemptId, BotMaster, BuildEvent, Probe, ReplyId};
use crate::model::{BuilderName, Properties, RequestId};

/// How often a build of a search that has made way is repeated.
pub(super) const MOST_REPEATS: u32 = 2;

impl BotMaster {
    /// A search wants a build at a point; answered with its set when that is on disk.
    pub(super) fn on_probe(&mut self, probe: Probe, reply: ReplyId) {
        if !self.takes_changes(reply) {
            return;
        }
        let wanted = Wanted {
            scheduler: None,
            builders: vec![probe.builder],
            stamps: Arc::new(probe.stamps),
            reason: probe.search.reason(),
            properties: Properties::of_search(probe.step.as_deref()),
            external_id: None,
            priority: 0,
            parent: None,
            probe: Some((probe.search, probe.point)),
        };
        self.intake.submit_for(&mut self.out, wanted, reply);
    }

    /// How many builds of a search could start on a builder now.
    pub(super) fn on_room_for_search(&mut self, builder: &BuilderName, reply: ReplyId) {
        let layout = &self.out.layout;
        let room = layout.configured_builder(builder).map_or(0, |builder| {
            let fits = |builder, slave| self.fits(builder, slave);
            self.dispatch.room_for_search(builder, &fits)
        });
        self.out.reply(reply, Ok(Answer::Count(room)));
    }

    /// A search does not need what it has asked for any more (SRH-13). A build past half of its
    /// expected time goes on.
    pub(super) fn on_end_probe(&mut self, request: RequestId, reason: String, reply: ReplyId) {
        match self.intake.request(request).map(|open| open.place) {
            Some(Place::Queued) => self.on_cancel_request(request, &reason, reply),
            Some(Place::Building(attempt)) if self.is_past_half(attempt) => {
                self.out.reply(reply, Ok(Answer::Done));
            }
            Some(Place::Starting { .. } | Place::Building(_)) => {
                self.on_stop_request(request, reason, reply);
            }
            None | Some(Place::Unqueued) => self.out.reply(reply, Ok(Answer::Done)),
        }
    }

    fn is_past_half(&self, attempt: AttemptId) -> bool {
        let attempt = self.builds.get(attempt);
        attempt.is_some_and(|attempt| {
            matches!(attempt.stage, Stage::Running(..)) && !self.may_interrupt(attempt)
        })
    }

    /// Whether these requests, which share a build, are of a search.
    pub(super) fn are_of_search(&self, requests: &[RequestId]) -> bool {
        let first = requests.first().and_then(|&id| self.intake.request(id));
        first.is_some_and(|open| open.request.is_of_search())
    }

    /// Where a request waits that could start only in the place of a build of a search, that build
    /// is interrupted, unless it is past half of its expected time. Answers whether one was: what
    /// waits for such a build ends with it, and leaves its slave and locks at once.
    pub(super) fn make_way(&mut self) -> bool {
        if self.builds.searches().next().is_none() || !self.phase.starts_builds() {
            return false;
        }
        let mut freed: BTreeMap<_, usize> = BTreeMap::new();
        let mut chosen = Vec::new();
        for is_yielding in [true, false] {
            for (id, attempt) in self.builds.searches() {
                let Some(builder) = self.dispatch.blocked_by(attempt.slave, attempt.builder) else {
                    continue;
                };
                let is_stopped = attempt.stop.is_some();
                let count = freed.entry(builder).or_default();
                if is_yielding && is_stopped {
                    *count += 1;
                } else if !is_yielding
                    && !is_stopped
                    && *count < self.dispatch.queue(builder).turns()
                    && self.may_interrupt(attempt)
                {
                    *count += 1;
                    chosen.push(id);
                }
            }
        }
        let is_any = !chosen.is_empty();
        for id in chosen {
            self.interrupt_search(id);
        }
        is_any
    }

    /// Whether a build of a search may be interrupted: it is not past half of its expected time.
    pub(super) fn may_interrupt(&self, attempt: &Attempt) -> bool {
        let (Stage::Running(..), Some(started)) = (attempt.stage, attempt.started) else {
            return false;
        };
        let first = attempt.requests.first();
        let open = first.and_then(|&id| self.intake.request(id));
        let last_step = open.and_then(|open| open.request.properties.last_step());
        let expected = self.builds.expected_secs(attempt, last_step);
        let passed = self.out.now.mono.since(started.mono).as_secs_f64();
        expected.is_none_or(|expected| passed <= expected / 2.0)
    }

    fn interrupt_search(&mut self, id: AttemptId) {
        if !self.builds.make_way(id) {
            return;
        }
        let reason = Stop::Yields.reason().to_owned();
        if let Some((builder, number)) = self.build_of(id) {
            self.out.announce(BuildEvent::Interrupted {
                builder,
                number,
                reason: reason.clone(),
            });
        }
        self.interrupt(id, reason);
        self.leave_if_stopped(id);
    }
}
