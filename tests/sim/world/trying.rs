//! Try jobs: handed in at random, and what must become of each (TRY-02, TRY-03, TUP-04, TJD-11).

use std::collections::BTreeSet;

use buildmaster::botmaster::{Answer, Ask, BuildPlan, Input, ReplyId};
use buildmaster::config::SchedulerKind;
use buildmaster::model::{BuilderName, SchedulerName, TryJob};
use rand::RngExt;

use super::World;

/// A job that was handed in.
#[derive(Debug)]
pub struct Tried {
    id: String,
    scheduler: SchedulerName,
    /// On which builders it is to run; none are given if it is to be refused.
    builders: Option<BTreeSet<BuilderName>>,
}

impl World {
    pub(super) fn submit_try(&mut self) {
        let schedulers = self.config.schedulers.iter();
        let mut takes = schedulers.filter(|s| takes_jobs(&s.kind));
        let Some(scheduler) = takes.next().cloned() else {
            return;
        };
        let all = &self.config.builders;
        let mut builders: Vec<_> = all.iter().map(|b| b.name.clone()).collect();
        builders.retain(|_| self.rng.random_bool(0.5));
        builders.extend(
            builders
                .first()
                .cloned()
                .filter(|_| self.rng.random_bool(0.2)),
        );
        let named: BTreeSet<_> = builders.iter().cloned().collect();
        let allowed: BTreeSet<_> = scheduler.builders.iter().cloned().collect();
        let expected = match named.is_empty() {
            true => Some(allowed),
            false => Some(named).filter(|named| named.is_subset(&allowed)),
        };
        let reply = self.new_reply();
        let id = format!("job {reply}");
        let tried = Tried {
            id: id.clone(),
            scheduler: scheduler.name.clone(),
            builders: expected,
        };
        self.tried.insert(reply, tried);
        let job = TryJob {
            patch: id.clone().into_bytes(),
            id,
            builders,
            ..TryJob::default()
        };
        self.input(Input::Asked {
            ask: Ask::SubmitTry {
                scheduler: scheduler.name.clone(),
                job: Box::new(job),
                user: None,
            },
            reply,
        });
    }

    /// Somebody who handed a job in hears of it.
    pub(super) fn on_try_answered(&mut self, reply: ReplyId, result: &Result<Answer, String>) {
        let Some(tried) = self.tried.get(&reply) else {
            return;
        };
        let Ok(Answer::Set(set)) = result else {
            assert!(result.is_err(), "a job is answered with its set");
            return;
        };
        let builders: Vec<_> = set.requests.iter().map(|(_, b)| b.clone()).collect();
        let distinct: BTreeSet<_> = builders.iter().cloned().collect();
        assert_eq!(builders.len(), distinct.len(), "one request a builder");
        assert_eq!(Some(distinct), tried.builders, "{}", tried.id);
        assert!(self.disk.sets.contains_key(&set.id), "not durable");
        self.taken.insert(tried.id.clone());
    }

    /// TRY-07: a patch is built alone, and as it was handed in, also after a crash.
    pub(super) fn check_patch(&self, plan: &BuildPlan) {
        let requests = plan.requests.iter();
        let sets: Vec<_> = requests
            .map(|r| &self.disk.sets[&self.disk.requests[r].set])
            .collect();
        let patches = sets
            .iter()
            .filter(|s| s.set.stamps.first().patch.is_some())
            .count();
        assert!(patches == 0 || sets.len() == 1, "merged with a patch");
        assert_eq!(plan.stamps.first().patch, sets[0].set.stamps.first().patch);
        assert!(patches == 0 || self.disk.diffs.contains_key(&sets[0].set.id));
    }

    /// Every job that was taken is one finished set with its patch, and no other is more than one.
    pub(super) fn check_try(&self, scheduler: &SchedulerName) {
        let mut found = BTreeSet::new();
        for set in self.sets_of(scheduler) {
            // It may have been of another kind before.
            let Some(id) = set.set.external_id.as_ref() else {
                continue;
            };
            assert!(found.insert(id), "{id} was made twice");
            assert_eq!(self.disk.diffs[&set.set.id], id.as_bytes());
            assert!(set.finished.is_some());
        }
        for tried in self.tried.values().filter(|t| t.scheduler == *scheduler) {
            let made = found.contains(&tried.id);
            assert!(
                made || !self.taken.contains(&tried.id),
                "{} is lost",
                tried.id
            );
            assert!(!made || tried.builders.is_some(), "{} is refused", tried.id);
        }
    }
}

pub fn takes_jobs(kind: &SchedulerKind) -> bool {
    kind.takes_try_jobs()
}
