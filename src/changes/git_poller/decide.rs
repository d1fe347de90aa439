//! What a poll of a repository of git has to do (POL-03 to POL-07). Pure.
//!
//! [`plan`] compares the references with those of the last poll. For each one that needs a look
//! into the history, [`work`] says which commits are changes, once the history is known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::config::{GitPollerConfig, GitStart, History, NewBranch};
use crate::vc::git::{Node, brought_by};

/// What is remembered of a repository: the references that are followed, with their commits.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Cursor {
    /// Address of the repository.
    pub(super) url: String,
    /// The settings that select the references, in a form to compare.
    pub(super) selection: String,
    pub(super) refs: BTreeMap<String, String>,
}

/// What the references alone tell.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Plan {
    /// The references whose history tells the rest.
    pub(super) moves: Vec<Move>,
    /// The cursor after what needs no look into the history.
    pub(super) cursor: Cursor,
    /// What happened to references without a change.
    pub(super) notes: Vec<String>,
    /// The branches that the settings name and that do not exist (POL-07).
    pub(super) missing: BTreeSet<String>,
}

/// A reference that is new or has moved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Move {
    /// Whole name.
    pub(super) name: String,
    /// Its commit now.
    pub(super) tip: String,
    pub(super) kind: MoveKind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum MoveKind {
    /// One change for the tip, whatever the history is.
    Tip,
    /// A branch at the first poll, whose commits after this one are changes.
    Since(String),
    /// A branch that has appeared since the last poll.
    Appeared,
    /// The commit at the last poll.
    Moved(String),
}

/// What the history says about a [`Move`].
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The commits that are new on the branch, children before parents, from the tip on: at most as
    /// many as were asked for.
    pub(super) new: Vec<Node>,
    /// The number of all commits that are new on the branch.
    pub(super) all: u64,
    /// Whether the commit of the last poll, or of the start, has commits that the branch lacks.
    pub(super) loses: bool,
    /// Whether the repository still has that commit.
    pub(super) knows_old: bool,
}

/// The commits of a reference that are changes.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Work {
    /// Whole name of the reference.
    pub(super) name: String,
    /// The commit that is remembered when all is done.
    pub(super) tip: String,
    /// Parents before children.
    pub(super) commits: VecDeque<Picked>,
    /// Whether the branch was moved to where it never was.
    pub(super) forced: bool,
    /// Of a branch that has appeared, the commit of another branch where it begins (PRB-09).
    pub(super) origin: Option<String>,
    pub(super) note: Option<String>,
}

/// A commit that is a change.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Picked {
    pub(super) id: String,
    /// The commit of the mainline that brought it, unless it is on the mainline.
    pub(super) brought_by: Option<String>,
    /// Number of older commits for which it stands.
    pub(super) stands_for: u64,
}

/// The settings that decide which references are looked at.
pub(super) fn selection(config: &GitPollerConfig) -> String {
    let rules = (&config.branches, config.tags, &config.refs);
    serde_json::to_string(&rules).unwrap_or_default()
}

/// Compares the references with those of the last poll.
pub(super) fn plan(
    cursor: Option<&Cursor>,
    listed: &BTreeMap<String, String>,
    config: &GitPollerConfig,
) -> Plan {
    let selected = listed.iter().filter(|(name, _)| selects(config, name));
    let selected: BTreeMap<&str, &str> = selected
        .map(|(name, tip)| (name.as_str(), tip.as_str()))
        .collect();
    let mut plan = Plan {
        cursor: Cursor {
            url: config.repourl.clone(),
            selection: selection(config),
            refs: BTreeMap::new(),
        },
        ..Plan::default()
    };
    let is_missing = |name: &&str| !selected.contains_key(format!("{HEADS}{name}").as_str());
    plan.missing = config
        .branches
        .named()
        .filter(is_missing)
        .map(str::to_owned)
        .collect();
    match cursor {
        None => plan.begin(&selected, config),
        Some(cursor) => plan.compare(cursor, &selected, config),
    }
    plan
}

impl Plan {
    /// POL-03: the first poll.
    fn begin(&mut self, selected: &BTreeMap<&str, &str>, config: &GitPollerConfig) {
        for (name, tip) in selected {
            let kind = match &config.start {
                GitStart::Now => None,
                GitStart::Tip => Some(MoveKind::Tip),
                GitStart::Revision(_) if is_tag(name) => None,
                GitStart::Revision(id) => Some(MoveKind::Since(id.clone())),
            };
            self.look_at(name, tip, kind);
        }
    }

    fn compare(
        &mut self,
        cursor: &Cursor,
        selected: &BTreeMap<&str, &str>,
        config: &GitPollerConfig,
    ) {
        // Where the settings have changed, an unknown reference may be old.
        let same_selection = cursor.selection == self.cursor.selection;
        let gone = cursor
            .refs
            .iter()
            .filter(|(name, _)| !selected.contains_key(name.as_str()) && selects(config, name));
        let gone: BTreeMap<&str, &str> = gone
            .map(|(name, tip)| (name.as_str(), tip.as_str()))
            .collect();
        let renamed = renamed(cursor, selected, &gone);
        for (name, tip) in selected {
            let kind = match cursor.refs.get(*name) {
                Some(old) if old == tip => None,
                Some(_) if is_tag(name) => Some(MoveKind::Tip),
                Some(old) => Some(MoveKind::Moved(old.clone())),
                None if !same_selection => None,
                None => match renamed.get(name) {
                    Some(old) => {
                        self.notes
                            .push(format!("{} is now {}", short(old), short(name)));
                        None
                    }
                    None => self.appeared(name, cursor, config),
                },
            };
            self.look_at(name, tip, kind);
        }
        let gone = gone
            .keys()
            .filter(|name| !renamed.values().any(|old| old == *name));
        self.notes
            .extend(gone.map(|name| format!("{} is gone", short(name))));
    }

    fn appeared(
        &mut self,
        name: &str,
        cursor: &Cursor,
        config: &GitPollerConfig,
    ) -> Option<MoveKind> {
        match config.new_branch {
            NewBranch::Nothing => {
                self.notes.push(format!("{} is new", short(name)));
                None
            }
            _ if is_tag(name) => Some(MoveKind::Tip),
            // Nothing is known, so that everything would be new.
            NewBranch::Tip if cursor.refs.is_empty() => Some(MoveKind::Tip),
            NewBranch::Tip | NewBranch::Commits => Some(MoveKind::Appeared),
        }
    }

    fn look_at(&mut self, name: &str, tip: &str, kind: Option<MoveKind>) {
        match kind {
            None => {
                self.cursor.refs.insert(name.to_owned(), tip.to_owned());
            }
            Some(kind) => {
                // Until all its commits are stored, the branch is where it was.
                if let MoveKind::Moved(old) = &kind {
                    self.cursor.refs.insert(name.to_owned(), old.clone());
                }
                self.moves.push(Move {
                    name: name.to_owned(),
                    tip: tip.to_owned(),
                    kind,
                });
            }
        }
    }
}

impl Move {
    /// The commits that are not new on the branch, as far as the repository has them, with the
    /// `cursor` of the last poll and what `plan` already knows.
    pub(super) fn known<'a>(
        &'a self,
        cursor: &'a Cursor,
        plan: &'a Cursor,
        moves: &'a [Self],
    ) -> BTreeSet<&'a str> {
        match &self.kind {
            MoveKind::Tip => BTreeSet::new(),
            MoveKind::Since(id) => [id.as_str()].into(),
            MoveKind::Moved(old) => [old.as_str()].into(),
            // What other branches have or had is not new. Of the branches that have appeared too,
            // each is looked at by itself.
            MoveKind::Appeared => {
                let moved = moves
                    .iter()
                    .filter(|m| matches!(m.kind, MoveKind::Moved(_)));
                let now = moved.map(|m| m.tip.as_str());
                let unmoved = plan.refs.values().map(String::as_str);
                let old = cursor.refs.values().map(String::as_str);
                old.chain(now).chain(unmoved).collect()
            }
        }
    }
}

/// Which commits of a reference are changes.
pub(super) fn work(moved: &Move, answers: Answers, config: &GitPollerConfig) -> Work {
    let mut work = Work {
        name: moved.name.clone(),
        tip: moved.tip.clone(),
        ..Work::default()
    };
    let tip_alone = || {
        VecDeque::from([Picked {
            id: moved.tip.clone(),
            ..Picked::default()
        }])
    };
    let branch = short(&moved.name);
    match &moved.kind {
        MoveKind::Tip => work.commits = tip_alone(),
        MoveKind::Since(start) if answers.loses || !answers.knows_old => {
            work.note = Some(format!("{branch} does not have {start}"));
        }
        MoveKind::Since(_) => work.commits = picked(&answers, config),
        MoveKind::Appeared => {
            work.origin = origin(&answers, &moved.tip);
            work.commits = picked(&answers, config);
            if work.commits.is_empty() && config.new_branch == NewBranch::Tip {
                work.commits = tip_alone();
            } else if work.commits.is_empty() {
                work.note = Some(format!("{branch} is new"));
            }
        }
        MoveKind::Moved(_) if !answers.knows_old => {
            // Forced, and the old commits are nowhere: what the branch had is unknown.
            work.commits = tip_alone();
            work.forced = true;
        }
        MoveKind::Moved(old) => {
            work.commits = picked(&answers, config);
            work.forced = answers.loses && !work.commits.is_empty();
            if work.commits.is_empty() {
                work.note = Some(format!("{branch} moved back from {old} to {}", moved.tip));
            }
        }
    }
    work
}

/// The commits in the order of changes. Older ones than were asked for are one change.
fn picked(answers: &Answers, config: &GitPollerConfig) -> VecDeque<Picked> {
    let brought = match config.history {
        History::All => brought_by(&answers.new),
        History::FirstParent => BTreeMap::new(),
    };
    let pick = |node: &Node| Picked {
        id: node.id.clone(),
        brought_by: brought.get(node.id.as_str()).map(|by| (*by).to_owned()),
        stands_for: 0,
    };
    let mut commits: VecDeque<Picked> = answers.new.iter().rev().map(pick).collect();
    let looked_at = u64::try_from(commits.len()).unwrap_or(u64::MAX);
    if let Some(oldest) = commits.front_mut() {
        oldest.stands_for = answers.all.saturating_sub(looked_at);
    }
    commits
}

/// The last commit of the mainline that is not new on a branch; absent if not all that is new was
/// looked at, or if nothing is old.
fn origin(answers: &Answers, tip: &str) -> Option<String> {
    if u64::try_from(answers.new.len()) != Ok(answers.all) {
        return None;
    }
    let new: BTreeMap<&str, &Node> = answers.new.iter().map(|n| (n.id.as_str(), n)).collect();
    let mut at = tip;
    while let Some(node) = new.get(at) {
        at = node.parents.first()?;
    }
    Some(at.to_owned())
}

/// Branches that have a new name: one is gone and one has appeared at the same commit. The keys are
/// the new names.
fn renamed<'a>(
    cursor: &Cursor,
    selected: &BTreeMap<&'a str, &str>,
    gone: &BTreeMap<&'a str, &str>,
) -> BTreeMap<&'a str, &'a str> {
    let mut by_tip: BTreeMap<&str, (Vec<&'a str>, Vec<&'a str>)> = BTreeMap::new();
    for (name, tip) in gone.iter().filter(|(name, _)| is_branch(name)) {
        by_tip.entry(tip).or_default().0.push(name);
    }
    let appeared = selected
        .iter()
        .filter(|(name, _)| !cursor.refs.contains_key(**name));
    for (name, tip) in appeared.filter(|(name, _)| is_branch(name)) {
        by_tip.entry(tip).or_default().1.push(name);
    }
    let pairs = by_tip.into_values().filter_map(|(gone, appeared)| {
        let ([old], [new]) = (gone.as_slice(), appeared.as_slice()) else {
            return None;
        };
        Some((*new, *old))
    });
    pairs.collect()
}

fn selects(config: &GitPollerConfig, name: &str) -> bool {
    if let Some(branch) = name.strip_prefix(HEADS) {
        return config.branches.selects(branch);
    }
    (config.tags && is_tag(name)) || config.refs.as_ref().is_some_and(|refs| refs.is_match(name))
}

/// The branch of a change: the name of a branch, and the whole name of another reference.
pub(super) fn short(name: &str) -> &str {
    name.strip_prefix(HEADS).unwrap_or(name)
}

pub(super) fn is_tag(name: &str) -> bool {
    name.starts_with("refs/tags/")
}

fn is_branch(name: &str) -> bool {
    name.starts_with(HEADS)
}

const HEADS: &str = "refs/heads/";

#[cfg(test)]
mod tests;
