//! Changes that wait to be built, and the rules by which they come to wait (SCH-02, SCH-03).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codebases::Sources;
use crate::config::ChangeRules;
use crate::config::expression::Expression;
use crate::model::{
    Change, ChangeNumber, Decision, FilterField, SourceStamp, SourceStamps, Timestamp,
    WaitingChange,
};

/// Changes that wait, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    changes: Vec<One>,
    /// How many of them are important.
    important: usize,
}

#[derive(Debug)]
struct One {
    arrival: Arrival,
    important: bool,
}

/// A change and when it arrived, in steady time.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) change: Arc<Change>,
    pub(super) at: Timestamp,
}

/// Which changes are built together (CBS-02).
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Tree {
    pub(super) branch: Option<String>,
    /// Project, repository and codebase; absent where those of a branch are mixed.
    pub(super) place: Option<[String; 3]>,
}

/// A tree, and its changes in order of arrival.
type ChangesOfTree = (Tree, Vec<Arc<Change>>);

/// The form in which they are stored. The store finds the changes it must hand back under
/// `changes`.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct StoredChanges {
    #[serde(default)]
    changes: Vec<ChangeNumber>,
    #[serde(default)]
    important: Vec<ChangeNumber>,
}

impl Waiting {
    /// Adds the newest change.
    pub(super) fn add(&mut self, arrival: Arrival, important: bool) {
        self.important += usize::from(important);
        self.changes.push(One { arrival, important });
    }

    /// Takes the sets to build. A stamp is of one tree, or at least of one branch (SST-03), so
    /// where several wait, each is a set; one with only unimportant changes goes on waiting
    /// (SCH-10).
    pub(super) fn take_sets(&mut self, separate: bool, sources: Sources<'_>) -> Vec<SourceStamps> {
        if !sources.is_empty() {
            return self.take_together(sources);
        }
        let mut trees: Vec<Vec<One>> = Vec::new();
        let mut places: BTreeMap<Tree, usize> = BTreeMap::new();
        self.important = 0;
        for one in self.changes.drain(..) {
            let tree = Tree::of(&one.arrival.change, separate);
            match places.get(&tree) {
                Some(&place) => trees[place].push(one),
                None => {
                    places.insert(tree, trees.len());
                    trees.push(vec![one]);
                }
            }
        }
        let mut sets = Vec::new();
        for tree in trees {
            if tree.iter().any(|c| c.important) {
                let changes = tree.into_iter().map(|c| c.arrival.change).collect();
                sets.push(SourceStamp::from_changes(changes).into());
            } else {
                self.changes.extend(tree);
            }
        }
        self.changes.sort_by_key(|c| c.arrival.change.number);
        sets
    }

    /// Takes the sets to build of these codebases, each with a stamp of all (CBS-04). Where several
    /// trees of a codebase wait, each is in a set of its own.
    fn take_together(&mut self, sources: Sources<'_>) -> Vec<SourceStamps> {
        let mut trees: BTreeMap<&str, Vec<ChangesOfTree>> = BTreeMap::new();
        if !self.has_important() {
            return Vec::new();
        }
        let waiting = std::mem::take(self).changes;
        for one in &waiting {
            let change = &one.arrival.change;
            let tree = Tree::of(change, true);
            let known = trees.entry(&change.codebase).or_default();
            match known.iter_mut().find(|(other, _)| *other == tree) {
                Some((_, changes)) => changes.push(Arc::clone(change)),
                None => known.push((tree, vec![Arc::clone(change)])),
            }
        }
        let count = trees.values().map(Vec::len).max().unwrap_or_default();
        let set = |nth: usize| {
            sources.set(|name| {
                let (_, changes) = trees.get(name)?.get(nth)?;
                Some(SourceStamp::from_changes(changes.clone()))
            })
        };
        (0..count).map(set).collect()
    }

    /// Takes over what was stored, as far as it is still `wanted`; gives the numbers of changes
    /// that are nowhere to be found.
    pub(super) fn restore(
        &mut self,
        stored: &StoredChanges,
        known: &BTreeMap<ChangeNumber, Arrival>,
        wanted: impl Fn(&Change) -> bool,
    ) -> Vec<ChangeNumber> {
        let mut missing = Vec::new();
        for (number, important) in stored.iter() {
            match known.get(&number) {
                Some(arrival) if wanted(&arrival.change) => self.add(arrival.clone(), important),
                Some(_) => {}
                None => missing.push(number),
            }
        }
        self.changes.sort_by_key(|c| c.arrival.change.number);
        missing
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether something important waits.
    pub(super) const fn has_important(&self) -> bool {
        self.important > 0
    }

    /// The changes that wait.
    pub(super) fn arrivals(&self) -> impl Iterator<Item = &Arrival> {
        self.changes.iter().map(|c| &c.arrival)
    }

    /// The newest change, as it is remembered besides what is stored. Absent if it is the only one:
    /// what waits then is small, and is stored.
    pub(super) fn one_more(&self) -> Option<WaitingChange> {
        let [_, .., newest] = &self.changes[..] else {
            return None;
        };
        Some(WaitingChange {
            change: newest.arrival.change.number,
            important: newest.important,
        })
    }

    /// What must be remembered.
    pub(super) fn stored(&self) -> StoredChanges {
        let important = self.changes.iter().filter(|c| c.important);
        StoredChanges {
            changes: self
                .changes
                .iter()
                .map(|c| c.arrival.change.number)
                .collect(),
            important: important.map(|c| c.arrival.change.number).collect(),
        }
    }
}

impl Arrival {
    /// A change that arrives now.
    pub(super) fn now(change: &Arc<Change>, now: Timestamp) -> Self {
        Self {
            change: Arc::clone(change),
            at: now,
        }
    }

    /// The steady time of a wall time that the change gives, as the clock was set when it arrived.
    pub(super) fn steady(&self, wall: Timestamp) -> Timestamp {
        let after = wall.0.saturating_sub(self.change.arrived_at.0);
        Timestamp(self.at.0.saturating_add(after))
    }
}

impl Tree {
    /// The tree of a change.
    pub(super) fn of(change: &Change, separate: bool) -> Self {
        let place = [&change.project, &change.repository, &change.codebase];
        Self::at(change.branch.as_ref(), place, separate)
    }

    /// The tree at this branch of this project, repository and codebase.
    pub(super) fn at(branch: Option<&String>, place: [&String; 3], separate: bool) -> Self {
        Self {
            branch: branch.cloned(),
            place: separate.then(|| place.map(String::clone)),
        }
    }
}

impl StoredChanges {
    /// The numbers of the changes, each with whether it is important.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ChangeNumber, bool)> {
        let important: BTreeSet<_> = self.important.iter().copied().collect();
        let changes = self.changes.iter();
        changes.map(move |&number| (number, important.contains(&number)))
    }
}

/// These by their numbers.
pub(super) fn by_number<'a>(
    arrivals: impl Iterator<Item = &'a Arrival>,
) -> BTreeMap<ChangeNumber, Arrival> {
    let numbered = |arrival: &Arrival| (arrival.change.number, arrival.clone());
    arrivals.map(numbered).collect()
}

/// What is said of changes that are nowhere to be found.
pub(super) fn gone(missing: &[ChangeNumber]) -> String {
    let numbers: Vec<_> = missing.iter().map(ToString::to_string).collect();
    format!("changes it waits with are gone: {}", numbers.join(", "))
}

/// Why `change` is not on `branch`, unless the filter speaks of branches, or does not pass the
/// filter (SCH-02, SCH-12). The default branch and an empty name are two (CHG-02).
pub(super) fn check(
    branch: Option<&str>,
    rules: &ChangeRules,
    change: &Change,
) -> Result<(), Decision> {
    if rules.filter.branch.is_none() && change.branch.as_deref() != branch {
        return Err(Decision::OffBranch);
    }
    check_filter(rules, change)
}

/// Why `change` does not pass the filter, if it does not.
pub(super) fn check_filter(rules: &ChangeRules, change: &Change) -> Result<(), Decision> {
    if let Some(by) = rules.filter.refuses(change) {
        return Err(Decision::Filtered { by });
    }
    match rules.when.as_ref().map(|when| when.holds(change)) {
        None | Some(Ok(true)) => Ok(()),
        Some(Ok(false)) => Err(Decision::Filtered {
            by: FilterField::When,
        }),
        Some(Err((_, why))) => Err(Decision::Failed { why }),
    }
}

/// What failed so that `rules` came to `decision` on `change`, if something did (CFL-142).
pub(super) fn failure(
    rules: &ChangeRules,
    change: &Change,
    decision: &Decision,
) -> Option<(Expression, String)> {
    let condition = match decision {
        Decision::Failed { .. } => rules.when.as_ref(),
        Decision::Remembered { .. } | Decision::Dropped => rules.important_if.as_ref(),
        Decision::TimerRuns { .. }
        | Decision::BuiltAtOnce
        | Decision::KeptForRun { .. }
        | Decision::OffBranch
        | Decision::BranchNotListed
        | Decision::CodebaseNotListed
        | Decision::Filtered { .. }
        | Decision::LooksAtNone { .. }
        | Decision::Stopped => None,
    };
    condition?.holds(change).err()
}

/// Whether `change` is important (SCH-03). Files that are not known might be. A change whose
/// message says that it need not be built is not (INT-10).
pub(super) fn is_important(rules: &ChangeRules, change: &Change) -> bool {
    if change.is_skipped {
        return false;
    }
    let importance = rules.importance.as_ref();
    let by_files = importance.is_none_or(|rule| {
        change.files_left_out > 0 || change.files.iter().any(|file| rule.files.is_match(file))
    });
    let condition = rules.important_if.as_ref();
    by_files && condition.is_none_or(|condition| condition.holds(change).unwrap_or(false))
}
