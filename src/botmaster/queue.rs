//! The queue of a builder: requests by age, and by what they can be merged with.

use std::collections::{BTreeSet, HashMap};

use crate::model::{BuildRequest, RequestId, SourceStamp, Timestamp};

/// The place of a request in every queue: its submit time, then its number (BRQ-02, BRQ-03). A request
/// that is put back has the same key as before, and so its old place (BLD-10, SB-02).
pub(super) type RequestKey = (Timestamp, RequestId);

/// The place of `request`.
pub(super) fn key_of(request: &BuildRequest) -> RequestKey {
    (request.submitted_at, request.id)
}

/// Requests that wait for one builder.
///
/// SST-05 is an equivalence among stamps without a patch, so requests that can be merged share a
/// bucket, and merging looks at no others.
#[derive(Debug, Default)]
pub(super) struct RequestQueue {
    waiting: BTreeSet<RequestKey>,
    buckets: HashMap<MergeKey, BTreeSet<RequestKey>>,
}

/// What stamps that can be merged have in common. Stamps with a patch have none.
#[derive(Debug, Eq, Hash, PartialEq)]
struct MergeKey {
    branch: Option<String>,
    project: String,
    repository: String,
    codebase: String,
    /// The revision of stamps without changes; those with changes merge whatever theirs is.
    revision: Option<Option<String>>,
}

impl MergeKey {
    fn of(stamp: &SourceStamp) -> Option<Self> {
        if stamp.patch.is_some() {
            return None;
        }
        Some(Self {
            branch: stamp.branch.clone(),
            project: stamp.project.clone(),
            repository: stamp.repository.clone(),
            codebase: stamp.codebase.clone(),
            revision: stamp.changes.is_empty().then(|| stamp.revision.clone()),
        })
    }
}

impl RequestQueue {
    /// Puts `request` at its place; `merging` says whether the builder merges requests at all.
    pub(super) fn insert(&mut self, request: &BuildRequest, merging: bool) {
        self.waiting.insert(key_of(request));
        if merging && let Some(key) = MergeKey::of(&request.stamp) {
            self.buckets.entry(key).or_default().insert(key_of(request));
        }
    }

    /// Takes `request` out.
    pub(super) fn remove(&mut self, request: &BuildRequest) {
        self.waiting.remove(&key_of(request));
        if let Some(key) = MergeKey::of(&request.stamp)
            && let Some(bucket) = self.buckets.get_mut(&key)
        {
            bucket.remove(&key_of(request));
            if bucket.is_empty() {
                self.buckets.remove(&key);
            }
        }
    }

    /// Takes out all requests that may share a build with `request`, which is in the queue, and
    /// `request` itself; in queue order (BLD-03).
    pub(super) fn take_merged(&mut self, request: &BuildRequest) -> Vec<RequestId> {
        let bucket = MergeKey::of(&request.stamp).and_then(|key| self.buckets.remove(&key));
        let Some(bucket) = bucket else {
            self.waiting.remove(&key_of(request));
            return vec![request.id];
        };
        for key in &bucket {
            self.waiting.remove(key);
        }
        bucket.into_iter().map(|(_, id)| id).collect()
    }

    /// Makes the buckets anew for a builder that merges from now on, or does not.
    pub(super) fn set_merging<'a>(
        &mut self,
        merging: bool,
        requests: impl Iterator<Item = &'a BuildRequest>,
    ) {
        self.buckets.clear();
        for request in requests.filter(|_| merging) {
            if let Some(key) = MergeKey::of(&request.stamp) {
                self.buckets.entry(key).or_default().insert(key_of(request));
            }
        }
    }

    /// How many requests go before `request`, which is in the queue, and the oldest of them. It goes when the oldest
    /// goes with which it is merged.
    pub(super) fn ahead_of(&self, request: &BuildRequest) -> (usize, Option<RequestKey>) {
        let first = self.bucket_of(request).and_then(|bucket| bucket.first());
        let key = first.copied().unwrap_or_else(|| key_of(request));
        let ahead = self.waiting.range(..key).count();
        (ahead, self.first().filter(|_| ahead > 0))
    }

    /// The other requests that would share a build with `request`, in queue order.
    pub(super) fn mates_of(&self, request: &BuildRequest) -> impl Iterator<Item = RequestId> {
        let bucket = self.bucket_of(request).into_iter().flatten();
        let own = request.id;
        bucket.map(|&(_, id)| id).filter(move |&id| id != own)
    }

    fn bucket_of(&self, request: &BuildRequest) -> Option<&BTreeSet<RequestKey>> {
        self.buckets.get(&MergeKey::of(&request.stamp)?)
    }

    /// The place of the oldest request.
    pub(super) fn first(&self) -> Option<RequestKey> {
        self.waiting.first().copied()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// All, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = RequestKey> {
        self.waiting.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Change, ChangeNumber, NewChange, Patch, SetId};

    fn request(id: u64, stamp: SourceStamp) -> BuildRequest {
        BuildRequest {
            id: RequestId(id),
            set: SetId(1),
            builder: "b".into(),
            stamp: Arc::new(stamp),
            reason: "".into(),
            properties: Arc::default(),
            submitted_at: Timestamp(0),
            retries: 0,
            start_count: 0,
        }
    }

    fn changes(branch: &str, numbers: &[u64]) -> SourceStamp {
        let of = |&n| {
            Arc::new(Change {
                number: ChangeNumber(n),
                arrived_at: Timestamp(0),
                when: Timestamp(0),
                said: NewChange {
                    branch: Some(branch.to_owned()),
                    ..NewChange::default()
                },
            })
        };
        SourceStamp::from_changes(numbers.iter().map(of).collect())
    }

    fn revision(revision: Option<&str>) -> SourceStamp {
        SourceStamp {
            revision: revision.map(str::to_owned),
            ..SourceStamp::default()
        }
    }

    fn patched() -> SourceStamp {
        SourceStamp {
            patch: Some(Patch {
                level: 1,
                body: b"x".to_vec(),
                subdir: None,
                who: None,
                comment: None,
            }),
            ..revision(Some("r10"))
        }
    }

    fn project(project: &str) -> SourceStamp {
        SourceStamp {
            project: project.to_owned(),
            ..SourceStamp::default()
        }
    }

    fn merge(a: SourceStamp, b: SourceStamp, expect: bool) {
        assert_eq!(a.can_merge_with(&b), expect, "{a:?} {b:?}");
        let (a, b) = (request(1, a), request(2, b));
        let mut queue = RequestQueue::default();
        queue.insert(&a, true);
        queue.insert(&b, true);
        assert_eq!(queue.take_merged(&a).len(), if expect { 2 } else { 1 });
        assert_eq!(queue.len(), usize::from(!expect));
    }

    #[test]
    fn sst_05_decides_what_is_taken_together() {
        let r = |text| revision(Some(text));
        merge(changes("trunk", &[1]), changes("trunk", &[2]), true);
        merge(changes("trunk", &[1]), changes("rel", &[2]), false);
        merge(changes("trunk", &[1]), revision(None), false);
        merge(revision(None), revision(None), true);
        merge(r("r10"), r("r10"), true);
        merge(r("r10"), r("r11"), false);
        merge(r("r10"), revision(None), false);
        merge(patched(), patched(), false);
        merge(project("p"), project("q"), false);
    }

    #[test]
    fn sst_06_merges_changes_without_duplicates_in_order() {
        let stamps = [changes("t", &[3]), changes("t", &[1, 3])].map(Arc::new);
        let merged = SourceStamp::merged(&stamps);
        let numbers: Vec<u64> = merged.changes.iter().map(|c| c.number.0).collect();
        assert_eq!(numbers, [1, 3]);
    }

    #[test]
    fn nothing_is_merged_where_merging_is_off() {
        let (a, b) = (request(1, revision(None)), request(2, revision(None)));
        let mut queue = RequestQueue::default();
        queue.insert(&a, false);
        queue.insert(&b, false);
        assert_eq!(queue.take_merged(&a), [RequestId(1)]);
        assert_eq!(queue.first(), Some(key_of(&b)));
    }

    #[test]
    fn sb_02_requests_put_back_keep_their_places() {
        let requests = [
            request(1, changes("t", &[1])),
            request(2, changes("t", &[2])),
            request(3, changes("other", &[3])),
        ];
        let mut queue = RequestQueue::default();
        for r in &requests {
            queue.insert(r, true);
        }
        assert_eq!(
            queue.take_merged(&requests[0]),
            [RequestId(1), RequestId(2)]
        );
        queue.insert(&requests[0], true);
        queue.insert(&requests[1], true);
        let order: Vec<u64> = queue.iter().map(|(_, id)| id.0).collect();
        assert_eq!(order, [1, 2, 3]);
    }
}
