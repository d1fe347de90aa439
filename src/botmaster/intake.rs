//! Changes come in, schedulers act, sets are submitted (sections 1, 3 and 10).

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::buildset::{OpenSets, Origin};
use super::ledger::Effect;
use super::timers::Timer;
use super::{Answer, BotMaster, Event, ReplyId};
use crate::model::{
    BuildSet, BuilderName, Change, NewChange, Op, PatchBody, Properties, RequestId, Results,
    SchedulerName, SourceStamp, TryJob,
};
use crate::schedulers::{Due, Effects, SchedulerIx, Submission};

/// A wall-clock time further away than this is looked at again after this, since people and time
/// servers set clocks (NIG-09).
const CLOCK_CHECK: Duration = Duration::from_secs(60);

/// A set that is to be made, for a scheduler or for somebody else.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The scheduler that wants it, if one does.
    pub(super) scheduler: Option<SchedulerName>,
    /// On which builders.
    pub(super) builders: Vec<BuilderName>,
    /// What to build.
    pub(super) stamp: Arc<SourceStamp>,
    /// Why.
    pub(super) reason: String,
    /// With which properties.
    pub(super) properties: Properties,
    /// The id that a client gave it.
    pub(super) external_id: Option<String>,
    /// How urgent.
    pub(super) priority: i32,
}

impl From<Submission> for Wanted {
    fn from(submission: Submission) -> Self {
        Self {
            scheduler: Some(submission.scheduler),
            builders: submission.builders,
            stamp: submission.stamp,
            reason: submission.reason,
            properties: submission.properties,
            external_id: submission.external_id,
            priority: submission.priority,
        }
    }
}

impl BotMaster {
    /// A change, what the schedulers make of it and the sets that follow are remembered together;
    /// then the sender is told, and not before.
    pub(super) fn on_change_submitted(&mut self, said: NewChange, reply: ReplyId) {
        if !self.phase.takes_changes() {
            self.reply(reply, Err("the master is shutting down".to_owned()));
            return;
        }
        let arrived_at = self.now.wall;
        let number = self.next.change;
        self.next.change = number.next();
        let change = Arc::new(Change {
            number,
            arrived_at,
            when: said.when.unwrap_or(arrived_at),
            said,
        });
        let mut ops = vec![Op::ChangeAdded(Arc::clone(&change))];
        let mut effects = vec![
            Effect::Reply(reply, Ok(Answer::Change(number))),
            Effect::Announce(Event::ChangeAdded(Arc::clone(&change))),
        ];
        let mut wanted = self.schedulers.on_change(&change, self.moment());
        ops.push(Op::ChangeOffered {
            change: number,
            decisions: std::mem::take(&mut wanted.decisions),
        });
        self.take_effects(wanted, &mut ops, &mut effects);
        self.persist_then(ops, effects);
    }

    /// A try job is a set at once; its sender is told when that is remembered (TUP-03, TUP-04).
    pub(super) fn on_try_submitted(
        &mut self,
        scheduler: &SchedulerName,
        job: TryJob,
        user: Option<&str>,
        reply: ReplyId,
    ) {
        if !self.phase.takes_changes() {
            self.reply(reply, Err("the master is shutting down".to_owned()));
            return;
        }
        match self.schedulers.try_submission(scheduler, job, user) {
            Ok(submission) => self.submit_for(submission.into(), reply),
            Err(why) => self.reply(reply, Err(why)),
        }
    }

    /// Submits a set that somebody waits to hear of.
    pub(super) fn submit_for(&mut self, submission: Wanted, reply: ReplyId) {
        if let Some(builder) = self.unknown_builder(&submission.builders) {
            let why = format!("builder {builder} does not exist");
            self.reply(reply, Err(why));
            return;
        }
        let (mut ops, mut effects, mut queued) = (Vec::new(), Vec::new(), Vec::new());
        let (set, follows) = self.make_set(submission, &mut ops, &mut effects, &mut queued);
        effects.push(Effect::Reply(reply, Ok(Answer::Set(set))));
        effects.extend(queued.into_iter().map(Effect::Queue));
        if let Some(follows) = follows {
            self.take_effects(follows, &mut ops, &mut effects);
        }
        self.persist_then(ops, effects);
    }

    pub(super) fn on_scheduler_timer(&mut self, ix: SchedulerIx) {
        if !self.phase.starts_builds() {
            return;
        }
        let wanted = self.schedulers.on_timer(ix, self.moment());
        let (mut ops, mut effects) = (Vec::new(), Vec::new());
        self.take_effects(wanted, &mut ops, &mut effects);
        self.persist_then(ops, effects);
        self.arm_scheduler(ix);
    }

    /// Sets the timers of all schedulers.
    pub(super) fn arm_schedulers(&mut self) {
        for ix in 0..self.schedulers.len() {
            self.arm_scheduler(ix);
        }
    }

    fn arm_scheduler(&mut self, ix: SchedulerIx) {
        let timer = Timer::Scheduler(ix);
        let now = self.moment();
        let wait = match self.schedulers.next_due(ix) {
            Some(Due::Steady(due)) => due.since(now.steady),
            Some(Due::Wall(due)) => due.since(now.wall).min(CLOCK_CHECK),
            None => {
                self.timers.cancel(timer);
                return;
            }
        };
        self.timers.set(timer, self.now.mono + wait);
    }

    /// Carries out what schedulers want: what is to be remembered goes to `ops`, what follows from
    /// it to `effects`.
    pub(super) fn take_effects(
        &mut self,
        wanted: Effects,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) {
        let mut queued = Vec::new();
        let mut wanted = VecDeque::from([wanted]);
        while let Some(wants) = wanted.pop_front() {
            for (scheduler, why) in wants.problems {
                self.announce(Event::SchedulerFailed { scheduler, why });
            }
            for (scheduler, state) in wants.states {
                ops.push(Op::SchedulerState { scheduler, state });
            }
            for submission in wants.submissions {
                let follows = self.submit(submission, ops, effects, &mut queued);
                wanted.extend(follows);
            }
            for ix in wants.touched {
                self.arm_scheduler(ix);
            }
        }
        // All requests are known before the first of them is queued (BST-01).
        effects.extend(queued.into_iter().map(Effect::Queue));
    }

    /// The set of `origin` is over: other schedulers may wait for that (SCB-05).
    pub(super) fn tell_set_finished(
        &mut self,
        origin: &Origin,
        result: Results,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(scheduler) = &origin.scheduler {
            let success = result.is_success_like();
            let stamp = &origin.stamp;
            let now = self.moment();
            let wanted = self
                .schedulers
                .on_set_finished(scheduler, stamp, success, now);
            self.take_effects(wanted, ops, effects);
        }
    }

    /// Makes the set that a scheduler wants. If it is over at once, gives what follows from that.
    fn submit(
        &mut self,
        submission: Submission,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
        queued: &mut Vec<RequestId>,
    ) -> Option<Effects> {
        if let Some(builder) = self.unknown_builder(&submission.builders) {
            // Nothing of the set is made, and the scheduler keeps working (SCB-03).
            let why = format!("builder {builder} does not exist, so that its set is not built");
            let now = self.moment();
            let scheduler = submission.scheduler;
            let over = self
                .schedulers
                .on_set_finished(&scheduler, &submission.stamp, false, now);
            self.announce(Event::SchedulerFailed { scheduler, why });
            return Some(over);
        }
        self.make_set(submission.into(), ops, effects, queued).1
    }

    fn unknown_builder(&self, builders: &[BuilderName]) -> Option<BuilderName> {
        let unknown = |b: &&_| self.configured_builder(b).is_none();
        builders.iter().find(unknown).cloned()
    }

    /// Makes a set of one request a builder (BST-01). If it is over at once, gives what follows from that.
    fn make_set(
        &mut self,
        submission: Wanted,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
        queued: &mut Vec<RequestId>,
    ) -> (Arc<BuildSet>, Option<Effects>) {
        let now = self.now.wall;
        let id = self.next.set;
        self.next.set = id.next();
        let mut requests = Vec::with_capacity(submission.builders.len());
        let mut listed = BTreeSet::new();
        for builder in submission.builders {
            // One request a builder, however often it is listed (SCB-02).
            if listed.insert(builder.clone()) {
                requests.push((self.next.request, builder));
                self.next.request = self.next.request.next();
            }
        }
        let mut stamp = submission.stamp;
        let mut diff = None;
        if stamp.patch.is_some()
            && let Some(patch) = &mut Arc::make_mut(&mut stamp).patch
        {
            diff = Some(std::mem::replace(&mut patch.body, PatchBody::Kept(id)));
        }
        let set = Arc::new(BuildSet {
            id,
            external_id: submission.external_id,
            scheduler: submission.scheduler,
            stamp,
            reason: submission.reason,
            properties: Arc::new(submission.properties),
            submitted_at: now,
            priority: submission.priority,
            requests,
        });
        ops.push(Op::SetSubmitted(Arc::clone(&set)));
        ops.extend(diff.map(|body| Op::PatchKept { set: id, body }));
        effects.push(Effect::Announce(Event::SetSubmitted(Arc::clone(&set))));
        if set.requests.is_empty() {
            // BST-07, SB-14.
            let result = Results::Success;
            ops.push(Op::SetFinished {
                set: id,
                result,
                at: now,
            });
            effects.push(Effect::Announce(Event::SetFinished { set: id, result }));
            let stamp = &set.stamp;
            let moment = self.moment();
            let schedulers = &mut self.schedulers;
            let over = |scheduler| schedulers.on_set_finished(scheduler, stamp, true, moment);
            let follows = set.scheduler.as_ref().map(over);
            return (set, follows);
        }
        self.open.add(&set, &[]);
        for request in OpenSets::requests_of(&set) {
            queued.push(request.id);
            self.open.add_request(request);
        }
        (set, None)
    }
}
