//! The queue of a builder: requests by priority and age, and by what they can be merged with.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::config::{MergeRule, Merging};
use crate::model::{BuildRequest, Properties, RequestId, SourceStamp, SourceStamps};

/// The place of a request in the queue of its builder: its priority, the higher first, then its age
/// (BRQ-02, BRQ-03, BRQ-09). Numbers tell the age: a clock that is set changes no order. A request
/// that is put back has the same key as before, and so its old place (BLD-10, SB-02).
pub(in crate::botmaster) type RequestKey = (Reverse<i32>, RequestId);

/// The place of a request among those of all builders: its own priority, the builder's, its age.
pub(in crate::botmaster) type Turn = (Reverse<i32>, Reverse<i32>, RequestId);

/// The place of `request`.
pub(super) const fn key_of(request: &BuildRequest) -> RequestKey {
    (Reverse(request.priority), request.id)
}

/// The turn of a request of a builder with this priority. Requests of one builder have their turns
/// in the order of their keys.
pub(super) const fn turn_of((own, id): RequestKey, builder: i32) -> Turn {
    (own, Reverse(builder), id)
}

/// Requests that wait for one builder.
///
/// Each rule is an equivalence among stamps without a patch, so requests that can be merged share a
/// bucket, and merging looks at no others.
#[derive(Debug, Default)]
pub(in crate::botmaster) struct RequestQueue {
    merging: Merging,
    /// Each request with the key of its bucket; none if it merges with no other.
    waiting: BTreeMap<RequestKey, Option<Arc<MergeKey>>>,
    buckets: HashMap<Arc<MergeKey>, BTreeSet<RequestKey>>,
    /// Requests of culprit searches, which stand behind all others and have no turns (SRH-11).
    searches: BTreeSet<RequestId>,
}

/// What requests that can be merged have in common.
#[derive(Debug, Eq, Hash, PartialEq)]
struct MergeKey {
    first: StampKey,
    /// Those of the further codebases (CBS-07).
    more: Vec<StampKey>,
    /// Names and values, where they are compared.
    properties: Option<String>,
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
    fn of(request: &BuildRequest, merging: Merging) -> Option<Self> {
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
    pub(super) fn insert(&mut self, request: &BuildRequest) {
        if request.is_of_search() {
            self.searches.insert(request.id);
            return;
        }
        let bucket = self.put_in_bucket(request);
        self.waiting.insert(key_of(request), bucket);
    }

    /// Takes `request` out.
    pub(super) fn remove(&mut self, request: &BuildRequest) {
        self.searches.remove(&request.id);
        let key = key_of(request);
        if let Some(Some(bucket)) = self.waiting.remove(&key)
            && let Some(members) = self.buckets.get_mut(&bucket)
        {
            members.remove(&key);
            if members.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }

    /// Takes out the first request and all that may share a build with it, in queue order (BLD-03).
    pub(super) fn take_first(&mut self) -> Vec<RequestId> {
        let Some((first, bucket)) = self.waiting.pop_first() else {
            return Vec::new();
        };
        let Some(members) = bucket.and_then(|bucket| self.buckets.remove(&bucket)) else {
            return vec![first.1];
        };
        for key in &members {
            self.waiting.remove(key);
        }
        members.into_iter().map(|(_, id)| id).collect()
    }

    /// Takes out the first request of a search.
    pub(super) fn take_search(&mut self) -> Option<RequestId> {
        self.searches.pop_first()
    }

    /// The first request of a search.
    pub(super) fn first_search(&self) -> Option<RequestId> {
        self.searches.first().copied()
    }

    /// Makes the buckets anew for a builder that merges by another rule from now on; `requests` are
    /// all that wait.
    pub(super) fn set_merging<'a>(
        &mut self,
        merging: Merging,
        requests: impl Iterator<Item = &'a BuildRequest>,
    ) {
        self.merging = merging;
        self.buckets.clear();
        for request in requests {
            self.insert(request);
        }
    }

    fn put_in_bucket(&mut self, request: &BuildRequest) -> Option<Arc<MergeKey>> {
        let key = MergeKey::of(request, self.merging)?;
        let key = match self.buckets.get_key_value(&key) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new(key),
        };
        let members = self.buckets.entry(Arc::clone(&key)).or_default();
        members.insert(key_of(request));
        Some(key)
    }

    /// How many requests are ahead of `request`, which is in the queue, and the first of them. A
    /// request that is merged has the place of the first one in its bucket.
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
        let first = self.bucket_of(request).and_then(|bucket| bucket.first());
        let key = first.copied().unwrap_or_else(|| key_of(request));
        let ahead = self.waiting.range(..key).count();
        (ahead, self.first().filter(|_| ahead > 0))
    }

    /// The other requests that would share a build with `request`, in queue order.
    pub(in crate::botmaster) fn mates_of(
        &self,
        request: &BuildRequest,
    ) -> impl Iterator<Item = RequestId> {
        let bucket = self.bucket_of(request).into_iter().flatten();
        let own = request.id;
        bucket.map(|&(_, id)| id).filter(move |&id| id != own)
    }

    fn bucket_of(&self, request: &BuildRequest) -> Option<&BTreeSet<RequestKey>> {
        let bucket = self.waiting.get(&key_of(request))?.as_ref()?;
        self.buckets.get(bucket)
    }

    /// The place of the first request, those of searches aside.
    pub(in crate::botmaster) fn first(&self) -> Option<RequestKey> {
        self.waiting.first_key_value().map(|(&key, _)| key)
    }

    /// The request that was submitted first, those of searches aside, at the cost of a look at each
    /// priority.
    pub(in crate::botmaster) fn oldest(&self) -> Option<RequestId> {
        let (mut priority, mut oldest) = self.first()?;
        loop {
            let below = (
                Bound::Excluded((priority, RequestId(u64::MAX))),
                Bound::Unbounded,
            );
            let Some((&(next, first), _)) = self.waiting.range(below).next() else {
                return Some(oldest);
            };
            priority = next;
            oldest = oldest.min(first);
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
        self.waiting.keys().copied().chain(searches)
    }
}

#[cfg(test)]
mod tests;
