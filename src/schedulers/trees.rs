//! `Scheduler` and `AnyBranch`: a [`Scheduler`] for each tree that has changes (sections 4 and 5, CBS-02).
//!
//! Invariant: each sub-scheduler stands in the agenda once if it has a timer or is idle. One that has been idle
//! for a day (no timer, no changes, no unfinished set) goes away, and nothing is lost with it (ANY-06).
//! Each is remembered under a name of its own, so that a change writes what its tree waits with, not what
//! all do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::live::WaitingTree;
use super::remembering;
use super::scheduler::{Scheduler, Stored};
use super::waiting::{self, Arrival, Tree};
use super::{Outcome, Part};
use crate::config::TreeStable;
use crate::model::{Change, ChangeNumber, Decision, Moment, SourceStamp, Timestamp};

/// How long an idle sub-scheduler stays (ANY-06).
pub(super) const GRACE: Duration = Duration::from_secs(24 * 3600);

/// The state of one `Scheduler` or `AnyBranch`.
#[derive(Debug, Default)]
pub(super) struct Trees {
    subs: BTreeMap<Arc<Tree>, Sub>,
    /// When each wants attention.
    agenda: BTreeSet<(Timestamp, Arc<Tree>)>,
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
    pub(super) branches: Branches<'a>,
    pub(super) tree_stable: &'a TreeStable,
}

/// The branches whose changes are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Branches<'a> {
    /// Of a `Scheduler`: this one, unless the filter speaks of branches.
    One(Option<&'a str>),
    /// Of an `AnyBranch`: these, or all.
    Listed(Option<&'a [Option<String>]>),
}

impl Settings<'_> {
    fn wants(&self, change: &Change) -> bool {
        self.check(change).is_ok()
    }

    fn check(&self, change: &Change) -> Result<(), Decision> {
        let rules = &self.tree_stable.rules;
        match self.branches {
            Branches::One(branch) => waiting::check(branch, rules, change),
            Branches::Listed(Some(listed)) if !listed.contains(&change.branch) => {
                Err(Decision::BranchNotListed)
            }
            Branches::Listed(_) => waiting::check_filter(rules, change),
        }
    }

    fn tree_of(&self, change: &Change) -> Tree {
        let place = [&change.project, &change.repository, &change.codebase];
        self.tree(change.branch.as_ref(), place)
    }

    /// The tree in which this waits. All that a `Scheduler` mixes waits together, whatever the branch.
    fn tree(&self, branch: Option<&String>, place: [&String; 3]) -> Tree {
        match (self.branches, self.tree_stable.rules.separate) {
            (Branches::One(_), false) => Tree::default(),
            (_, separate) => Tree::at(branch, place, separate),
        }
    }
}

/// The name of the sub-scheduler for a branch (ANY-03).
pub(super) fn sub_name(name: &str, branch: Option<&str>) -> String {
    let branch = branch.filter(|b| !b.is_empty()).unwrap_or("<default>");
    format!("{name}.{branch}")
}

impl Trees {
    /// Takes over what was stored of the parts, as far as it is still wanted (SCB-10). Changes find the
    /// sub-scheduler that is theirs by the present settings.
    pub(super) fn restore(
        &mut self,
        settings: Settings<'_>,
        parts: &BTreeMap<Part, Value>,
        known: &BTreeMap<ChangeNumber, Arrival>,
        now: Moment,
    ) -> Result<(), String> {
        let mut stored = BTreeMap::new();
        let mut problems = Vec::new();
        for (part, state) in parts {
            match remembering::read::<Stored>(state) {
                Ok(state) => {
                    stored.extend(state.changes.iter());
                    if let (Some(tree), Some(last)) = (Tree::named(part), state.last) {
                        let sub = self.subs.entry(Arc::new(tree)).or_default();
                        let settings = settings.tree_stable;
                        sub.scheduler.take_over_last(settings, last, now);
                    }
                }
                Err(why) => problems.push(why),
            }
        }
        self.subs.retain(|_, sub| sub.scheduler.last().is_some());
        let mut missing = Vec::new();
        for (number, important) in stored {
            match known.get(&number) {
                Some(arrival) if settings.wants(&arrival.change) => {
                    let tree = Arc::new(settings.tree_of(&arrival.change));
                    let sub = self.subs.entry(tree).or_default();
                    let settings = settings.tree_stable;
                    sub.scheduler.take_over(settings, arrival, important);
                }
                Some(_) => {}
                None => missing.push(number),
            }
        }
        let trees: Vec<_> = self.subs.keys().map(Arc::clone).collect();
        for tree in trees {
            if let Some(sub) = self.subs.get_mut(&tree) {
                sub.scheduler.resume(settings.tree_stable, now);
            }
            self.list(settings, &tree, now);
        }
        if !missing.is_empty() {
            problems.push(waiting::gone(&missing));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(problems.join("; "))
    }

    /// Hands a change to the sub-scheduler of its tree, which is made if need be (ANY-01).
    pub(super) fn on_change(
        &mut self,
        settings: Settings<'_>,
        change: &Arc<Change>,
        now: Moment,
    ) -> (Outcome, Decision) {
        let mut outcome = Outcome::default();
        if let Err(why) = settings.check(change) {
            return (outcome, why);
        }
        let tree = Arc::new(settings.tree_of(change));
        let sub = self.subs.entry(Arc::clone(&tree)).or_default();
        let decision = sub.scheduler.on_change(settings.tree_stable, change, now);
        if decision.keeps() {
            outcome.remember(tree.part(), sub.scheduler.state(now));
        }
        if decision == Decision::BuiltAtOnce {
            sub.open_sets += 1;
            outcome.stamps.push(waiting::stamp_of(change));
        }
        outcome.rearm = true;
        self.list(settings, &tree, now);
        (outcome, decision)
    }

    /// Lets those act that are due by `now`.
    pub(super) fn on_timer(&mut self, settings: Settings<'_>, now: Moment) -> Outcome {
        let mut outcome = Outcome::default();
        let due = |(at, _): &&(Timestamp, _)| *at <= now.steady;
        while let Some((at, tree)) = self.agenda.first().filter(due).cloned() {
            self.agenda.remove(&(at, Arc::clone(&tree)));
            let Some(sub) = self.subs.get_mut(&tree) else {
                continue;
            };
            sub.listed = None;
            if sub.is_idle() {
                if sub.scheduler.last().is_some() {
                    outcome.remember(tree.part(), None);
                }
                self.subs.remove(&tree);
                continue;
            }
            if let Some(stamps) = sub.scheduler.on_timer(settings.tree_stable, now) {
                sub.open_sets += stamps.len();
                outcome.stamps.extend(stamps);
                outcome.remember(tree.part(), sub.scheduler.state(now));
            }
            self.list(settings, &tree, now);
        }
        outcome.rearm = true;
        outcome
    }

    /// One of its sets has finished or could not be made.
    pub(super) fn on_set_finished(
        &mut self,
        settings: Settings<'_>,
        stamp: &SourceStamp,
        now: Moment,
    ) {
        let place = [&stamp.project, &stamp.repository, &stamp.codebase];
        let tree = Arc::new(settings.tree(stamp.branch.as_ref(), place));
        if let Some(sub) = self.subs.get_mut(&tree) {
            sub.open_sets = sub.open_sets.saturating_sub(1);
            self.list(settings, &tree, now);
        }
    }

    /// When [`Trees::on_timer`] is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// One time for each tree that waits, earliest first.
    pub(super) fn pending_build_times(&self) -> Vec<Timestamp> {
        let subs = self.subs.values();
        let times = subs.filter_map(|sub| sub.scheduler.pending_build_time());
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        times
    }

    /// The branches that have a sub-scheduler.
    pub(super) fn branches(&self) -> BTreeSet<Option<&str>> {
        let trees = self.subs.keys();
        trees.map(|tree| tree.branch.as_deref()).collect()
    }

    /// The changes that wait.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Arrival> {
        let subs = self.subs.values();
        subs.flat_map(|sub| sub.scheduler.changes().arrivals())
    }

    /// Each tree that waits, and when it is built.
    pub(super) fn waiting(&self, now: Moment) -> Vec<WaitingTree> {
        let subs = self.subs.values();
        let trees = subs.filter(|sub| !sub.scheduler.is_empty()).map(|sub| {
            let due = sub.scheduler.next_due().map(|due| now.wall_of(due));
            WaitingTree::of(sub.scheduler.changes(), due)
        });
        trees.collect()
    }

    /// What must be remembered of the parts.
    pub(super) fn states(&self, now: Moment) -> impl Iterator<Item = (Part, Value)> {
        let subs = self.subs.iter();
        subs.filter_map(move |(tree, sub)| Some((tree.part(), sub.scheduler.state(now)?)))
    }

    /// Puts a sub-scheduler into the agenda where it belongs.
    fn list(&mut self, settings: Settings<'_>, tree: &Arc<Tree>, now: Moment) {
        let Some(sub) = self.subs.get_mut(tree) else {
            return;
        };
        let timer = settings.tree_stable.tree_stable_timer.unwrap_or_default();
        let at = match sub.scheduler.next_due() {
            // The last set matters as long as the timer.
            None if sub.is_idle() => Some(now.steady + GRACE.max(timer)),
            due => due,
        };
        let old = std::mem::replace(&mut sub.listed, at);
        if old != at {
            if let Some(old) = old {
                self.agenda.remove(&(old, Arc::clone(tree)));
            }
            if let Some(at) = at {
                self.agenda.insert((at, Arc::clone(tree)));
            }
        }
    }
}

impl Sub {
    const fn is_idle(&self) -> bool {
        self.scheduler.is_empty() && self.open_sets == 0
    }
}

impl Tree {
    /// The name under which it is remembered.
    fn part(&self) -> Part {
        let name = serde_json::json!([self.branch, self.place]);
        Part::named(&name.to_string())
    }

    /// The tree that is remembered under this name.
    fn named(part: &Part) -> Option<Self> {
        let (branch, place) = serde_json::from_str(part.as_str()).ok()?;
        Some(Self { branch, place })
    }
}
