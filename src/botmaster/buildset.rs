//! The open build sets and their requests, with the place of each request (sections 10 and 11).
//! `Intake` owns them; the queues themselves are in `Dispatch`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::AttemptId;
use super::asked::{TriggerOver, TriggeredBuild};
use crate::model::{
    BuildId, BuildNumber, BuildRequest, BuildSet, ParentBuild, RequestId, Results, SchedulerName,
    SetId, SourceStamps,
};

/// A request that has not finished.
#[derive(Debug)]
pub(super) struct OpenRequest {
    pub(super) request: BuildRequest,
    pub(super) place: Place,
    /// Why nobody wants it any more: it ends instead of being queued again.
    pub(super) unwanted: Option<Arc<str>>,
}

/// The place of a request; each request has exactly one (SLB-01 (e)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Its set is not durable yet.
    Unqueued,
    /// In the queue of its builder.
    Queued,
    /// In a build that is being started. A cancel takes effect if the start fails (BRQ-05).
    Starting {
        /// The build.
        attempt: AttemptId,
        /// Whether the request has been cancelled meanwhile.
        cancelled: bool,
    },
    /// In a build that has a number.
    Building(AttemptId),
}

/// The origin of a set, for schedulers that wait for the set.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The scheduler that submitted the set, if any.
    pub(super) scheduler: Option<SchedulerName>,
    /// The sources of its builds.
    pub(super) stamps: Arc<SourceStamps>,
}

impl Origin {
    /// The origin of `set`.
    pub(super) fn of(set: &BuildSet) -> Self {
        Self {
            scheduler: set.scheduler.clone(),
            stamps: Arc::clone(&set.stamps),
        }
    }
}

/// What the end of a request means for its set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct SetProgress {
    /// It is the first that failed (BST-04).
    pub(super) first_failure: bool,
    /// It was the last one, and this is the set's result (BST-03, BST-05).
    pub(super) finished: Option<Results>,
}

/// A request that ends for good.
#[derive(Debug)]
pub(super) struct RequestEnd {
    pub(super) request: RequestId,
    pub(super) result: Results,
    /// Why, if no build of it says so.
    pub(super) why: Option<String>,
    /// The build with which it ends.
    pub(super) build: Option<BuildNumber>,
}

/// What is to be passed on when a set is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) origin: Origin,
    /// The build that waits for it, and what that is told.
    pub(super) waiter: Option<(BuildId, TriggerOver)>,
}

/// All that is open.
#[derive(Debug, Default)]
pub(super) struct OpenSets {
    sets: BTreeMap<SetId, OpenSet>,
    requests: HashMap<RequestId, OpenRequest>,
    /// What builds wait for.
    waits: BTreeMap<BuildId, Wait>,
}

/// The sets that a build waits for.
#[derive(Debug)]
struct Wait {
    parent: ParentBuild,
    sets: BTreeSet<SetId>,
}

#[derive(Debug)]
struct OpenSet {
    open: usize,
    failed: bool,
    origin: Origin,
    waiter: Option<Waiter>,
}

/// A build that waits for a set.
#[derive(Debug)]
struct Waiter {
    build: BuildId,
    requests: Vec<RequestId>,
    /// What has ended so far.
    ended: Vec<TriggeredBuild>,
}

impl OpenSets {
    /// Takes a set with at least one open request; `finished` are results of those that are not.
    pub(super) fn add(&mut self, set: &BuildSet, finished: &[(RequestId, Results)]) {
        let over = |id: RequestId| finished.iter().any(|&(done, _)| done == id);
        let open = set.requests.iter().filter(|&&(id, _)| !over(id)).count();
        let failed = finished.iter().any(|(_, r)| !r.is_success_like());
        let origin = Origin::of(set);
        self.sets.insert(
            set.id,
            OpenSet {
                open,
                failed,
                origin,
                waiter: None,
            },
        );
    }

    /// A build that runs waits for a set that was added.
    pub(super) fn await_set(&mut self, set: &BuildSet, parent: &ParentBuild) {
        if let Some(open) = self.sets.get_mut(&set.id) {
            let build = parent.build;
            open.waiter = Some(Waiter {
                build,
                requests: set.requests.iter().map(|(id, _)| *id).collect(),
                ended: Vec::new(),
            });
            let wait = self.waits.entry(build).or_insert_with(|| Wait {
                parent: parent.clone(),
                sets: BTreeSet::new(),
            });
            wait.sets.insert(set.id);
        }
    }

    /// A build that waits for sets.
    pub(super) fn waiting(&self, build: BuildId) -> Option<&ParentBuild> {
        self.waits.get(&build).map(|wait| &wait.parent)
    }

    /// A build waits no longer; gives the open requests of the sets that it has waited for.
    pub(super) fn leave(&mut self, build: BuildId) -> Vec<RequestId> {
        let wait = self.waits.remove(&build);
        let sets = wait.into_iter().flat_map(|wait| wait.sets);
        let waiters = sets.filter_map(|set| {
            let open = self.sets.get_mut(&set)?;
            open.waiter.take()
        });
        let requests: Vec<_> = waiters.flat_map(|waiter| waiter.requests).collect();
        let is_open = |id: &RequestId| self.requests.contains_key(id);
        requests.into_iter().filter(is_open).collect()
    }

    /// The builds that wait for requests of which one is in no build that runs.
    pub(super) fn waiting_in_vain(&self) -> Vec<BuildId> {
        let is_built = |id: &RequestId| {
            let open = self.requests.get(id);
            open.is_none_or(|open| matches!(open.place, Place::Building(_)))
        };
        let lacks = |set: &SetId| {
            let waiter = self.sets.get(set).and_then(|open| open.waiter.as_ref());
            waiter.is_some_and(|waiter| !waiter.requests.iter().all(is_built))
        };
        let waits = self.waits.iter();
        let vain = waits.filter(|(_, wait)| wait.sets.iter().any(lacks));
        vain.map(|(&build, _)| build).collect()
    }

    /// How many sets builds wait for.
    #[cfg(test)]
    pub(super) fn awaited(&self) -> usize {
        self.waits.values().map(|wait| wait.sets.len()).sum()
    }

    /// Takes a request of a set that was added.
    pub(super) fn add_request(&mut self, request: BuildRequest) {
        let open = OpenRequest {
            request,
            place: Place::Unqueued,
            unwanted: None,
        };
        self.requests.insert(open.request.id, open);
    }

    /// The requests of `set`, one for each builder, each with the set's submit time (BRQ-01).
    pub(super) fn requests_of(set: &BuildSet) -> impl Iterator<Item = BuildRequest> {
        let reason: Arc<str> = set.reason.as_str().into();
        set.requests.iter().map(move |(id, builder)| BuildRequest {
            id: *id,
            set: set.id,
            builder: builder.clone(),
            stamps: Arc::clone(&set.stamps),
            reason: Arc::clone(&reason),
            properties: Arc::clone(&set.properties),
            submitted_at: set.submitted_at,
            priority: set.priority,
            retries: 0,
            start_count: 0,
        })
    }

    /// An open request.
    pub(super) fn request(&self, id: RequestId) -> Option<&OpenRequest> {
        self.requests.get(&id)
    }

    /// All open requests, in no order.
    pub(super) fn requests(&self) -> impl Iterator<Item = &BuildRequest> {
        self.requests.values().map(|open| &open.request)
    }

    /// An open request.
    pub(super) fn request_mut(&mut self, id: RequestId) -> Option<&mut OpenRequest> {
        self.requests.get_mut(&id)
    }

    /// A request has ended; with the last one of its set comes what is to be passed on.
    pub(super) fn finish(
        &mut self,
        end: &RequestEnd,
    ) -> Option<(SetId, SetProgress, Option<Over>)> {
        let request = self.requests.remove(&end.request)?.request;
        let set = request.set;
        let open = self.sets.get_mut(&set)?;
        let mut progress = SetProgress::default();
        if !end.result.is_success_like() && !open.failed {
            open.failed = true;
            progress.first_failure = true;
        }
        if let Some(waiter) = &mut open.waiter {
            waiter.ended.push(TriggeredBuild {
                builder: request.builder,
                number: end.build,
                result: end.result,
            });
        }
        open.open = open.open.saturating_sub(1);
        if open.open > 0 {
            return Some((set, progress, None));
        }
        let result = set_result(open.failed);
        progress.finished = Some(result);
        let over = self.sets.remove(&set).map(|open| Over {
            waiter: open.waiter.map(|waiter| {
                self.forget_wait(waiter.build, set);
                let builds = waiter.ended;
                (
                    waiter.build,
                    TriggerOver {
                        set,
                        result,
                        builds,
                    },
                )
            }),
            origin: open.origin,
        });
        Some((set, progress, over))
    }

    fn forget_wait(&mut self, build: BuildId, set: SetId) {
        if let Some(wait) = self.waits.get_mut(&build) {
            wait.sets.remove(&set);
            if wait.sets.is_empty() {
                self.waits.remove(&build);
            }
        }
    }
}

/// The result of a set (BST-03, SB-10).
pub(super) const fn set_result(failed: bool) -> Results {
    if failed {
        Results::Failure
    } else {
        Results::Success
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::Timestamp;

    fn outcome(results: &[Results]) -> Vec<SetProgress> {
        let ids = (1..).map(RequestId).take(results.len());
        let set = BuildSet {
            id: SetId(7),
            external_id: None,
            scheduler: None,
            stamps: Arc::default(),
            reason: String::new(),
            properties: Arc::default(),
            submitted_at: Timestamp(0),
            priority: 0,
            requests: ids.clone().map(|id| (id, "b".into())).collect(),
            parent: None,
        };
        let mut open = OpenSets::default();
        open.add(&set, &[]);
        for request in OpenSets::requests_of(&set) {
            open.add_request(request);
        }
        ids.zip(results)
            .map(|(request, &result)| {
                let end = RequestEnd {
                    request,
                    result,
                    why: None,
                    build: None,
                };
                open.finish(&end).unwrap().1
            })
            .collect()
    }

    #[test]
    fn bst_04_and_05_first_failure_once_and_finished_once() {
        use Results::{Failure, Success};
        let progress = |first_failure, finished| SetProgress {
            first_failure,
            finished,
        };
        assert_eq!(
            outcome(&[Failure, Failure, Success]),
            [
                progress(true, None),
                progress(false, None),
                progress(false, Some(Failure)),
            ]
        );
        assert_eq!(
            outcome(&[Success, Success]),
            [progress(false, None), progress(false, Some(Success))]
        );
    }

    #[test]
    fn sb_10_only_success_like_results_make_a_set_succeed() {
        for one in Results::ALL {
            for other in Results::ALL {
                let good = one.is_success_like() && other.is_success_like();
                let last = outcome(&[one, other]).pop().unwrap();
                assert_eq!(last.finished, Some(set_result(!good)), "{one} {other}");
            }
        }
    }
}
