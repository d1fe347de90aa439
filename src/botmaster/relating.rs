//! Requests and builds that are related to a build, which a step of that build ends: mostly older
//! ones of the same branch.

use super::asked::{Related, RelatedEnds};
use super::attempt::Attempt;
use super::buildset::Place;
use super::merging;
use super::{AttemptId, BotMaster, BuildCommand};
use crate::model::{BuildId, BuilderName, RequestId};

impl BotMaster {
    /// A step of a build wants related requests and builds to end.
    pub(super) fn on_related(&mut self, build: BuildId, related: &Related) {
        let Some((own, builder, number)) = self.attempt_of(build) else {
            return;
        };
        let found = self.related_requests(own, related);
        let why = format!("cancelled: it is related to build {builder}/{number}");
        let mut ends = RelatedEnds::default();
        for (request, builder) in &found {
            let place = self.intake.request(*request).map(|open| open.place);
            match place {
                Some(Place::Queued) if related.waiting => {
                    self.unqueue(*request);
                    self.end_unbuilt(*request, why.clone());
                    ends.cancelled.push((*request, builder.clone()));
                }
                Some(Place::Starting { attempt, .. } | Place::Building(attempt)) => {
                    let Some(reason) = related.running.clone() else {
                        continue;
                    };
                    let is_found = |id: &RequestId| found.iter().any(|(found, _)| found == id);
                    let stops = |it: &Attempt| {
                        !it.is_stopped() && it.requests.iter().all(is_found) && attempt != own
                    };
                    if self.builds.get(attempt).is_some_and(stops) {
                        ends.stopped.extend(self.build_of(attempt));
                        self.stop_attempt_then(attempt, reason, Vec::new());
                    }
                }
                Some(Place::Queued | Place::Unqueued) | None => {}
            }
        }
        let step = related.step;
        self.tell_build(build, BuildCommand::RelatedEnded { step, ends });
    }

    /// The open requests that a step has described, the oldest first.
    fn related_requests(&self, own: AttemptId, related: &Related) -> Vec<(RequestId, BuilderName)> {
        let Some(attempt) = self.builds.get(own) else {
            return Vec::new();
        };
        let requests = self.intake.requests(&attempt.requests);
        let stamps = merging::stamps(&requests);
        let oldest = attempt.requests.iter().min().copied();
        let is_own = |id: &RequestId| attempt.requests.contains(id);
        let open = self.intake.open_requests();
        let found =
            open.filter(|request| !is_own(&request.id) && related.has(request, &stamps, oldest));
        let mut found: Vec<_> = found
            .map(|request| (request.id, request.builder.clone()))
            .collect();
        found.sort();
        found
    }
}
