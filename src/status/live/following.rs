//! What status clients are told of, and the order of it: builders, their states, and the builds
//! that run.
//!
//! [`News`] keep it up to date. If news were missed, the rows on disk do (LIV-06). Each update
//! returns the [`Notice`]s that are due, each of them once.

use std::collections::{BTreeMap, BTreeSet};

use crate::botmaster::{BuildEvent, BuilderEvent, Event};
use crate::control::News;
use crate::model::journal::{LogOpening, StepFinish, StepStart};
use crate::model::{BigState, BuildId, BuilderName, Op, Timestamp};
use crate::view::{Build, build_of};

/// What there is to be told of now.
#[derive(Debug, Default)]
pub(super) struct Following {
    builders: BTreeSet<BuilderName>,
    /// Big states, also of builders that are not in force yet.
    states: BTreeMap<BuilderName, BigState>,
    /// The states that were told last.
    told: BTreeMap<BuilderName, BigState>,
    /// Builds whose end was not told.
    running: BTreeMap<BuildId, Build>,
    /// The newest build that was heard of.
    newest: BuildId,
}

/// Something to tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Notice {
    /// A builder is there.
    BuilderAdded(BuilderName),
    /// A builder is gone.
    BuilderRemoved(BuilderName),
    /// A builder has another big state.
    State(BuilderName, BigState),
    /// A build has started.
    BuildStarted(BuildId),
    /// A step has started; by its position.
    StepStarted(BuildId, usize),
    /// A log of a step was opened; by its position.
    LogStarted(BuildId, usize, usize),
    /// A log is complete.
    LogFinished(BuildId, usize, usize),
    /// A step has ended.
    StepFinished(BuildId, usize),
    /// A build has ended. It is forgotten when that has been told.
    BuildFinished(BuildId),
}

impl Following {
    /// Begins with what is on disk: states of builders, the builds that run, and the newest build.
    pub(super) fn begin(
        &mut self,
        states: Vec<(BuilderName, BigState)>,
        running: Vec<Build>,
        newest: BuildId,
    ) {
        self.states = states.into_iter().collect();
        self.newest = newest;
        for build in running {
            self.newest = self.newest.max(build.id);
            self.running.insert(build.id, build);
        }
    }

    /// The builders, in order of name.
    pub(super) const fn builders(&self) -> &BTreeSet<BuilderName> {
        &self.builders
    }

    /// The big state of a builder. The core announces that a builder is idle before the end of its
    /// build, which has to be on disk first; here it is building until then, as under Buildbot.
    pub(super) fn state(&self, builder: &BuilderName) -> BigState {
        match self.running().any(|build| build.builder == *builder) {
            true => BigState::Building,
            false => self
                .states
                .get(builder)
                .copied()
                .unwrap_or(BigState::Offline),
        }
    }

    /// A build that runs, or whose end is being told.
    pub(super) fn build(&self, id: BuildId) -> Option<&Build> {
        self.running.get(&id)
    }

    /// The builds that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &Build> {
        let builds = self.running.values();
        builds.filter(|build| build.finished_at.is_none())
    }

    /// The newest build that was heard of.
    pub(super) const fn newest(&self) -> BuildId {
        self.newest
    }

    /// Leaves out a build: the client hears nothing about it.
    pub(super) fn pass_over(&mut self, build: BuildId) {
        self.newest = self.newest.max(build);
    }

    /// The end of the build has been told.
    pub(super) fn forget(&mut self, id: BuildId) {
        self.running.remove(&id);
    }

    /// These are the builders now.
    pub(super) fn set_builders(&mut self, builders: BTreeSet<BuilderName>) -> Vec<Notice> {
        let old = std::mem::replace(&mut self.builders, builders);
        let removed = old.difference(&self.builders).cloned();
        let mut notices: Vec<_> = removed.map(Notice::BuilderRemoved).collect();
        let added: Vec<_> = self.builders.difference(&old).cloned().collect();
        for builder in added {
            notices.extend(self.introduce(builder));
        }
        notices
    }

    /// What a client is told first: all builders with their states.
    pub(super) fn announce(&mut self) -> Vec<Notice> {
        let builders = self.builders.clone().into_iter();
        builders
            .flat_map(|builder| self.introduce(builder))
            .collect()
    }

    fn introduce(&mut self, builder: BuilderName) -> [Notice; 2] {
        let state = self.state(&builder);
        self.told.insert(builder.clone(), state);
        [
            Notice::BuilderAdded(builder.clone()),
            Notice::State(builder, state),
        ]
    }

    /// A builder has this state now.
    pub(super) fn set_state(
        &mut self,
        builder: &BuilderName,
        state: BigState,
        notices: &mut Vec<Notice>,
    ) {
        self.states.insert(builder.clone(), state);
        self.tell_state(builder, notices);
    }

    /// Tells the state of a builder if it is another one.
    fn tell_state(&mut self, builder: &BuilderName, notices: &mut Vec<Notice>) {
        let state = self.state(builder);
        if self.builders.contains(builder)
            && self.told.insert(builder.clone(), state) != Some(state)
        {
            notices.push(Notice::State(builder.clone(), state));
        }
    }

    /// Applies news that arrived at `now`.
    pub(super) fn on_news(&mut self, news: &News, now: Timestamp) -> Vec<Notice> {
        let mut notices = Vec::new();
        match news {
            News::Event(Event::Builder(BuilderEvent::State { builder, state })) => {
                self.set_state(builder, *state, &mut notices);
            }
            News::Event(Event::Build(BuildEvent::Started(start))) => {
                if start.build > self.newest {
                    self.newest = start.build;
                    self.running.insert(start.build, Build::begun(start));
                    notices.push(Notice::BuildStarted(start.build));
                }
            }
            News::Event(Event::Build(BuildEvent::Finished {
                build: id,
                result,
                text,
                ..
            })) => {
                if let Some(build) = self.running.get_mut(id)
                    && build.finished_at.is_none()
                {
                    build.finish(*result, text.clone(), now);
                    notices.push(Notice::BuildFinished(*id));
                    let builder = build.builder.clone();
                    self.tell_state(&builder, &mut notices);
                }
            }
            News::Build(op) => notices.extend(self.on_op(op)),
            News::Event(_) => {}
        }
        notices
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "clients hear of the beginnings and ends of steps and logs alone"
    )]
    fn on_op(&mut self, op: &Op) -> Option<Notice> {
        let id = build_of(op)?;
        let build = self.running.get_mut(&id)?;
        if !build.hear(op) {
            return None;
        }
        let log_of = |step: u32, name: &str| {
            let step = usize::try_from(step).ok()?;
            let logs = &build.steps.get(step)?.logs;
            Some((step, logs.iter().position(|log| log.name == name)?))
        };
        match op {
            Op::StepStarted(StepStart { index, .. }) => {
                let step = usize::try_from(*index).ok()?;
                Some(Notice::StepStarted(id, step))
            }
            Op::StepFinished(StepFinish { index, .. }) => {
                let step = usize::try_from(*index).ok()?;
                Some(Notice::StepFinished(id, step))
            }
            Op::LogOpened(LogOpening { step, name, .. }) => {
                let (step, log) = log_of(*step, name)?;
                Some(Notice::LogStarted(id, step, log))
            }
            Op::LogClosed { step, name, .. } => {
                let (step, log) = log_of(*step, name)?;
                Some(Notice::LogFinished(id, step, log))
            }
            _ => None,
        }
    }

    /// Applies the state that a build has on disk, after news were missed.
    pub(super) fn restore(&mut self, build: Build, notices: &mut Vec<Notice>) {
        let id = build.id;
        if !self.running.contains_key(&id) {
            if id <= self.newest {
                return;
            }
            self.newest = id;
            notices.push(Notice::BuildStarted(id));
        }
        let known = self.running.get(&id);
        if known.is_some_and(|known| known.finished_at.is_some()) {
            return;
        }
        let known_steps = known.map_or(&[][..], |known| &known.steps);
        for (at, step) in build.steps.iter().enumerate() {
            let known = known_steps.get(at);
            if known.is_none() {
                notices.push(Notice::StepStarted(id, at));
            }
            let known_logs = known.map_or(&[][..], |known| &known.logs);
            for (log_at, log) in step.logs.iter().enumerate() {
                let known = known_logs.get(log_at);
                if known.is_none() {
                    notices.push(Notice::LogStarted(id, at, log_at));
                }
                if log.complete && known.is_none_or(|known| !known.complete) {
                    notices.push(Notice::LogFinished(id, at, log_at));
                }
            }
            let is_told = known.is_some_and(|known| known.finished_at.is_some());
            if step.finished_at.is_some() && !is_told {
                notices.push(Notice::StepFinished(id, at));
            }
        }
        let is_finished = build.finished_at.is_some();
        if is_finished {
            notices.push(Notice::BuildFinished(id));
        }
        let builder = build.builder.clone();
        // News of steps may be ahead of the disk.
        let is_ahead = known_steps.len() > build.steps.len() && build.finished_at.is_none();
        if !is_ahead {
            self.running.insert(id, build);
        }
        if is_finished {
            self.tell_state(&builder, notices);
        }
    }
}

#[cfg(test)]
mod tests;
