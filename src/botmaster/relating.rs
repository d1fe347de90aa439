//! Requests and builds that are related to a build, which a step of that build ends: mostly older
//! ones of the same branch.

use serde::Serialize;
use serde_json::Value;

use super::attempt::Attempt;
use super::buildset::Place;
use super::merging;
use super::{AttemptId, BotMaster, BuildCommand};
use crate::model::{BuildId, BuildNumber, BuildRequest, BuilderName, RequestId, SourceStamp};
use crate::text::wildcard::matches;

/// What a step wants to be ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// Patterns of which the name of the builder matches one; empty: all builders.
    pub builders: Vec<String>,
    /// What of the source stamp is the same as that of the build.
    pub same: Vec<StampField>,
    /// Properties that the request has with these values.
    pub properties: Vec<(String, Value)>,
    /// Whether only requests count that are older than all of the build.
    pub only_older: bool,
    /// Whether requests that wait are cancelled.
    pub waiting: bool,
    /// Why builds that start or run are stopped; absent: they are not.
    pub running: Option<String>,
}

/// A part of a source stamp.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StampField {
    /// The branch.
    Branch,
    /// The revision that is asked for.
    Revision,
    /// The repository.
    Repository,
    /// The project.
    Project,
    /// The codebase.
    Codebase,
}

/// What was ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RelatedEnds {
    /// Requests that were cancelled, with their builders.
    pub cancelled: Vec<(RequestId, BuilderName)>,
    /// Builds that are being stopped; those without a number were being started.
    pub stopped: Vec<(BuilderName, Option<BuildNumber>)>,
}

impl StampField {
    fn is_same(self, one: &SourceStamp, other: &SourceStamp) -> bool {
        match self {
            Self::Branch => one.branch == other.branch,
            Self::Revision => one.revision_to_build() == other.revision_to_build(),
            Self::Repository => one.repository == other.repository,
            Self::Project => one.project == other.project,
            Self::Codebase => one.codebase == other.codebase,
        }
    }
}

impl Related {
    fn has(&self, request: &BuildRequest, stamp: &SourceStamp, oldest: Option<RequestId>) -> bool {
        let name = request.builder.as_str();
        let mut patterns = self.builders.iter();
        let mut fields = self.same.iter();
        let mut properties = self.properties.iter();
        (self.builders.is_empty() || patterns.any(|pattern| matches(pattern, name)))
            && (!self.only_older || oldest.is_some_and(|oldest| request.id < oldest))
            && fields.all(|field| field.is_same(&request.stamp, stamp))
            && properties.all(|(name, value)| request.properties.get(name) == Some(value))
    }
}

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
        self.tell_build(build, BuildCommand::RelatedEnded(ends));
    }

    /// The open requests that a step has described, the oldest first.
    fn related_requests(&self, own: AttemptId, related: &Related) -> Vec<(RequestId, BuilderName)> {
        let Some(attempt) = self.builds.get(own) else {
            return Vec::new();
        };
        let requests = self.intake.requests(&attempt.requests);
        let stamp = merging::stamp(&requests);
        let oldest = attempt.requests.iter().min().copied();
        let is_own = |id: &RequestId| attempt.requests.contains(id);
        let open = self.intake.open_requests();
        let found =
            open.filter(|request| !is_own(&request.id) && related.has(request, &stamp, oldest));
        let mut found: Vec<_> = found
            .map(|request| (request.id, request.builder.clone()))
            .collect();
        found.sort();
        found
    }
}
