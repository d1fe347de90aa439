//! Changes that wait to be built, and the rules by which they come to wait (SCH-02, SCH-03).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::ChangeRules;
use crate::model::{Change, ChangeNumber, Decision, SourceStamp};

/// Changes that wait, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<One>);

#[derive(Debug)]
struct One {
    change: Arc<Change>,
    important: bool,
}

/// The form in which they are stored. The store finds the changes it must hand back under `changes`.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct StoredChanges {
    #[serde(default)]
    changes: Vec<ChangeNumber>,
    #[serde(default)]
    important: Vec<ChangeNumber>,
}

impl Waiting {
    /// Adds the newest change.
    pub(super) fn add(&mut self, change: &Arc<Change>, important: bool) {
        self.0.push(One {
            change: Arc::clone(change),
            important,
        });
    }

    /// Takes the stamps to build. A stamp has one branch (SST-03), so where a filter lets
    /// several branches pass, each is a set; one with only unimportant changes goes on waiting (SCH-10).
    pub(super) fn take_stamps(&mut self) -> Vec<SourceStamp> {
        let mut branches: Vec<Vec<One>> = Vec::new();
        let mut places: BTreeMap<Option<String>, usize> = BTreeMap::new();
        for one in self.0.drain(..) {
            match places.get(&one.change.branch) {
                Some(&place) => branches[place].push(one),
                None => {
                    places.insert(one.change.branch.clone(), branches.len());
                    branches.push(vec![one]);
                }
            }
        }
        let mut stamps = Vec::new();
        for branch in branches {
            if branch.iter().any(|c| c.important) {
                let its = branch.into_iter().map(|c| c.change).collect();
                stamps.push(SourceStamp::from_changes(its));
            } else {
                self.0.extend(branch);
            }
        }
        self.0.sort_by_key(|c| c.change.number);
        stamps
    }

    /// Takes over what was stored, as far as it is still `wanted`; gives the numbers of changes that are
    /// nowhere to be found.
    pub(super) fn restore(
        &mut self,
        stored: &StoredChanges,
        known: &BTreeMap<ChangeNumber, Arc<Change>>,
        wanted: impl Fn(&Change) -> bool,
    ) -> Vec<ChangeNumber> {
        let important: BTreeSet<_> = stored.important.iter().collect();
        let mut missing = Vec::new();
        for number in &stored.changes {
            match known.get(number) {
                Some(change) if wanted(change) => self.add(change, important.contains(number)),
                Some(_) => {}
                None => missing.push(*number),
            }
        }
        self.0.sort_by_key(|c| c.change.number);
        missing
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something important waits.
    pub(super) fn has_important(&self) -> bool {
        self.0.iter().any(|c| c.important)
    }

    /// The changes that wait.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Arc<Change>> {
        self.0.iter().map(|c| &c.change)
    }

    /// What must be remembered.
    pub(super) fn stored(&self) -> StoredChanges {
        let important = self.0.iter().filter(|c| c.important);
        StoredChanges {
            changes: self.0.iter().map(|c| c.change.number).collect(),
            important: important.map(|c| c.change.number).collect(),
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

/// The stamp of one change.
pub(super) fn stamp_of(change: &Arc<Change>) -> SourceStamp {
    SourceStamp::from_changes(vec![Arc::clone(change)])
}

/// What is said of changes that are nowhere to be found.
pub(super) fn gone(missing: &[ChangeNumber]) -> String {
    let numbers: Vec<_> = missing.iter().map(ToString::to_string).collect();
    format!("changes it waits with are gone: {}", numbers.join(", "))
}

/// Whether `change` is on `branch`, unless the filter speaks of branches, and passes the filter (SCH-02,
/// SCH-12). The default branch and an empty name are two (CHG-02).
pub(super) fn wants(branch: Option<&str>, rules: &ChangeRules, change: &Change) -> bool {
    check(branch, rules, change).is_ok()
}

/// Why `change` is not wanted, if it is not.
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
    match rules.filter.refuses(change) {
        Some(by) => Err(Decision::Filtered { by }),
        None => Ok(()),
    }
}

/// Whether `change` is important (SCH-03). Files that are not known might be.
pub(super) fn is_important(rules: &ChangeRules, change: &Change) -> bool {
    let importance = rules.importance.as_ref();
    importance.is_none_or(|rule| {
        change.files_left_out > 0 || change.files.iter().any(|file| rule.files.is_match(file))
    })
}
