//! The open build sets and their requests, with the place of each request (sections 10 and 11).
//! `Intake` owns them; the queues themselves are in `Dispatch`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::AttemptId;
use crate::model::{BuildRequest, BuildSet, RequestId, Results, SchedulerName, SetId, SourceStamp};

/// A request that has not finished.
#[derive(Debug)]
pub(super) struct OpenRequest {
    pub(super) request: BuildRequest,
    pub(super) place: Place,
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
    /// The source of its builds.
    pub(super) stamp: Arc<SourceStamp>,
}

impl Origin {
    /// The origin of `set`.
    pub(super) fn of(set: &BuildSet) -> Self {
        Self {
            scheduler: set.scheduler.clone(),
            stamp: Arc::clone(&set.stamp),
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

/// All that is open.
#[derive(Debug, Default)]
pub(super) struct OpenSets {
    sets: BTreeMap<SetId, OpenSet>,
    requests: HashMap<RequestId, OpenRequest>,
}

#[derive(Debug)]
struct OpenSet {
    open: usize,
    failed: bool,
    origin: Origin,
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
            },
        );
    }

    /// Takes a request of a set that was added.
    pub(super) fn add_request(&mut self, request: BuildRequest) {
        let place = Place::Unqueued;
        self.requests
            .insert(request.id, OpenRequest { request, place });
    }

    /// The requests of `set`, one for each builder, each with the set's submit time (BRQ-01).
    pub(super) fn requests_of(set: &BuildSet) -> impl Iterator<Item = BuildRequest> {
        let reason: Arc<str> = set.reason.as_str().into();
        set.requests.iter().map(move |(id, builder)| BuildRequest {
            id: *id,
            set: set.id,
            builder: builder.clone(),
            stamp: Arc::clone(&set.stamp),
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

    /// An open request.
    pub(super) fn request_mut(&mut self, id: RequestId) -> Option<&mut OpenRequest> {
        self.requests.get_mut(&id)
    }

    /// A request has ended; with the last one of its set comes the set's origin.
    pub(super) fn finish(
        &mut self,
        id: RequestId,
        result: Results,
    ) -> Option<(SetId, SetProgress, Option<Origin>)> {
        let set = self.requests.remove(&id)?.request.set;
        let open = self.sets.get_mut(&set)?;
        let mut progress = SetProgress::default();
        if !result.is_success_like() && !open.failed {
            open.failed = true;
            progress.first_failure = true;
        }
        open.open = open.open.saturating_sub(1);
        if open.open == 0 {
            progress.finished = Some(set_result(open.failed));
            let origin = self.sets.remove(&set).map(|open| open.origin);
            return Some((set, progress, origin));
        }
        Some((set, progress, None))
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
            stamp: Arc::default(),
            reason: String::new(),
            properties: Arc::default(),
            submitted_at: Timestamp(0),
            priority: 0,
            requests: ids.clone().map(|id| (id, "b".into())).collect(),
        };
        let mut open = OpenSets::default();
        open.add(&set, &[]);
        for request in OpenSets::requests_of(&set) {
            open.add_request(request);
        }
        ids.zip(results)
            .map(|(id, &result)| open.finish(id, result).unwrap().1)
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
