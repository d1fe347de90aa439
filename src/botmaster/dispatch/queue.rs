//! The queue of a builder: requests by priority, order and age, and by what they can be merged
//! with.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::judge::{Failed, Judge, Order};
use super::lanes::{LaneIx, Lanes};
use super::place::{Place, RequestKey};
use crate::config::{MergeRule, Merging};
use crate::model::{BuildRequest, Properties, RequestId, SourceStamp, SourceStamps};

/// Requests that wait for one builder.
///
/// Each rule is an equivalence among stamps without a patch, so requests that can be merged share a
/// bucket, and merging looks at no others.
#[derive(Debug, Default)]
pub(in crate::botmaster) struct RequestQueue {
    merging: Merging,
    /// Maximum number of requests in a build.
    limit: Option<usize>,
    /// The builder's expressions, if it has any.
    judge: Option<Arc<Judge>>,
    /// Each request with the key of its bucket; none if it merges with no other.
    waiting: BTreeMap<Place, Option<Arc<MergeKey>>>,
    buckets: HashMap<Arc<MergeKey>, BTreeSet<Place>>,
    /// Requests of culprit searches, which stand behind all others and have no turns (SRH-11).
    searches: BTreeSet<RequestId>,
    /// What was worked out for each request, if the builder has expressions.
    ranks: BTreeMap<RequestId, Rank>,
    lanes: Lanes,
}

/// What the expressions of the builder have come to for a request, which stays as long as it waits.
#[derive(Debug)]
struct Rank {
    order: Order,
    lane: Option<LaneIx>,
}

/// What requests that can be merged have in common.
#[derive(Debug, Eq, Hash, PartialEq)]
struct MergeKey {
    first: StampKey,
    /// Those of the further codebases (CBS-07).
    more: Vec<StampKey>,
    /// Names and values, where they are compared.
    properties: Option<String>,
    /// The values of the builder's own expressions (CFL-122).
    shared: String,
}

/// What the stamps of one codebase have in common (SST-05).
#[derive(Debug, Eq, Hash, PartialEq)]
struct StampKey {
    branch: Option<String>,
    project: String,
    repository: String,
    codebase: String,
    sources: Sources,
}

/// What is to be built of a branch, as far as it is compared.
#[derive(Debug, Eq, Hash, PartialEq)]
enum Sources {
    /// It is not compared.
    Any,
    /// Some changes; those merge whatever their revisions.
    Changes,
    /// This revision.
    Revision(Option<String>),
}

impl MergeKey {
    /// Requests that merge with no others have none.
    fn of(request: &BuildRequest, merging: Merging, shared: String) -> Option<Self> {
        let stamps: &SourceStamps = &request.stamps;
        if stamps.patched().is_some() {
            return None;
        }
        let sources: fn(&SourceStamp) -> Sources = match merging.rule {
            MergeRule::Never => return None,
            MergeRule::Compatible => Sources::of,
            MergeRule::SameBranch => |_| Sources::Any,
        };
        let key_of = |stamp: &SourceStamp| StampKey {
            branch: stamp.branch.clone(),
            project: stamp.project.clone(),
            repository: stamp.repository.clone(),
            codebase: stamp.codebase.clone(),
            sources: sources(stamp),
        };
        Some(Self {
            first: key_of(stamps.first()),
            more: stamps.more().iter().map(key_of).collect(),
            properties: merging
                .compare_properties
                .then(|| in_words(&request.properties)),
            shared,
        })
    }
}

impl Sources {
    fn of(stamp: &SourceStamp) -> Self {
        if stamp.changes.is_empty() {
            Self::Revision(stamp.revision.clone())
        } else {
            Self::Changes
        }
    }
}

/// Equal for equal names and values; where they come from does not count.
fn in_words(properties: &Properties) -> String {
    let values: BTreeMap<_, _> = properties.iter().map(|(n, p)| (n, &p.value)).collect();
    serde_json::json!(values).to_string()
}

impl RequestQueue {
    /// An empty one.
    pub(super) fn new(merging: Merging) -> Self {
        Self {
            merging,
            ..Self::default()
        }
    }

    /// Puts `request` at its place.
    pub(super) fn insert(&mut self, request: &BuildRequest, failures: &mut Vec<Failed>) {
        let shared = match self.judge.clone() {
            Some(judge) => self.rank(request, &judge, failures),
            None => Some(String::new()),
        };
        if request.is_of_search() {
            self.searches.insert(request.id);
            return;
        }
        let place = self.place_of(request);
        let bucket = shared.and_then(|shared| self.put_in_bucket(request, shared, &place));
        if let Some(lane) = self.lane_of(request.id) {
            self.lanes.insert(lane, place.clone());
        }
        self.waiting.insert(place, bucket);
    }

    /// Works out what the builder's expressions say of `request`; answers what it must have in
    /// common with others to share a build, if it can.
    fn rank(
        &mut self,
        request: &BuildRequest,
        judge: &Judge,
        failures: &mut Vec<Failed>,
    ) -> Option<String> {
        let (order, shared) = judge.place(request, failures);
        let lane = judge.has_classes().then(|| {
            let (class, scope) = judge.class(request);
            self.lanes.enter(&class, scope)
        });
        if judge.has_order() || lane.is_some() {
            self.ranks.insert(request.id, Rank { order, lane });
        }
        shared
    }

    /// Takes `request` out.
    pub(super) fn remove(&mut self, request: &BuildRequest) {
        self.searches.remove(&request.id);
        let place = self.place_of(request);
        self.take(&place);
        self.ranks.remove(&request.id);
    }

    /// Takes out the first request, or the first one of `lane`, and all that may share a build with
    /// it, in queue order (BLD-03): those of lanes that `allowed` has, and not more than fit in a
    /// build.
    pub(super) fn take_first(
        &mut self,
        lane: Option<LaneIx>,
        allowed: impl Fn(LaneIx) -> bool,
    ) -> Vec<RequestId> {
        let Some(first) = self.first_place(lane) else {
            return Vec::new();
        };
        let bucket = self.waiting.get(&first).and_then(Option::as_ref);
        let Some(members) = bucket.and_then(|bucket| self.buckets.get(bucket)) else {
            self.take(&first);
            return vec![first.id];
        };
        let fits = |place: &&Place| self.lane_of(place.id).is_none_or(&allowed);
        let members = members.range(&first..).filter(fits);
        let members = members.take(self.limit.unwrap_or(usize::MAX));
        let members: Vec<Place> = members.cloned().collect();
        for place in &members {
            self.take(place);
        }
        members.into_iter().map(|place| place.id).collect()
    }

    fn first_place(&self, lane: Option<LaneIx>) -> Option<Place> {
        let first = match lane {
            Some(_) => self.lanes.first_hopeful().map(|(place, _)| place),
            None => self.waiting.first_key_value().map(|(place, _)| place),
        };
        first.cloned()
    }

    /// The lanes of the requests that may share a build with the first one of the first hopeful
    /// lane.
    pub(super) fn lanes_of_mates(&self) -> BTreeSet<LaneIx> {
        let first = self.lanes.first_hopeful();
        let bucket = first.and_then(|(place, _)| self.waiting.get(place)?.as_ref());
        let members = bucket.and_then(|bucket| self.buckets.get(bucket));
        let members = members.into_iter().flatten();
        members.filter_map(|place| self.lane_of(place.id)).collect()
    }

    fn take(&mut self, place: &Place) {
        if let Some(Some(bucket)) = self.waiting.remove(place)
            && let Some(members) = self.buckets.get_mut(&bucket)
        {
            members.remove(place);
            if members.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
        if let Some(lane) = self.ranks.remove(&place.id).and_then(|rank| rank.lane) {
            self.lanes.remove(lane, place);
        }
    }

    /// Takes out the first request of a search.
    pub(super) fn take_search(&mut self) -> Option<RequestId> {
        let taken = self.searches.pop_first()?;
        self.ranks.remove(&taken);
        Some(taken)
    }

    /// The first request of a search.
    pub(super) fn first_search(&self) -> Option<RequestId> {
        self.searches.first().copied()
    }

    /// Makes all anew for a builder that has other rules from now on; `requests` are all that wait.
    pub(super) fn set_rules<'a>(
        &mut self,
        merging: Merging,
        limit: Option<u32>,
        judge: Option<Arc<Judge>>,
        requests: impl Iterator<Item = &'a BuildRequest>,
        failures: &mut Vec<Failed>,
    ) {
        *self = Self {
            merging,
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            judge,
            ..Self::default()
        };
        for request in requests {
            self.insert(request, failures);
        }
    }

    /// The builder's expressions, if it has any.
    pub(in crate::botmaster) const fn judge(&self) -> Option<&Arc<Judge>> {
        self.judge.as_ref()
    }

    /// The lane of a request that waits, if the builder has lanes.
    pub(super) fn lane_of(&self, request: RequestId) -> Option<LaneIx> {
        self.ranks.get(&request)?.lane
    }

    /// The lanes; empty if the builder has none.
    pub(super) const fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The lanes.
    pub(super) const fn lanes_mut(&mut self) -> &mut Lanes {
        &mut self.lanes
    }

    /// Whether it depends on the request which slaves may take it.
    pub(super) fn has_lanes(&self) -> bool {
        self.judge.as_ref().is_some_and(|judge| judge.has_classes())
    }

    /// The order of a request that waits, if the builder has one of its own.
    pub(in crate::botmaster) fn order_of(&self, request: RequestId) -> Option<&Order> {
        let ordered = self.judge.as_ref().is_some_and(|judge| judge.has_order());
        let rank = self.ranks.get(&request).filter(|_| ordered)?;
        Some(&rank.order)
    }

    /// The maximum number of requests in a build.
    pub(in crate::botmaster) const fn limit(&self) -> Option<usize> {
        self.limit
    }

    fn place_of(&self, request: &BuildRequest) -> Place {
        let rank = self.ranks.get(&request.id);
        Place {
            priority: Reverse(request.priority),
            order: rank.map(|rank| rank.order.clone()).unwrap_or_default(),
            id: request.id,
        }
    }

    fn put_in_bucket(
        &mut self,
        request: &BuildRequest,
        shared: String,
        place: &Place,
    ) -> Option<Arc<MergeKey>> {
        let key = MergeKey::of(request, self.merging, shared)?;
        let key = match self.buckets.get_key_value(&key) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new(key),
        };
        let members = self.buckets.entry(Arc::clone(&key)).or_default();
        members.insert(place.clone());
        Some(key)
    }

    /// How many requests are ahead of `request`, which is in the queue, and the first of them. A
    /// request that is merged has the place of the first one in its build.
    pub(in crate::botmaster) fn ahead_of(
        &self,
        request: &BuildRequest,
    ) -> (usize, Option<RequestKey>) {
        if request.is_of_search() {
            let before = self.searches.range(..request.id).count();
            return (
                self.waiting.len() + before,
                self.iter().next().filter(|&(_, id)| id != request.id),
            );
        }
        let first = self.build_of(request).first().copied().cloned();
        let place = first.unwrap_or_else(|| self.place_of(request));
        let ahead = self.waiting.range(..place).count();
        (ahead, self.first().filter(|_| ahead > 0))
    }

    /// The other requests that would share a build with `request`, in queue order.
    pub(in crate::botmaster) fn mates_of(
        &self,
        request: &BuildRequest,
    ) -> impl Iterator<Item = RequestId> {
        let own = request.id;
        let build = self.build_of(request).into_iter();
        build.map(|place| place.id).filter(move |&id| id != own)
    }

    /// How many requests could share a build with `request`, but go into builds before because one
    /// takes no more of them.
    pub(in crate::botmaster) fn in_builds_before(&self, request: &BuildRequest) -> usize {
        let Some(limit) = self.limit else { return 0 };
        self.position_in_bucket(request) / limit * limit
    }

    /// The requests of the build that `request` would be in, as far as that is known.
    fn build_of(&self, request: &BuildRequest) -> Vec<&Place> {
        let members = self.bucket_of(request).into_iter().flatten();
        let before = self.in_builds_before(request);
        let limit = self.limit.unwrap_or(usize::MAX);
        members.skip(before).take(limit).collect()
    }

    fn position_in_bucket(&self, request: &BuildRequest) -> usize {
        let place = self.place_of(request);
        let members = self.bucket_of(request);
        members.map_or(0, |members| members.range(..place).count())
    }

    fn bucket_of(&self, request: &BuildRequest) -> Option<&BTreeSet<Place>> {
        let bucket = self.waiting.get(&self.place_of(request))?.as_ref()?;
        self.buckets.get(bucket)
    }

    /// The first request, those of searches aside.
    pub(in crate::botmaster) fn first(&self) -> Option<RequestKey> {
        self.waiting.first_key_value().map(|(place, _)| place.key())
    }

    /// The turn at which to look for a slave, which may be before that of the request which then
    /// starts first. `is_sure` says that a slave was found for the first hopeful lane.
    pub(super) fn first_to_start(&self, is_sure: bool) -> Option<RequestKey> {
        if !self.has_lanes() {
            return self.first();
        }
        if is_sure {
            return self.lanes.first_hopeful().map(|(place, _)| place.key());
        }
        self.lanes.first_hopeful_turn()
    }

    /// The lane of that request, if there are lanes.
    pub(super) fn lane_to_start(&self) -> Option<LaneIx> {
        if self.has_lanes() {
            return self.lanes.first_hopeful().map(|(_, lane)| lane);
        }
        None
    }

    /// The first turn that any request here might ask for.
    pub(super) fn bound(&self) -> Option<RequestKey> {
        if self.has_lanes() {
            return self.lanes.bound();
        }
        self.first()
    }

    /// The request that was submitted first, those of searches aside, at the cost of a look at each
    /// priority.
    pub(in crate::botmaster) fn oldest(&self) -> Option<RequestId> {
        if !self.ranks.is_empty() {
            let ids = self.ranks.keys().copied();
            return ids.into_iter().find(|id| !self.searches.contains(id));
        }
        let Place {
            mut priority,
            id: mut oldest,
            ..
        } = self.waiting.first_key_value()?.0.clone();
        loop {
            let last = Place {
                priority,
                order: Order::default(),
                id: RequestId(u64::MAX),
            };
            let below = (Bound::Excluded(last), Bound::Unbounded);
            let Some((next, _)) = self.waiting.range(below).next() else {
                return Some(oldest);
            };
            priority = next.priority;
            oldest = oldest.min(next.id);
        }
    }

    /// How many wait.
    pub(in crate::botmaster) fn len(&self) -> usize {
        self.waiting.len() + self.searches.len()
    }

    /// How many wait that are of no search.
    pub(in crate::botmaster) fn turns(&self) -> usize {
        self.waiting.len()
    }

    /// All of them, in the order of their places.
    pub(in crate::botmaster) fn iter(&self) -> impl Iterator<Item = RequestKey> {
        let searches = self.searches.iter();
        let searches = searches.map(|&id| (Reverse(i32::MIN), id));
        self.waiting.keys().map(Place::key).chain(searches)
    }
}

#[cfg(test)]
mod tests;
