//! What one client follows: sets, their requests, and the builds of the requests.
//!
//! [`News`] keep it up to date. If news were missed, or the client follows a set of an earlier
//! connection, the rows on disk do. Each update returns the [`Notice`]s that are due, each of them
//! once.
//!
//! Invariants: a build is *over* when clients may be told of its end. A build that will be repeated
//! is over only if no other build follows (BUI-14), since all versions of clients take the end of a
//! build for the end of the request. A request that ends without a build gets a placeholder, so
//! that clients do not wait for ever.

use std::collections::BTreeMap;

use crate::botmaster::{BuildEvent, Event, IntakeEvent};
use crate::control::News;
use crate::model::journal::{StepFinish, StepStart};
use crate::model::{BuildId, BuildSet, BuilderName, Op, RequestId, Results, SetId, Timestamp};
use crate::store::read::{BuildRow, RequestRow, SetRow};
use crate::view::{Build, Step, build_of};

/// What a client follows.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    sets: BTreeMap<SetId, Set>,
    requests: BTreeMap<RequestId, Request>,
    builds: BTreeMap<BuildKey, Followed>,
}

/// A followed set.
#[derive(Debug)]
pub(super) struct Set {
    /// The reason of the set.
    pub(super) reason: String,
    /// Its requests, in order.
    pub(super) requests: Vec<(RequestId, BuilderName)>,
    /// The result, when it has finished.
    pub(super) result: Option<Results>,
}

/// A request of a followed set.
#[derive(Debug)]
pub(super) struct Request {
    /// Its builder.
    pub(super) builder: BuilderName,
    /// The last build of the request.
    pub(super) build: Option<BuildKey>,
    /// The result, when it has finished.
    result: Option<Results>,
    /// Why the request was cancelled, if it was.
    cancelled: Option<String>,
}

/// The key of a followed build.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum BuildKey {
    /// A build.
    Real(BuildId),
    /// The placeholder of this request, which never had a build.
    Instead(RequestId),
}

/// A build of a followed request, or its placeholder.
#[derive(Debug)]
pub(super) struct Followed {
    /// Its builder.
    pub(super) builder: BuilderName,
    /// The build; absent if the request ended without one.
    pub(super) build: Option<Build>,
    /// How it ended.
    pub(super) outcome: Option<Outcome>,
    /// Whether clients may be told of the end.
    pub(super) is_over: bool,
}

/// How a build ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Outcome {
    /// Its result.
    pub(super) result: Results,
    /// Whether the request was cancelled. Only clients since 0.9 know this result.
    pub(super) is_cancelled: bool,
    /// Short text.
    pub(super) text: Vec<String>,
}

/// A notification for clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Notice {
    /// A build for the request.
    NewBuild(RequestId, BuildKey),
    /// A step has started; by its position.
    StepStarted(BuildKey, usize),
    /// A step has ended.
    StepFinished(BuildKey, usize),
    /// A build is over.
    BuildOver(BuildKey),
    /// A set has finished.
    SetOver(SetId),
}

impl Followed {
    /// Its steps so far.
    pub(super) fn steps(&self) -> &[Step] {
        self.build.as_ref().map_or(&[], |build| &build.steps)
    }
}

impl Tracked {
    /// Follows a new set.
    pub(super) fn follow(&mut self, set: &BuildSet) {
        self.add(set.id, set.reason.clone(), set.requests.clone());
    }

    /// Follows a placeholder for a rejected set: one request for `builder`, which failed because of
    /// `why`. Its number is 0, which no set has.
    pub(super) fn refuse(&mut self, builder: &str, why: &str) -> SetId {
        let (set, request) = (SetId(0), RequestId(0));
        let builder = BuilderName::from(builder);
        self.builds.remove(&BuildKey::Instead(request));
        self.requests.remove(&request);
        self.sets.remove(&set);
        self.add(set, why.to_owned(), vec![(request, builder)]);
        let text = vec![why.to_owned()];
        self.end_without_build(request, (Results::Failure, false, text));
        if let Some(set) = self.sets.get_mut(&set) {
            set.result = Some(Results::Failure);
        }
        set
    }

    /// The sets that have not finished.
    pub(super) fn open_sets(&self) -> Vec<SetId> {
        let open = self.sets.iter().filter(|(_, set)| set.result.is_none());
        open.map(|(id, _)| *id).collect()
    }

    pub(super) fn has_open_set(&self) -> bool {
        self.sets.values().any(|set| set.result.is_none())
    }

    pub(super) fn set(&self, id: SetId) -> Option<&Set> {
        self.sets.get(&id)
    }

    pub(super) fn request(&self, id: RequestId) -> Option<&Request> {
        self.requests.get(&id)
    }

    pub(super) fn build(&self, key: BuildKey) -> Option<&Followed> {
        self.builds.get(&key)
    }

    /// Applies news that arrived at `now`.
    pub(super) fn on_news(&mut self, news: &News, now: Timestamp) -> Vec<Notice> {
        let mut notices = Vec::new();
        match news {
            News::Event(event) => self.on_event(event, now, &mut notices),
            News::Build(op) => self.on_op(op, &mut notices),
        }
        notices
    }

    /// Follows a set from now on, in the state that it has on disk.
    pub(super) fn restore(
        &mut self,
        row: &SetRow,
        requests: Vec<(RequestRow, Option<BuildRow>)>,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        if !self.sets.contains_key(&row.id) {
            self.add(row.id, row.reason.clone(), row.requests.clone());
        }
        for (request, build) in requests {
            if let Some(build) = build {
                self.restore_build(build, &mut notices);
            }
            if let Some((result, _)) = request.finished {
                self.on_request_finished(request.id, result, &mut notices);
            }
        }
        if let Some((result, _)) = row.finished {
            self.on_set_finished(row.id, result, &mut notices);
        }
        notices
    }

    fn add(&mut self, id: SetId, reason: String, requests: Vec<(RequestId, BuilderName)>) {
        for (request, builder) in &requests {
            let request_state = Request {
                builder: builder.clone(),
                build: None,
                result: None,
                cancelled: None,
            };
            self.requests.insert(*request, request_state);
        }
        let set = Set {
            reason,
            requests,
            result: None,
        };
        self.sets.insert(id, set);
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what happens is nothing to those who follow builds"
    )]
    fn on_event(&mut self, event: &Event, now: Timestamp, notices: &mut Vec<Notice>) {
        match event {
            Event::Build(BuildEvent::Started(start)) => {
                self.add_build(Build::begun(start), notices)
            }
            Event::Build(BuildEvent::Finished {
                build,
                result,
                text,
                ..
            }) => self.on_build_finished(*build, (*result, text.clone(), now), notices),
            Event::Intake(IntakeEvent::RequestCancelled { request, why }) => {
                if let Some(request) = self.requests.get_mut(request) {
                    request.cancelled = Some(why.clone());
                }
            }
            Event::Intake(IntakeEvent::RequestFinished { request, result }) => {
                self.on_request_finished(*request, *result, notices);
            }
            Event::Intake(IntakeEvent::SetFinished { set, result }) => {
                self.on_set_finished(*set, *result, notices)
            }
            _ => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "clients hear of the beginnings and ends of steps alone"
    )]
    fn on_op(&mut self, op: &Op, notices: &mut Vec<Notice>) {
        let Some(build) = build_of(op) else { return };
        let key = BuildKey::Real(build);
        let followed = self.builds.get_mut(&key);
        let build = followed.and_then(|followed| followed.build.as_mut());
        if !build.is_some_and(|build| build.hear(op)) {
            return;
        }
        match op {
            Op::StepStarted(StepStart { index, .. }) => {
                let step = usize::try_from(*index).ok();
                notices.extend(step.map(|step| Notice::StepStarted(key, step)));
            }
            Op::StepFinished(StepFinish { index, .. }) => {
                let step = usize::try_from(*index).ok();
                notices.extend(step.map(|step| Notice::StepFinished(key, step)));
            }
            _ => {}
        }
    }

    /// Applies the state that a build has on disk.
    fn restore_build(&mut self, row: BuildRow, notices: &mut Vec<Notice>) {
        let build = Build::from(row);
        let id = build.id;
        let end = build.result.zip(build.finished_at);
        let end = end.map(|(result, at)| (result, build.text.clone(), at));
        let followed = self.builds.get_mut(&BuildKey::Real(id));
        match followed.and_then(|followed| followed.build.as_mut()) {
            Some(known) if known.steps.len() <= build.steps.len() => known.steps = build.steps,
            Some(_) => {}
            None => self.add_build(build, notices),
        }
        if let Some(end) = end {
            self.on_build_finished(id, end, notices);
        }
    }

    fn add_build(&mut self, build: Build, notices: &mut Vec<Notice>) {
        let key = BuildKey::Real(build.id);
        let mut is_followed = false;
        for id in &build.requests {
            if let Some(request) = self.requests.get_mut(id)
                && request.build != Some(key)
            {
                request.build = Some(key);
                is_followed = true;
                notices.push(Notice::NewBuild(*id, key));
            }
        }
        if is_followed {
            let followed = Followed {
                builder: build.builder.clone(),
                build: Some(build),
                outcome: None,
                is_over: false,
            };
            self.builds.insert(key, followed);
        }
    }

    fn on_build_finished(
        &mut self,
        build: BuildId,
        (result, text, at): (Results, Vec<String>, Timestamp),
        notices: &mut Vec<Notice>,
    ) {
        let key = BuildKey::Real(build);
        let Some(followed) = self.builds.get_mut(&key) else {
            return;
        };
        if let Some(build) = &mut followed.build
            && build.finished_at.is_none()
        {
            build.finish(result, text.clone(), at);
        }
        followed.outcome.get_or_insert(Outcome {
            result,
            is_cancelled: false,
            text,
        });
        if result != Results::Retry {
            self.end_build(key, notices);
        }
    }

    fn on_request_finished(&mut self, id: RequestId, result: Results, notices: &mut Vec<Notice>) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        if request.result.replace(result).is_some() {
            return;
        }
        let cancelled = request.cancelled.take();
        let Some(key) = request.build else {
            let is_cancelled = cancelled.is_some() || result != Results::Success;
            let text = cancelled.unwrap_or_else(|| "ended without a build".to_owned());
            let result = match is_cancelled {
                true => Results::Exception,
                false => result,
            };
            let key = self.end_without_build(id, (result, is_cancelled, vec![text]));
            notices.push(Notice::NewBuild(id, key));
            notices.push(Notice::BuildOver(key));
            return;
        };
        // The last of the repeated builds.
        if let Some(build) = self.builds.get_mut(&key)
            && !build.is_over
        {
            let outcome = build.outcome.get_or_insert(Outcome {
                result,
                is_cancelled: false,
                text: Vec::new(),
            });
            if outcome.result == Results::Retry {
                outcome.result = result;
                outcome.is_cancelled = cancelled.is_some();
            }
            self.end_build(key, notices);
        }
    }

    fn end_without_build(
        &mut self,
        id: RequestId,
        (result, is_cancelled, text): (Results, bool, Vec<String>),
    ) -> BuildKey {
        let key = BuildKey::Instead(id);
        let builder = self.requests.get_mut(&id).map(|request| {
            request.build = Some(key);
            request.builder.clone()
        });
        let followed = Followed {
            builder: builder.unwrap_or_else(|| BuilderName::from("")),
            build: None,
            outcome: Some(Outcome {
                result,
                is_cancelled,
                text,
            }),
            is_over: true,
        };
        self.builds.insert(key, followed);
        key
    }

    fn end_build(&mut self, key: BuildKey, notices: &mut Vec<Notice>) {
        if let Some(build) = self.builds.get_mut(&key)
            && !std::mem::replace(&mut build.is_over, true)
        {
            notices.push(Notice::BuildOver(key));
        }
    }

    fn on_set_finished(&mut self, id: SetId, result: Results, notices: &mut Vec<Notice>) {
        if let Some(set) = self.sets.get_mut(&id)
            && set.result.replace(result).is_none()
        {
            notices.push(Notice::SetOver(id));
        }
    }
}

#[cfg(test)]
mod tests;
