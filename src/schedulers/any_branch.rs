//! `AnyBranch`: a [`Scheduler`] for each branch that has changes (section 5).
//!
//! Invariant: each sub-scheduler stands in the agenda once if it has a timer or is idle. One that has been idle
//! for a day (no timer, no changes, no unfinished set) goes away, and nothing is lost with it (ANY-06).
//! Each is remembered under a name of its own, so that a change writes what its branch waits with, not what
//! all do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::remembering;
use super::scheduler::{Scheduler, Stored};
use super::waiting;
use super::{Outcome, Part};
use crate::config::TreeStable;
use crate::model::{Change, ChangeNumber, Decision, SourceStamp, Timestamp};

/// How long an idle sub-scheduler stays (ANY-06).
pub(super) const GRACE: Duration = Duration::from_secs(24 * 3600);

/// The state of one `AnyBranch`.
#[derive(Debug, Default)]
pub(super) struct AnyBranch {
    subs: BTreeMap<Arc<Key>, Sub>,
    /// When each wants attention.
    agenda: BTreeSet<(Timestamp, Arc<Key>)>,
}

/// What a sub-scheduler is for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    branch: Option<String>,
    /// Project, repository and codebase, if they count (ANY-07).
    place: Option<[String; 3]>,
}

#[derive(Debug, Default)]
struct Sub {
    scheduler: Scheduler,
    /// Its sets that have not finished.
    open_sets: usize,
    /// Where it stands in the agenda.
    listed: Option<Timestamp>,
}

/// The settings it works by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings<'a> {
    pub(super) branches: Option<&'a [Option<String>]>,
    pub(super) separate_repositories: bool,
    pub(super) tree_stable: &'a TreeStable,
}

impl Settings<'_> {
    fn wants(&self, change: &Change) -> bool {
        self.check(change).is_ok()
    }

    fn check(&self, change: &Change) -> Result<(), Decision> {
        let listed = |branches: &[Option<String>]| branches.contains(&change.branch);
        if !self.branches.is_none_or(listed) {
            return Err(Decision::BranchNotListed);
        }
        waiting::check_filter(&self.tree_stable.rules, change)
    }

    fn key_of(&self, change: &Change) -> Key {
        self.key(
            &change.branch,
            [&change.project, &change.repository, &change.codebase],
        )
    }

    fn key(&self, branch: &Option<String>, place: [&String; 3]) -> Key {
        Key {
            branch: branch.clone(),
            place: self.separate_repositories.then(|| place.map(String::clone)),
        }
    }
}

/// The name of the sub-scheduler for a branch (ANY-03).
pub(super) fn sub_name(name: &str, branch: Option<&str>) -> String {
    let branch = branch.filter(|b| !b.is_empty()).unwrap_or("<default>");
    format!("{name}.{branch}")
}

impl AnyBranch {
    /// Takes over what was stored of the parts, as far as it is still wanted (SCB-10). Changes find the
    /// sub-scheduler that is theirs by the present settings.
    pub(super) fn restore<'v>(
        &mut self,
        settings: Settings<'_>,
        parts: impl Iterator<Item = &'v Value>,
        known: &BTreeMap<ChangeNumber, Arc<Change>>,
        now: Timestamp,
    ) -> Result<(), String> {
        let mut stored = BTreeMap::new();
        let mut problems = Vec::new();
        for part in parts {
            match remembering::read::<Stored>(part) {
                Ok(part) => {
                    let changes = part.changes.iter();
                    stored.extend(changes.map(|(n, important)| (n, (important, part.next))));
                }
                Err(why) => problems.push(why),
            }
        }
        let mut missing = Vec::new();
        for (number, (important, next)) in stored {
            match known.get(&number) {
                Some(change) if settings.wants(change) => {
                    let key = Arc::new(settings.key_of(change));
                    let sub = self.subs.entry(Arc::clone(&key)).or_default();
                    sub.scheduler.take_over(change, important, next, now);
                }
                Some(_) => {}
                None => missing.push(number),
            }
        }
        let keys: Vec<_> = self.subs.keys().map(Arc::clone).collect();
        for key in keys {
            self.list(&key, now);
        }
        if !missing.is_empty() {
            problems.push(waiting::gone(&missing));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(problems.join("; "))
    }

    /// Hands a change to the sub-scheduler of its branch, which is made if need be (ANY-01).
    pub(super) fn on_change(
        &mut self,
        settings: Settings<'_>,
        change: &Arc<Change>,
        now: Timestamp,
    ) -> (Outcome, Decision) {
        let mut outcome = Outcome::default();
        if let Err(why) = settings.check(change) {
            return (outcome, why);
        }
        let key = Arc::new(settings.key_of(change));
        let sub = self.subs.entry(Arc::clone(&key)).or_default();
        let decision = sub.scheduler.on_change(settings.tree_stable, change, now);
        if decision.keeps() {
            outcome.remember(key.part(), sub.scheduler.state());
        }
        if decision == Decision::BuiltAtOnce {
            sub.open_sets += 1;
            outcome.stamps.push(waiting::stamp_of(change));
        }
        outcome.rearm = true;
        self.list(&key, now);
        (outcome, decision)
    }

    /// Lets those act that are due by `now`.
    pub(super) fn on_timer(&mut self, now: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some((at, key)) = self.agenda.first().filter(|(at, _)| *at <= now).cloned() {
            self.agenda.remove(&(at, Arc::clone(&key)));
            let Some(sub) = self.subs.get_mut(&key) else {
                continue;
            };
            sub.listed = None;
            if sub.is_idle() {
                self.subs.remove(&key);
                continue;
            }
            if let Some(stamps) = sub.scheduler.on_timer(now) {
                sub.open_sets += stamps.len();
                outcome.stamps.extend(stamps);
                outcome.remember(key.part(), sub.scheduler.state());
            }
            self.list(&key, now);
        }
        outcome.rearm = true;
        outcome
    }

    /// One of its sets has finished or could not be made.
    pub(super) fn on_set_finished(
        &mut self,
        settings: Settings<'_>,
        stamp: &SourceStamp,
        now: Timestamp,
    ) {
        let place = [&stamp.project, &stamp.repository, &stamp.codebase];
        let key = Arc::new(settings.key(&stamp.branch, place));
        if let Some(sub) = self.subs.get_mut(&key) {
            sub.open_sets = sub.open_sets.saturating_sub(1);
            self.list(&key, now);
        }
    }

    /// When [`AnyBranch::on_timer`] is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// One time for each branch that waits, earliest first.
    pub(super) fn pending_build_times(&self) -> Vec<Timestamp> {
        let subs = self.subs.values();
        let times = subs.filter_map(|sub| sub.scheduler.pending_build_time());
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        times
    }

    /// The branches that have a sub-scheduler.
    pub(super) fn branches(&self) -> impl Iterator<Item = Option<&str>> {
        self.subs.keys().map(|key| key.branch.as_deref())
    }

    /// The changes that wait.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Arc<Change>> {
        self.subs.values().flat_map(|sub| sub.scheduler.changes())
    }

    /// What must be remembered of the parts.
    pub(super) fn states(&self) -> impl Iterator<Item = (Part, Value)> {
        let subs = self.subs.iter();
        subs.filter_map(|(key, sub)| Some((key.part(), sub.scheduler.state()?)))
    }

    /// Puts a sub-scheduler into the agenda where it belongs.
    fn list(&mut self, key: &Arc<Key>, now: Timestamp) {
        let Some(sub) = self.subs.get_mut(key) else {
            return;
        };
        let at = match sub.scheduler.next_due() {
            None if sub.is_idle() => Some(now + GRACE),
            due => due,
        };
        let old = std::mem::replace(&mut sub.listed, at);
        if old != at {
            if let Some(old) = old {
                self.agenda.remove(&(old, Arc::clone(key)));
            }
            if let Some(at) = at {
                self.agenda.insert((at, Arc::clone(key)));
            }
        }
    }
}

impl Sub {
    const fn is_idle(&self) -> bool {
        self.scheduler.is_empty() && self.open_sets == 0
    }
}

impl Key {
    /// The name under which it is remembered.
    fn part(&self) -> Part {
        let name = serde_json::json!([self.branch, self.place]);
        Part::named(&name.to_string())
    }
}
