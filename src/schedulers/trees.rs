//! What `Scheduler` and `AnyBranch` share: a [`TreeState`] for each tree that has changes (sections
//! 4 and 5, CBS-02).
//!
//! Invariant: each sub-scheduler stands in the agenda once if it has a timer or is idle. One that
//! has been idle for a day (no timer, no changes, no unfinished set) goes away, and nothing is lost
//! with it (ANY-06). Each is remembered under a name of its own, so that a change writes what its
//! tree waits with, not what all do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::codebases::{Newest, Sources};
use super::kind::{Due, Outcome, Scheduler, Start};
use super::remembering::{self, Part, Parts};
use super::tree::{Stored, TreeState};
use super::waiting::{self, Arrival, Tree};
use crate::config::TreeStable;
use crate::model::{Change, ChangeNumber, Decision, Moment, SourceStamp, SourceStamps, Timestamp};

/// How long an idle sub-scheduler stays (ANY-06).
pub(super) const GRACE: Duration = Duration::from_secs(24 * 3600);

/// The part under which the newest revisions are remembered; parts of trees are JSON.
const NEWEST: &str = "newest";

/// Which trees a kind of scheduler wants, and how it keeps them apart.
pub(super) trait Wanted: std::fmt::Debug + Send + Sync {
    /// Why it does not want `change`, if it does not.
    fn check(&self, settings: &TreeStable, change: &Change) -> Result<(), Decision>;

    /// Whether branches wait together that are not kept apart by their repositories.
    fn mixes_branches(&self) -> bool;

    /// What the scheduler called `name` is called for a branch.
    fn name_for(&self, name: &str, branch: Option<&str>) -> String;

    /// The names of the sub-schedulers for these branches.
    fn sub_schedulers(&self, name: &str, branches: BTreeSet<Option<&str>>) -> Vec<String>;
}

/// A scheduler that wants the trees that `W` says.
#[derive(Debug)]
pub(super) struct Trees<W> {
    wanted: W,
    settings: TreeStable,
    subs: BTreeMap<Arc<Tree>, Sub>,
    newest: Newest,
    /// When each wants attention.
    agenda: BTreeSet<(Timestamp, Arc<Tree>)>,
}

#[derive(Debug, Default)]
struct Sub {
    state: TreeState,
    /// Its sets that have not finished.
    open_sets: usize,
    /// Where it stands in the agenda.
    listed: Option<Timestamp>,
}

impl<W: Wanted> Scheduler for Trees<W> {
    /// Changes find the sub-scheduler that is theirs by the present settings (SCB-10).
    fn restore(
        &mut self,
        old: &Parts,
        known: &BTreeMap<ChangeNumber, Arrival>,
        _start: Start,
        now: Moment,
    ) -> Result<(), String> {
        let mut stored = BTreeMap::new();
        let mut problems = Vec::new();
        for (part, state) in &old.0 {
            if part.as_str() == NEWEST {
                match remembering::read::<Newest>(state) {
                    Ok(newest) => self.newest = newest.kept(&self.settings.codebases),
                    Err(why) => problems.push(why),
                }
                continue;
            }
            match remembering::read::<Stored>(state) {
                Ok(state) => {
                    stored.extend(state.changes.iter());
                    if let (Some(tree), Some(last)) = (Tree::named(part), state.last) {
                        let sub = self.subs.entry(Arc::new(tree)).or_default();
                        sub.state.take_over_last(&self.settings, last, now);
                    }
                }
                Err(why) => problems.push(why),
            }
        }
        self.subs.retain(|_, sub| sub.state.last().is_some());
        let mut missing = Vec::new();
        for (number, important) in stored {
            match known.get(&number) {
                Some(arrival) if self.check(&arrival.change).is_ok() => {
                    let tree = Arc::new(self.tree_of(&arrival.change));
                    let sub = self.subs.entry(tree).or_default();
                    sub.state.take_over(&self.settings, arrival, important);
                }
                Some(_) => {}
                None => missing.push(number),
            }
        }
        let trees: Vec<_> = self.subs.keys().map(Arc::clone).collect();
        for tree in trees {
            if let Some(sub) = self.subs.get_mut(&tree) {
                sub.state.resume(&self.settings, now);
            }
            self.list(&tree, now);
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
    fn on_change(&mut self, change: &Arc<Change>, now: Moment) -> (Outcome, Decision) {
        let mut outcome = Outcome::default();
        if let Err(why) = self.check(change) {
            return (outcome, why);
        }
        if self.newest.note(&self.settings.codebases, change)
            && let Some((part, state)) = self.newest_state()
        {
            outcome.remember(part, Some(state));
        }
        let tree = Arc::new(self.tree_of(change));
        let sub = self.subs.entry(Arc::clone(&tree)).or_default();
        let decision = sub.state.on_change(&self.settings, change, now);
        if decision.keeps() {
            match sub.state.changes().one_more() {
                Some(waits) => outcome.waits_with(tree.part(), waits),
                None => outcome.remember(tree.part(), sub.state.state(now)),
            }
        }
        if decision == Decision::BuiltAtOnce {
            sub.open_sets += 1;
            outcome.sets.push(self.sources().set_of(change));
        }
        outcome.rearm = true;
        self.list(&tree, now);
        (outcome, decision)
    }

    /// Lets those act that are due by `now`.
    fn on_timer(&mut self, now: Moment) -> Outcome {
        let mut outcome = Outcome::default();
        let due = |(at, _): &&(Timestamp, _)| *at <= now.steady;
        while let Some((at, tree)) = self.agenda.first().filter(due).cloned() {
            self.agenda.remove(&(at, Arc::clone(&tree)));
            let Some(sub) = self.subs.get_mut(&tree) else {
                continue;
            };
            sub.listed = None;
            if sub.is_idle() {
                if sub.state.last().is_some() {
                    outcome.remember(tree.part(), None);
                }
                self.subs.remove(&tree);
                continue;
            }
            let sources = Sources {
                codebases: &self.settings.codebases,
                newest: &self.newest,
            };
            if let Some(sets) = sub.state.on_timer(&self.settings, sources, now) {
                sub.open_sets += sets.len();
                outcome.sets.extend(sets);
                outcome.remember(tree.part(), sub.state.state(now));
            }
            self.list(&tree, now);
        }
        outcome.rearm = true;
        outcome
    }

    fn on_set_finished(&mut self, stamps: &SourceStamps, now: Moment) -> bool {
        let stamp = leading(stamps);
        let place = [&stamp.project, &stamp.repository, &stamp.codebase];
        let tree = Arc::new(self.tree(stamp.branch.as_ref(), place));
        if let Some(sub) = self.subs.get_mut(&tree) {
            sub.open_sets = sub.open_sets.saturating_sub(1);
            self.list(&tree, now);
        }
        true
    }

    fn next_due(&self) -> Option<Due> {
        self.agenda.first().map(|(at, _)| Due::Steady(*at))
    }

    /// One time for each tree that waits, earliest first.
    fn pending_build_times(&self, now: Moment) -> Vec<Timestamp> {
        let subs = self.subs.values();
        let times = subs.filter_map(|sub| sub.state.pending_build_time());
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        times.into_iter().map(|at| now.wall_of(at)).collect()
    }

    fn changes(&self) -> BTreeMap<ChangeNumber, Arrival> {
        let subs = self.subs.values();
        let arrivals = subs.flat_map(|sub| sub.state.changes().arrivals());
        waiting::by_number(arrivals)
    }

    fn states(&self, now: Moment) -> Parts {
        let subs = self.subs.iter();
        let states = subs.filter_map(|(tree, sub)| Some((tree.part(), sub.state.state(now)?)));
        Parts(states.chain(self.newest_state()).collect())
    }

    fn name_for(&self, name: &str, stamps: &SourceStamps) -> String {
        self.wanted
            .name_for(name, leading(stamps).branch.as_deref())
    }

    fn sub_schedulers(&self, name: &str) -> Vec<String> {
        let branches = self.subs.keys().map(|tree| tree.branch.as_deref());
        self.wanted.sub_schedulers(name, branches.collect())
    }
}

impl<W: Wanted> Trees<W> {
    /// One that waits with nothing yet.
    pub(super) fn with(wanted: W, settings: TreeStable) -> Self {
        Self {
            wanted,
            settings,
            subs: BTreeMap::new(),
            newest: Newest::default(),
            agenda: BTreeSet::new(),
        }
    }

    fn check(&self, change: &Change) -> Result<(), Decision> {
        self.wanted.check(&self.settings, change)
    }

    const fn sources(&self) -> Sources<'_> {
        Sources {
            codebases: &self.settings.codebases,
            newest: &self.newest,
        }
    }

    /// What must be remembered of the newest revisions, if anything.
    fn newest_state(&self) -> Option<(Part, Value)> {
        let newest = Some(&self.newest).filter(|newest| !newest.is_empty())?;
        let state = serde_json::to_value(newest).expect("texts always have a JSON form");
        Some((Part::named(NEWEST), state))
    }

    fn tree_of(&self, change: &Change) -> Tree {
        let place = [&change.project, &change.repository, &change.codebase];
        self.tree(change.branch.as_ref(), place)
    }

    /// The tree in which this waits.
    fn tree(&self, branch: Option<&String>, place: [&String; 3]) -> Tree {
        // The codebases that are listed wait together (CBS-03).
        let separate = self.settings.rules.separate && self.settings.codebases.is_empty();
        if self.wanted.mixes_branches() && !separate {
            return Tree::default();
        }
        Tree::at(branch, place, separate)
    }

    /// Puts a sub-scheduler into the agenda where it belongs.
    fn list(&mut self, tree: &Arc<Tree>, now: Moment) {
        let Some(sub) = self.subs.get_mut(tree) else {
            return;
        };
        let timer = self.settings.tree_stable_timer.unwrap_or_default();
        let at = match sub.state.next_due() {
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

/// The stamp that says in which tree a set has waited: the first with changes.
fn leading(stamps: &SourceStamps) -> &SourceStamp {
    let mut all = stamps.iter();
    let changed = all.find(|stamp| !stamp.changes.is_empty());
    changed.unwrap_or_else(|| stamps.first())
}

impl Sub {
    const fn is_idle(&self) -> bool {
        self.state.is_empty() && self.open_sets == 0
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
