//! Changes come in, schedulers act, sets are submitted (sections 1, 3 and 10).

mod offers;
mod triggers;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::asked::TriggerOver;
use super::buildset::{OpenRequest, OpenSets, Origin, Place, RequestEnd, set_result};
use super::failures::Owner;
use super::ids::AttemptId;
use super::ledger::Effect;
use super::out::Out;
use super::telling;
use super::timers::Timer;
use super::{Answer, BuildCommand, IntakeEvent, ReplyId};
use crate::model::journal::NextNumbers;
use crate::model::{
    BuildRequest, BuildSet, BuilderName, ChangeNumber, CommitState, Moment, Op, ParentBuild,
    PatchBody, Properties, Recovered, RequestId, Results, SchedulerName, SearchNumber, SearchOp,
    SetId, SourceStamps, Timestamp, TryJob,
};
use crate::schedulers::{Due, Effects, Registry, SchedulerIx, Submission};

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
    pub(super) stamps: Arc<SourceStamps>,
    /// Why.
    pub(super) reason: String,
    /// With which properties.
    pub(super) properties: Properties,
    /// The id that a client gave it.
    pub(super) external_id: Option<String>,
    /// How urgent.
    pub(super) priority: i32,
    /// The build that triggers it.
    pub(super) parent: Option<ParentBuild>,
    /// The culprit search and its point for which it is.
    pub(super) probe: Option<(SearchNumber, u32)>,
}

impl From<Submission> for Wanted {
    fn from(submission: Submission) -> Self {
        Self {
            scheduler: Some(submission.scheduler),
            builders: submission.builders,
            stamps: submission.stamps,
            reason: submission.reason,
            properties: submission.properties,
            external_id: submission.external_id,
            priority: submission.priority,
            parent: None,
            probe: None,
        }
    }
}

/// The schedulers, and the sets and requests that have not finished.
#[derive(Debug)]
pub(super) struct Intake {
    schedulers: Registry,
    open: OpenSets,
    next_change: ChangeNumber,
    next_set: SetId,
    next_request: RequestId,
}

impl Intake {
    /// Without schedulers, sets and requests; the numbers go on from those of an earlier run.
    pub(super) fn new(next: &NextNumbers) -> Self {
        Self {
            schedulers: Registry::default(),
            open: OpenSets::default(),
            next_change: next.change,
            next_set: next.set,
            next_request: next.request,
        }
    }

    /// A try job is a set at once; its sender is answered when that is stored (TUP-03, TUP-04).
    pub(super) fn submit_try(
        &mut self,
        out: &mut Out,
        scheduler: &SchedulerName,
        job: TryJob,
        user: Option<&str>,
        reply: ReplyId,
    ) {
        match self.schedulers.try_submission(scheduler, job, user) {
            Ok(submission) => self.submit_for(out, submission.into(), reply),
            Err(why) => out.reply(reply, Err(why)),
        }
    }

    /// Submits a set that somebody waits to hear of.
    pub(super) fn submit_for(&mut self, out: &mut Out, submission: Wanted, reply: ReplyId) {
        if let Some(builder) = unknown_builder(out, &submission.builders) {
            let why = format!("builder {builder} does not exist");
            out.reply(reply, Err(why));
            return;
        }
        let (mut ops, mut effects, mut queued) = (Vec::new(), Vec::new(), Vec::new());
        let (set, follows) = self.make_set(out, submission, &mut ops, &mut effects, &mut queued);
        effects.push(Effect::Reply(reply, Ok(Answer::Set(set))));
        effects.extend(queued.into_iter().map(Effect::Queue));
        if let Some(follows) = follows {
            self.take_effects(out, follows, &mut ops, &mut effects);
        }
        out.persist_then(ops, effects);
    }

    pub(super) fn on_timer(&mut self, out: &mut Out, ix: SchedulerIx) {
        let wanted = self.schedulers.on_timer(ix, out.moment());
        let (mut ops, mut effects) = (Vec::new(), Vec::new());
        self.take_effects(out, wanted, &mut ops, &mut effects);
        out.persist_then(ops, effects);
        self.arm_scheduler(out, ix);
    }

    /// Sets the timers of all schedulers.
    pub(super) fn arm_schedulers(&mut self, out: &mut Out) {
        for ix in 0..self.schedulers.len() {
            self.arm_scheduler(out, ix);
        }
    }

    fn arm_scheduler(&mut self, out: &mut Out, ix: SchedulerIx) {
        let timer = Timer::Scheduler(ix);
        let now = out.moment();
        let wait = match self.schedulers.next_due(ix) {
            Some(Due::Steady(due)) => due.since(now.steady),
            Some(Due::Wall(due)) => due.since(now.wall).min(CLOCK_CHECK),
            None => {
                out.timers.cancel(timer);
                return;
            }
        };
        out.timers.set(timer, out.now.mono + wait);
    }

    /// Takes up the schedulers, the sets and the requests of an earlier run (SCH-11). The
    /// requests are to be added and queued.
    pub(super) fn recover(
        &mut self,
        out: &mut Out,
        recovered: &Recovered,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) {
        // Schedulers come first, since sets that end now may have watchers (DEP-07).
        let (schedulers, wanted) = Registry::new(
            &out.layout.config().schedulers,
            &recovered.schedulers,
            &recovered.changes,
            out.moment(),
        );
        self.schedulers = schedulers;
        self.take_effects(out, wanted, ops, effects);
        let requests = recovered.requests.iter();
        let open: BTreeSet<SetId> = requests.map(|request| request.set).collect();
        for known in &recovered.sets {
            let id = known.set.id;
            if open.contains(&id) {
                self.open.add(&known.set, &known.finished);
                continue;
            }
            // Nothing is left that would end it.
            let failed = known.finished.iter().any(|(_, r)| !r.is_success_like());
            let result = set_result(failed);
            let at = out.now.wall;
            ops.push(Op::SetFinished {
                set: id,
                result,
                at,
            });
            effects.push(Effect::Announce(
                IntakeEvent::SetFinished { set: id, result }.into(),
            ));
            ops.extend(telling::set_ended(out.layout.config(), id, at));
            self.tell_set_finished(out, &Origin::of(&known.set), result, ops, effects);
        }
    }

    /// Takes up a request of a set that was recovered. If a build has waited for its set, that
    /// build is over.
    pub(super) fn add_request(&mut self, request: BuildRequest, parent: Option<&ParentBuild>) {
        let id = request.id;
        self.open.add_request(request);
        if let Some(parent) = parent.filter(|parent| parent.waits) {
            let why = format!("cancelled: build {parent} waited for it and has ended");
            self.set_unwanted(id, &why.into());
        }
    }

    /// Takes another configuration of the schedulers.
    pub(super) fn reconfigure(
        &mut self,
        out: &mut Out,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) {
        for ix in 0..self.schedulers.len() {
            out.timers.cancel(Timer::Scheduler(ix));
        }
        let config = Arc::clone(out.layout.config());
        let wanted = self
            .schedulers
            .reconfigure(&config.schedulers, out.moment());
        self.take_effects(out, wanted, ops, effects);
        self.arm_schedulers(out);
    }

    /// An open request.
    pub(super) fn request(&self, id: RequestId) -> Option<&OpenRequest> {
        self.open.request(id)
    }

    /// All open requests, in no order.
    pub(super) fn open_requests(&self) -> impl Iterator<Item = &BuildRequest> {
        self.open.requests()
    }

    /// Those of these requests that are open, in this order.
    pub(super) fn requests(&self, ids: &[RequestId]) -> Vec<&BuildRequest> {
        let open = ids.iter().filter_map(|&id| self.open.request(id));
        open.map(|open| &open.request).collect()
    }

    /// The builder of an open request has another name (PRB-25).
    pub(super) fn rename(&mut self, id: RequestId, builder: &BuilderName) {
        if let Some(open) = self.open.request_mut(id) {
            open.request.builder = builder.clone();
        }
    }

    /// The requests are somewhere else now.
    pub(super) fn set_places(&mut self, ids: &[RequestId], place: Place) {
        for &id in ids {
            if let Some(open) = self.open.request_mut(id) {
                open.place = place;
            }
        }
    }

    /// A build of the requests is being started (BRQ-06).
    pub(super) fn start(&mut self, ids: &[RequestId], attempt: AttemptId) {
        let place = Place::Starting {
            attempt,
            cancelled: false,
        };
        self.set_places(ids, place);
        for &id in ids {
            if let Some(open) = self.open.request_mut(id) {
                open.request.start_count += 1;
            }
        }
    }

    /// Counts a retry; answers whether the request had one of `most` left (BUI-14).
    pub(super) fn retry(&mut self, id: RequestId, most: u32) -> bool {
        let Some(open) = self.open.request_mut(id) else {
            return false;
        };
        if open.request.retries >= most {
            return false;
        }
        open.request.retries += 1;
        true
    }

    /// The future builds of a scheduler (SCB-04).
    pub(super) fn pending_build_times(
        &self,
        scheduler: &SchedulerName,
        now: Moment,
    ) -> Vec<Timestamp> {
        self.schedulers.pending_build_times(scheduler, now)
    }

    /// Carries out what schedulers want: what is to be stored goes to `ops`, what follows from
    /// it to `effects`.
    fn take_effects(
        &mut self,
        out: &mut Out,
        wanted: Effects,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) {
        let mut queued = Vec::new();
        let mut wanted = VecDeque::from([wanted]);
        while let Some(wants) = wanted.pop_front() {
            for (scheduler, why) in wants.problems {
                out.announce(IntakeEvent::SchedulerFailed { scheduler, why });
            }
            for (scheduler, expression, why) in wants.failures {
                out.note_failure(Owner::Scheduler(scheduler), &expression, &why);
            }
            for (scheduler, state) in wants.states {
                ops.push(Op::SchedulerState { scheduler, state });
            }
            for (scheduler, waits) in wants.waits {
                ops.push(Op::SchedulerWaits { scheduler, waits });
            }
            for submission in wants.submissions {
                let follows = self.submit(out, submission, ops, effects, &mut queued);
                wanted.extend(follows);
            }
            for ix in wants.touched {
                self.arm_scheduler(out, ix);
            }
        }
        // All requests are known before the first of them is queued (BST-01).
        effects.extend(queued.into_iter().map(Effect::Queue));
    }

    /// Ends a request for good: on record, in its set, and told when durable (BST-02 to BST-05).
    /// What others build because the set has succeeded is on record with it (DEP-07).
    pub(super) fn finish_request(
        &mut self,
        out: &mut Out,
        end: RequestEnd,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) {
        let at = out.now.wall;
        if end.build.is_none()
            && let Some(open) = self.open.request(end.request)
            && let Some(builder) = out.layout.config().builder(open.request.builder.as_str())
        {
            let (stamps, state) = (std::iter::once(&*open.request.stamps), CommitState::Error);
            let told = telling::commits(out.layout.config(), builder, stamps, (state, None), at);
            ops.extend(told);
        }
        let Some((set, progress, over)) = self.open.finish(&end) else {
            return;
        };
        let RequestEnd {
            request,
            result,
            why,
            ..
        } = end;
        if let Some(why) = why.clone() {
            effects.push(Effect::Announce(
                IntakeEvent::RequestCancelled { request, why }.into(),
            ));
        }
        ops.push(Op::RequestFinished {
            request,
            result,
            why,
            at,
        });
        effects.push(Effect::Announce(
            IntakeEvent::RequestFinished { request, result }.into(),
        ));
        if progress.first_failure {
            effects.push(Effect::Announce(IntakeEvent::FirstFailure { set }.into()));
        }
        if let Some(result) = progress.finished {
            ops.push(Op::SetFinished { set, result, at });
            ops.extend(telling::set_ended(out.layout.config(), set, at));
            effects.push(Effect::Announce(
                IntakeEvent::SetFinished { set, result }.into(),
            ));
            if let Some(over) = over {
                let told = over.waiter;
                effects.extend(told.map(|(build, over)| {
                    let command = BuildCommand::TriggerOver(over);
                    Effect::Tell(build, command)
                }));
                self.tell_set_finished(out, &over.origin, result, ops, effects);
            }
        }
    }

    /// The set of `origin` is over: other schedulers may wait for that (SCB-05).
    fn tell_set_finished(
        &mut self,
        out: &mut Out,
        origin: &Origin,
        result: Results,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(scheduler) = &origin.scheduler {
            let success = result.is_success_like();
            let stamps = &origin.stamps;
            let now = out.moment();
            let wanted = self
                .schedulers
                .on_set_finished(scheduler, stamps, success, now);
            self.take_effects(out, wanted, ops, effects);
        }
    }

    /// Makes the set that a scheduler wants. If it is over at once, gives what follows from that.
    fn submit(
        &mut self,
        out: &mut Out,
        submission: Submission,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
        queued: &mut Vec<RequestId>,
    ) -> Option<Effects> {
        if let Some(builder) = unknown_builder(out, &submission.builders) {
            // Nothing of the set is made, and the scheduler keeps working (SCB-03).
            let why = format!("builder {builder} does not exist, so that its set is not built");
            let now = out.moment();
            let scheduler = submission.scheduler;
            let over = self
                .schedulers
                .on_set_finished(&scheduler, &submission.stamps, false, now);
            out.announce(IntakeEvent::SchedulerFailed { scheduler, why });
            return Some(over);
        }
        self.make_set(out, submission.into(), ops, effects, queued)
            .1
    }

    /// Numbers a request for each builder, however often it is listed (SCB-02).
    fn requests_for(&mut self, builders: Vec<BuilderName>) -> Vec<(RequestId, BuilderName)> {
        let mut requests = Vec::with_capacity(builders.len());
        let mut listed = BTreeSet::new();
        for builder in builders {
            if listed.insert(builder.clone()) {
                requests.push((self.next_request, builder));
                self.next_request = self.next_request.next();
            }
        }
        requests
    }

    /// Makes a set of one request a builder (BST-01). If it is over at once, gives what follows
    /// from that.
    fn make_set(
        &mut self,
        out: &mut Out,
        submission: Wanted,
        ops: &mut Vec<Op>,
        effects: &mut Vec<Effect>,
        queued: &mut Vec<RequestId>,
    ) -> (Arc<BuildSet>, Option<Effects>) {
        let now = out.now.wall;
        let id = self.next_set;
        self.next_set = id.next();
        let requests = self.requests_for(submission.builders);
        let mut stamps = submission.stamps;
        let mut diff = None;
        if stamps.patched().is_some()
            && let Some(patch) = Arc::make_mut(&mut stamps).patch_mut()
        {
            diff = Some(std::mem::replace(&mut patch.body, PatchBody::Kept(id)));
        }
        let set = Arc::new(BuildSet {
            id,
            external_id: submission.external_id,
            scheduler: submission.scheduler,
            stamps,
            reason: submission.reason,
            properties: Arc::new(submission.properties),
            submitted_at: now,
            priority: submission.priority,
            requests,
            parent: submission.parent,
        });
        let waiter = set.parent.as_ref().filter(|parent| parent.waits);

        ops.push(Op::SetSubmitted(Arc::clone(&set)));
        ops.extend(diff.map(|body| Op::PatchKept { set: id, body }));
        match (submission.probe, set.requests.first()) {
            (Some((search, point)), Some(&(request, _))) => {
                ops.push(Op::Search(SearchOp::Asked {
                    search,
                    point,
                    request,
                }));
            }
            _ => ops.extend(telling::queued(out.layout.config(), &set)),
        }
        effects.push(Effect::Announce(
            IntakeEvent::SetSubmitted(Arc::clone(&set)).into(),
        ));
        if set.requests.is_empty() {
            // BST-07, SB-14.
            let result = Results::Success;
            ops.push(Op::SetFinished {
                set: id,
                result,
                at: now,
            });
            effects.push(Effect::Announce(
                IntakeEvent::SetFinished { set: id, result }.into(),
            ));
            effects.extend(waiter.map(|parent| {
                let builds = Vec::new();
                let over = TriggerOver {
                    set: id,
                    result,
                    builds,
                };
                Effect::Tell(parent.build, BuildCommand::TriggerOver(over))
            }));
            let stamps = &set.stamps;
            let moment = out.moment();
            let schedulers = &mut self.schedulers;
            let over = |scheduler| schedulers.on_set_finished(scheduler, stamps, true, moment);
            let follows = set.scheduler.as_ref().map(over);
            return (set, follows);
        }
        self.open.add(&set, &[]);
        if let Some(parent) = waiter {
            self.open.await_set(&set, parent);
        }
        for request in OpenSets::requests_of(&set) {
            queued.push(request.id);
            self.open.add_request(request);
        }
        (set, None)
    }
}

fn unknown_builder(out: &Out, builders: &[BuilderName]) -> Option<BuilderName> {
    let unknown = |b: &&_| out.layout.configured_builder(b).is_none();
    builders.iter().find(unknown).cloned()
}
