//! The state in memory: applies ops as the store does, refuses what must never be written, and
//! recovers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use buildmaster::model::journal::{
    BuildStart, NextNumbers, OpenBuild, RecoveredSet, RecoveredSlave, StateId,
};
use buildmaster::model::{
    BuildId, BuildNumber, BuildRequest, BuildSet, BuilderName, Change, ChangeNumber, Decision,
    Expectations, InstanceRecord, Op, PatchBody, Pause, Recovered, RequestId, Results,
    SchedulerName, SearchNumber, SearchOp, SetId, SlaveName,
};
use bytes::Bytes;
use serde_json::Value;

use crate::world::Search;

/// Everything that is on disk.
#[derive(Debug, Default)]
pub struct Journal {
    pub changes: BTreeMap<ChangeNumber, Arc<Change>>,
    pub paused_builders: BTreeMap<BuilderName, Pause>,
    pub sets: BTreeMap<SetId, Set>,
    pub requests: BTreeMap<RequestId, Request>,
    pub builds: BTreeMap<BuildId, Build>,
    /// What the schedulers made of each change.
    pub decisions: BTreeMap<ChangeNumber, Vec<(SchedulerName, Decision)>>,
    /// The diff of each set that has a patch.
    pub diffs: BTreeMap<SetId, Bytes>,
    /// Instances of latent slaves that may be there.
    pub instances: BTreeMap<SlaveName, InstanceRecord>,
    /// The culprit searches.
    pub searches: BTreeMap<SearchNumber, Search>,
    /// What they have asked for: the search, and the point.
    pub asks: BTreeMap<RequestId, (SearchNumber, usize)>,
    schedulers: BTreeMap<SchedulerName, Value>,
    /// Slaves that are paused.
    pub paused: BTreeMap<SlaveName, Pause>,
    /// All reasons for which slaves were ever paused.
    pub pauses: BTreeSet<String>,
    /// How often a slave was unpaused.
    pub unpauses: u32,
    epoch: u64,
    /// What is expected of the steps of each builder.
    expectations: BTreeMap<BuilderName, Expectations>,
}

#[derive(Debug)]
pub struct Set {
    pub set: Arc<BuildSet>,
    pub finished: Option<Results>,
}

#[derive(Debug)]
pub struct Request {
    pub set: SetId,
    pub builder: BuilderName,
    pub retries: u32,
    /// How often a build of it was to start.
    pub start_count: u32,
    pub finished: Option<Results>,
    /// The build it is in.
    pub build: Option<BuildId>,
}

#[derive(Debug)]
pub struct Build {
    pub start: Arc<BuildStart>,
    pub finished: Option<Results>,
    /// Why somebody has stopped it.
    pub stopped: Option<String>,
}

impl Journal {
    /// Writes one transaction.
    pub fn apply(&mut self, ops: Vec<Op>) {
        for op in ops {
            self.apply_one(op);
        }
    }

    fn apply_one(&mut self, op: Op) {
        match op {
            Op::ChangeAdded(change) => {
                let last = self.changes.keys().next_back();
                assert!(last.is_none_or(|&l| l < change.number), "change reused");
                self.changes.insert(change.number, change);
            }
            Op::ChangeOffered { change, decisions } => {
                assert!(self.changes.contains_key(&change), "offered, not added");
                let old = self.decisions.insert(change, decisions);
                assert_eq!(old, None, "change {change} was offered twice");
            }
            Op::SetSubmitted(set) => self.add_set(set),
            Op::PatchKept { set, body } => self.keep_diff(set, body),
            Op::SetFinished { set, result, .. } => self.finish_set(set, result),
            Op::RequestFinished {
                request, result, ..
            } => self.finish_request(request, result),
            Op::BuildStarted(start) => self.start_build(start),
            Op::BuildFinished(end) => self.finish_build(end.build, end.result),
            Op::BuildStopped { build, reason } => self.stop_build(build, reason),
            Op::StartFailed { requests } => {
                for request in requests {
                    self.requests.get_mut(&request).unwrap().start_count += 1;
                }
            }
            Op::RequestRetries { request, retries } => self.requeue(request, retries),
            Op::SchedulerState { scheduler, state } => {
                match state {
                    Some(state) => self.schedulers.insert(scheduler, state),
                    None => self.schedulers.remove(&scheduler),
                };
            }
            Op::SchedulerWaits { scheduler, waits } => {
                waits.add_to(self.schedulers.get_mut(&scheduler).unwrap());
            }
            Op::Search(SearchOp::Asked {
                search,
                point,
                request,
            }) => {
                assert!(self.requests.contains_key(&request), "asked for nothing");
                let point = usize::try_from(point).unwrap();
                let old = self.asks.insert(request, (search, point));
                assert_eq!(old, None, "request {request} is asked for twice");
            }
            Op::SlavePaused { slave, pause } => self.pause(slave, pause),
            Op::SlaveInstance { slave, instance } => match instance {
                Some(instance) => drop(self.instances.insert(slave, instance)),
                None => drop(self.instances.remove(&slave)),
            },
            Op::BuilderPaused { builder, pause } => {
                match pause {
                    Some(pause) => self.paused_builders.insert(builder, pause),
                    None => self.paused_builders.remove(&builder),
                };
            }
            Op::SlaveState { .. }
            | Op::SlaveMissed { .. }
            | Op::BuilderState { .. }
            | Op::OfferTaken(_)
            | Op::Redelivered { .. }
            | Op::SourceTried(_)
            | Op::Configured { .. }
            | Op::StepsConfigured { .. } => {}
            Op::EpochBegun { epoch } => {
                assert!(epoch > self.epoch, "epoch {epoch} after {}", self.epoch);
                self.epoch = epoch;
            }
            Op::StepsExpected { builder, expected } => {
                self.expectations.insert(builder, expected);
            }
            op => panic!("the core writes no such op: {op:?}"),
        }
    }

    fn finish_request(&mut self, request: RequestId, result: Results) {
        let known = self.requests.get_mut(&request).expect("known request");
        assert_eq!(known.finished, None, "request {request} finished twice");
        let build = known.build.and_then(|b| self.builds.get(&b));
        assert!(
            build.is_none_or(|b| b.finished.is_some()),
            "request {request} finished inside a running build"
        );
        assert_ne!(result, Results::Retry);
        known.finished = Some(result);
    }

    fn requeue(&mut self, request: RequestId, retries: u32) {
        let known = self.requests.get_mut(&request).unwrap();
        let finished = known.finished;
        assert_eq!(finished, None, "request {request} is retried after its end");
        known.retries = retries;
        known.build = None;
    }

    fn finish_build(&mut self, build: BuildId, result: Results) {
        let known = self.builds.get_mut(&build).expect("known build");
        assert_eq!(known.finished, None, "build {build} ended twice");
        let again = result == Results::Retry && known.stopped.is_some();
        assert!(!again, "build {build} was stopped and is to be built again");
        known.finished = Some(result);
    }

    fn stop_build(&mut self, build: BuildId, reason: String) {
        let known = self.builds.get_mut(&build).expect("known build");
        let finished = known.finished;
        assert_eq!(finished, None, "build {build} is stopped after its end");
        known.stopped.get_or_insert(reason);
    }

    fn pause(&mut self, slave: SlaveName, pause: Option<Pause>) {
        if let Some(pause) = pause {
            self.pauses.insert(pause.reason.clone());
            self.paused.insert(slave, pause);
        } else {
            self.unpauses += 1;
            self.paused.remove(&slave);
        }
    }

    fn add_set(&mut self, set: Arc<BuildSet>) {
        let last = self.sets.keys().next_back();
        assert!(last.is_none_or(|&l| l < set.id), "set number reused");
        for (id, builder) in &set.requests {
            let last = self.requests.keys().next_back();
            assert!(last.is_none_or(|l| l < id), "request number reused");
            let request = Request {
                set: set.id,
                builder: builder.clone(),
                retries: 0,
                start_count: 0,
                finished: None,
                build: None,
            };
            self.requests.insert(*id, request);
        }
        let finished = None;
        self.sets.insert(set.id, Set { set, finished });
    }

    fn keep_diff(&mut self, id: SetId, body: PatchBody) {
        let patch = self.sets[&id].set.stamps.first().patch.as_ref();
        assert_eq!(patch.unwrap().body, PatchBody::Kept(id));
        let diff = match body {
            PatchBody::Given(diff) => diff,
            PatchBody::Kept(other) => self.diffs[&other].clone(),
        };
        let old = self.diffs.insert(id, diff);
        assert_eq!(old, None, "set {id} has two patches");
    }

    fn finish_set(&mut self, id: SetId, result: Results) {
        let it = self.sets.get_mut(&id).expect("known set");
        assert_eq!(it.finished, None, "set {id} finished twice");
        let mut good = true;
        for (request, _) in &it.set.requests {
            let result = self.requests[request].finished;
            good &= result.expect("finished").is_success_like();
        }
        assert_eq!(result == Results::Success, good, "wrong result of set {id}");
        it.finished = Some(result);
    }

    fn start_build(&mut self, start: Arc<BuildStart>) {
        let last = self.builds.keys().next_back();
        assert!(last.is_none_or(|&l| l < start.build), "build id reused");
        let next_in_dir = self.next_number(|b| b.builddir == start.builddir);
        assert_eq!(
            start.number,
            self.next_number(|b| b.builder == start.builder)
                .max(next_in_dir),
            "build numbers of {} in {} have a gap or are reused",
            start.builder,
            start.builddir
        );
        for request in &start.requests {
            let it = self.requests.get_mut(request).expect("known request");
            assert_eq!(
                it.finished, None,
                "request {request} is built after its end"
            );
            assert_eq!(it.build, None, "request {request} is in two builds");
            assert_eq!(it.builder, start.builder);
            it.start_count += 1;
            it.build = Some(start.build);
        }
        let build = Build {
            start,
            finished: None,
            stopped: None,
        };
        self.builds.insert(build.start.build, build);
    }

    fn next_number(&self, which: impl Fn(&BuildStart) -> bool) -> BuildNumber {
        let its = self.builds.values().filter(|b| which(&b.start));
        its.map(|b| b.start.number.next()).max().unwrap_or_default()
    }

    /// What a master finds that starts now.
    pub fn recover(&self) -> Recovered {
        let open = self.sets.values().filter(|s| s.finished.is_none());
        let sets = open.map(|s| self.recovered_set(s)).collect();
        let open = self.requests.iter().filter(|(_, r)| r.finished.is_none());
        let mut requests: Vec<_> = open.map(|(&id, r)| self.recovered_request(id, r)).collect();
        requests.sort_by_key(|r| (r.submitted_at, r.id));
        let starts = || self.builds.values().map(|b| &b.start);
        let builders: BTreeSet<_> = starts().map(|s| &s.builder).collect();
        let dirs: BTreeSet<_> = starts().map(|s| &s.builddir).collect();
        Recovered {
            next: NextNumbers {
                change: next(self.changes.keys().map(|n| n.0)).map(ChangeNumber),
                set: next(self.sets.keys().map(|n| n.0)).map(SetId),
                request: next(self.requests.keys().map(|n| n.0)).map(RequestId),
                build: next(self.builds.keys().map(|n| n.0)).map(BuildId),
                build_of: builders
                    .into_iter()
                    .map(|b| (b.clone(), self.next_number(|s| s.builder == *b)))
                    .collect(),
                build_in: dirs
                    .into_iter()
                    .map(|d| (d.clone(), self.next_number(|s| s.builddir == *d)))
                    .collect(),
            },
            slaves: self.recovered_slaves(),
            used_last: starts()
                .map(|start| (start.builder.clone(), start.slave.clone()))
                .collect(),
            fingerprints: Vec::new(),
            sets,
            requests,
            schedulers: self.schedulers.clone(),
            changes: self.changes.clone(),
            expectations: self.expectations.clone(),
            known_logins: Vec::new(),
            open_builds: self.open_builds(),
            paused_builders: self.paused_builders.clone(),
            online: Vec::new(),
            state: StateId {
                identity: String::new(),
                epoch: self.epoch,
            },
        }
    }

    fn open_builds(&self) -> Vec<OpenBuild> {
        let open = self.builds.values().filter(|b| b.finished.is_none());
        open.map(|build| {
            let claimed = |id: &&RequestId| {
                let request = &self.requests[id];
                request.finished.is_none() && request.build == Some(build.start.build)
            };
            OpenBuild {
                build: build.start.build,
                builder: build.start.builder.clone(),
                number: build.start.number,
                requests: build
                    .start
                    .requests
                    .iter()
                    .filter(claimed)
                    .copied()
                    .collect(),
                stop_reason: build.stopped.clone(),
                properties: build.start.properties.clone(),
                last_at: build.start.at,
                steps: Vec::new(),
                logs: Vec::new(),
            }
        })
        .collect()
    }

    fn recovered_slaves(&self) -> BTreeMap<SlaveName, RecoveredSlave> {
        let mut slaves: BTreeMap<SlaveName, RecoveredSlave> = BTreeMap::new();
        for (slave, instance) in &self.instances {
            let known = slaves.entry(slave.clone()).or_default();
            known.instance = Some(instance.clone());
        }
        for (slave, pause) in &self.paused {
            slaves.entry(slave.clone()).or_default().paused = Some(pause.clone());
        }
        slaves
    }

    fn recovered_set(&self, set: &Set) -> RecoveredSet {
        let requests = set.set.requests.iter();
        RecoveredSet {
            set: Arc::clone(&set.set),
            finished: requests
                .filter_map(|(id, _)| Some((*id, self.requests[id].finished?)))
                .collect(),
        }
    }

    fn recovered_request(&self, id: RequestId, request: &Request) -> BuildRequest {
        let set = &self.sets[&request.set].set;
        BuildRequest {
            id,
            set: set.id,
            builder: request.builder.clone(),
            stamps: Arc::clone(&set.stamps),
            reason: set.reason.as_str().into(),
            properties: Arc::clone(&set.properties),
            submitted_at: set.submitted_at,
            priority: set.priority,
            retries: request.retries,
            start_count: request.start_count,
        }
    }
}

/// The number after the greatest.
struct Next(u64);

impl Next {
    fn map<T>(self, make: impl FnOnce(u64) -> T) -> T {
        make(self.0)
    }
}

fn next(numbers: impl Iterator<Item = u64>) -> Next {
    Next(numbers.max().unwrap_or(0) + 1)
}
