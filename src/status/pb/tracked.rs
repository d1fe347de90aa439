//! What one client follows: its sets, their requests, and the builds of these.
//!
//! It is kept up to date by [`News`], and by what is on disk when news were missed or a set is taken up again. Each
//! step forward gives the [`Notice`]s that are due; none is given twice.
//!
//! Invariants: a build is *over* when clients may be told its end, once. One that is to be built again ends its request
//! only if no other build follows (BUI-14), since clients of every version take the end of a build for the end of
//! the request. A request that ends without a build has one in its place, so that nobody waits for ever.

use std::collections::BTreeMap;

use crate::botmaster::Event;
use crate::control::News;
use crate::model::journal::BuildStart;
use crate::model::{
    BuildId, BuildNumber, BuildSet, BuilderName, Forecast, Op, Properties, RequestId, Results,
    SetId, Timestamp,
};
use crate::store::read::{BuildRow, LogRow, RequestRow, SetRow};

/// What a client follows.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    sets: BTreeMap<SetId, Set>,
    requests: BTreeMap<RequestId, Request>,
    builds: BTreeMap<BuildKey, Build>,
}

/// A followed set.
#[derive(Debug)]
pub(super) struct Set {
    /// Why.
    pub(super) reason: String,
    /// Its requests, in order.
    pub(super) requests: Vec<(RequestId, BuilderName)>,
    /// Its result, when it has finished.
    pub(super) result: Option<Results>,
}

/// A request of a followed set.
#[derive(Debug)]
pub(super) struct Request {
    /// Its builder.
    pub(super) builder: BuilderName,
    /// The last build of it.
    pub(super) build: Option<BuildKey>,
    /// Its result, when it has finished.
    result: Option<Results>,
    /// Why it was cancelled, if it was.
    cancelled: Option<String>,
}

/// Which build.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum BuildKey {
    /// A build.
    Real(BuildId),
    /// What stands in the place of a build that this request never had.
    Instead(RequestId),
}

/// A build of a followed request.
#[derive(Debug)]
pub(super) struct Build {
    /// Its builder.
    pub(super) builder: BuilderName,
    /// Its number within the builder.
    pub(super) number: BuildNumber,
    /// Why.
    pub(super) reason: String,
    /// Who is to blame (BUI-09).
    pub(super) blamelist: Vec<String>,
    /// Its properties at the start.
    pub(super) properties: Properties,
    /// When it started.
    pub(super) started_at: Option<Timestamp>,
    /// When it ended, as far as that is known.
    pub(super) finished_at: Option<Timestamp>,
    /// How it ended.
    pub(super) outcome: Option<Outcome>,
    /// Whether clients may know that.
    pub(super) is_over: bool,
    /// Its steps so far.
    pub(super) steps: Vec<Step>,
    /// What is expected of them.
    pub(super) forecast: Forecast,
    requests: Vec<RequestId>,
}

/// How a build ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Outcome {
    /// Its result.
    pub(super) result: Results,
    /// Whether it is no result but a cancelled request; only clients from 0.9 on have a word for that.
    pub(super) is_cancelled: bool,
    /// Short text.
    pub(super) text: Vec<String>,
}

/// A step.
#[derive(Debug)]
pub(super) struct Step {
    /// Its name.
    pub(super) name: String,
    /// When it started.
    pub(super) started_at: Timestamp,
    /// When its own work began; absent while it waits for its locks.
    pub(super) working_since: Option<Timestamp>,
    /// When it ended, and how.
    pub(super) finished: Option<(Timestamp, Results)>,
    /// Short text about it.
    pub(super) text: Vec<String>,
    /// Its logs so far.
    pub(super) logs: Vec<Log>,
}

/// A log of a step.
#[derive(Debug)]
pub(super) struct Log {
    /// Its name.
    pub(super) name: String,
    /// Its file, relative to the base directory and without suffix.
    pub(super) path: String,
    /// Whether it is complete.
    pub(super) is_finished: bool,
}

/// Something that clients are to be told.
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

impl Tracked {
    /// Follows a new set.
    pub(super) fn follow(&mut self, set: &BuildSet) {
        self.add(set.id, set.reason.clone(), set.requests.clone());
    }

    /// Follows, in place of a set, why there is none: one request, whose `builder` names that, failed because of `why`.
    /// Its number is 0, which no set has.
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

    pub(super) fn build(&self, key: BuildKey) -> Option<&Build> {
        self.builds.get(&key)
    }

    /// Takes in what has happened; `now` is when.
    pub(super) fn on_news(&mut self, news: &News, now: Timestamp) -> Vec<Notice> {
        let mut notices = Vec::new();
        match news {
            News::Event(event) => self.on_event(event, now, &mut notices),
            News::Build(op) => self.on_op(op, &mut notices),
        }
        notices
    }

    /// Takes in what is on disk about a set, which is followed from now on.
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
            Event::BuildStarted(start) => self.on_build_started(start, notices),
            Event::BuildFinished {
                build,
                result,
                text,
                ..
            } => self.on_build_finished(*build, (*result, text.clone(), now), notices),
            Event::RequestCancelled { request, why } => {
                if let Some(request) = self.requests.get_mut(request) {
                    request.cancelled = Some(why.clone());
                }
            }
            Event::RequestFinished { request, result } => {
                self.on_request_finished(*request, *result, notices);
            }
            Event::SetFinished { set, result } => self.on_set_finished(*set, *result, notices),
            _ => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what is remembered is nothing to those who follow builds"
    )]
    fn on_op(&mut self, op: &Op, notices: &mut Vec<Notice>) {
        match op {
            Op::StepStarted {
                build,
                index,
                name,
                text,
                waits,
                at,
            } => {
                let key = BuildKey::Real(*build);
                let (Some(build), Ok(index)) = (self.builds.get_mut(&key), usize::try_from(*index))
                else {
                    return;
                };
                if build.steps.len() == index {
                    build.steps.push(Step {
                        name: name.clone(),
                        started_at: *at,
                        working_since: (!waits).then_some(*at),
                        finished: None,
                        text: text.clone(),
                        logs: Vec::new(),
                    });
                    notices.push(Notice::StepStarted(key, index));
                }
            }
            Op::StepHasLocks { build, index, at } => {
                if let Some(step) = self.step_mut(*build, *index) {
                    step.working_since = Some(*at);
                }
            }
            Op::StepFinished {
                build,
                index,
                result,
                text,
                outcome: _,
                at,
            } => {
                let key = BuildKey::Real(*build);
                let (Some(build), Ok(index)) = (self.builds.get_mut(&key), usize::try_from(*index))
                else {
                    return;
                };
                if let Some(step) = build.steps.get_mut(index)
                    && step.finished.is_none()
                {
                    step.finished = Some((*at, *result));
                    step.text.clone_from(text);
                    notices.push(Notice::StepFinished(key, index));
                }
            }
            Op::LogOpened {
                build,
                step,
                position: _,
                name,
                path,
            } => {
                if let Some(step) = self.step_mut(*build, *step)
                    && !step.logs.iter().any(|log| log.name == *name)
                {
                    step.logs.push(Log {
                        name: name.clone(),
                        path: path.clone(),
                        is_finished: false,
                    });
                }
            }
            Op::LogClosed {
                build, step, name, ..
            } => {
                let step = self.step_mut(*build, *step);
                let mut logs = step.into_iter().flat_map(|step| &mut step.logs);
                if let Some(log) = logs.find(|log| log.name == *name) {
                    log.is_finished = true;
                }
            }
            _ => {}
        }
    }

    fn step_mut(&mut self, build: BuildId, index: u32) -> Option<&mut Step> {
        let build = self.builds.get_mut(&BuildKey::Real(build))?;
        build.steps.get_mut(usize::try_from(index).ok()?)
    }

    fn on_build_started(&mut self, start: &BuildStart, notices: &mut Vec<Notice>) {
        let build = Build {
            builder: start.builder.clone(),
            number: start.number,
            reason: start.reason.clone(),
            blamelist: start.blamelist.clone(),
            properties: start.properties.clone(),
            started_at: Some(start.at),
            finished_at: None,
            outcome: None,
            is_over: false,
            steps: Vec::new(),
            forecast: start.forecast.clone(),
            requests: start.requests.clone(),
        };
        self.add_build(BuildKey::Real(start.build), build, notices);
    }

    fn restore_build(&mut self, row: BuildRow, notices: &mut Vec<Notice>) {
        let summary = row.summary;
        let key = BuildKey::Real(summary.id);
        let mut logs = row.logs.into_iter().map(|logs| {
            let log = |log: LogRow| Log {
                name: log.name,
                path: log.path,
                is_finished: log.size_bytes.is_some(),
            };
            logs.into_iter().map(log).collect()
        });
        let steps = summary.steps.into_iter().map(|step| Step {
            name: step.name,
            started_at: step.started_at,
            working_since: step.working_since,
            finished: step.finished_at.zip(step.result),
            text: step.text,
            logs: logs.next().unwrap_or_default(),
        });
        let steps: Vec<Step> = steps.collect();
        if let Some(known) = self.builds.get_mut(&key) {
            if known.steps.len() <= steps.len() {
                known.steps = steps;
            }
        } else {
            let build = Build {
                builder: summary.builder,
                number: summary.number,
                reason: summary.reason,
                blamelist: summary.blamelist,
                properties: row.properties,
                started_at: Some(summary.started_at),
                finished_at: summary.finished_at,
                outcome: None,
                is_over: false,
                steps,
                forecast: row.forecast,
                requests: summary.requests,
            };
            self.add_build(key, build, notices);
        }
        if let Some((result, at)) = summary.result.zip(summary.finished_at) {
            self.on_build_finished(summary.id, (result, summary.text, at), notices);
        }
    }

    fn add_build(&mut self, key: BuildKey, build: Build, notices: &mut Vec<Notice>) {
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
            self.builds.insert(key, build);
        }
    }

    fn on_build_finished(
        &mut self,
        build: BuildId,
        (result, text, at): (Results, Vec<String>, Timestamp),
        notices: &mut Vec<Notice>,
    ) {
        let key = BuildKey::Real(build);
        let Some(build) = self.builds.get_mut(&key) else {
            return;
        };
        build.finished_at.get_or_insert(at);
        build.outcome.get_or_insert(Outcome {
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
        // The last of the builds that were to be repeated: no other follows.
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
        let build = Build {
            builder: builder.unwrap_or_else(|| BuilderName::from("")),
            number: BuildNumber(0),
            reason: String::new(),
            blamelist: Vec::new(),
            properties: Properties::new(),
            started_at: None,
            finished_at: None,
            outcome: Some(Outcome {
                result,
                is_cancelled,
                text,
            }),
            is_over: true,
            steps: Vec::new(),
            forecast: Forecast::default(),
            requests: vec![id],
        };
        self.builds.insert(key, build);
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
