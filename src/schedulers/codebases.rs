//! The stamps of sets of several codebases: one for each codebase that is listed (CBS-03, CBS-04).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::{CodebaseSource, Codebases};
use crate::model::{Change, ChangeNumber, Decision, SourceStamp, SourceStamps};

/// The newest revision that was seen of each codebase, where that is asked for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Newest(BTreeMap<String, Seen>);

/// A revision, and the change that brought it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Seen {
    change: ChangeNumber,
    branch: Option<String>,
    revision: String,
    repository: String,
    project: String,
}

/// Where the stamp of a codebase comes from that has no changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources<'a> {
    pub(super) codebases: &'a Codebases,
    pub(super) newest: &'a Newest,
}

impl Newest {
    /// Takes a change into account that counts; says whether there is anything new to remember.
    pub(super) fn note(&mut self, codebases: &Codebases, change: &Change) -> bool {
        let Some(revision) = &change.revision else {
            return false;
        };
        let seen = self.0.get(&change.codebase);
        if !codebases.at_newest || seen.is_some_and(|seen| seen.change >= change.number) {
            return false;
        }
        let seen = Seen {
            change: change.number,
            branch: change.branch.clone(),
            revision: revision.clone(),
            repository: change.repository.clone(),
            project: change.project.clone(),
        };
        self.0.insert(change.codebase.clone(), seen);
        true
    }

    /// What of these `codebases` still says: a revision of another branch or of a codebase that is
    /// not listed does not count.
    pub(super) fn kept(mut self, codebases: &Codebases) -> Self {
        self.0.retain(|name, seen| {
            let source = codebases.get(name).filter(|_| codebases.at_newest);
            source.is_some_and(|source| source.branch.is_none() || source.branch == seen.branch)
        });
        self
    }

    /// Whether nothing was seen.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Sources<'_> {
    /// Whether no codebases are listed.
    pub(super) fn is_empty(self) -> bool {
        self.codebases.is_empty()
    }

    /// A set with the stamps that `own` gives for codebases by their names; the others have no
    /// changes.
    pub(super) fn set(self, own: impl Fn(&str) -> Option<SourceStamp>) -> SourceStamps {
        let stamp = |(name, source)| own(name).unwrap_or_else(|| self.unchanged(name, source));
        self.codebases.iter().map(stamp).collect()
    }

    /// The set of one change.
    pub(super) fn set_of(self, change: &Arc<Change>) -> SourceStamps {
        let stamp = || SourceStamp::from_changes(vec![Arc::clone(change)]);
        if self.is_empty() {
            return stamp().into();
        }
        self.set(|name| (name == change.codebase).then(stamp))
    }

    /// The stamp of a codebase without changes (CBS-04).
    fn unchanged(self, name: &str, source: &CodebaseSource) -> SourceStamp {
        let Some(seen) = self.newest.0.get(name) else {
            return configured(name, source);
        };
        SourceStamp {
            branch: seen.branch.clone(),
            revision: Some(seen.revision.clone()),
            repository: seen.repository.clone(),
            project: seen.project.clone(),
            codebase: name.to_owned(),
            ..SourceStamp::default()
        }
    }
}

/// The stamp of a codebase as it is configured.
pub(super) fn configured(name: &str, source: &CodebaseSource) -> SourceStamp {
    SourceStamp {
        branch: source.branch.clone(),
        revision: source.revision.clone(),
        repository: source.repository.clone(),
        codebase: name.to_owned(),
        ..SourceStamp::default()
    }
}

/// The set of these codebases that a step of a build asks for with `asked`; without codebases it is
/// what is asked for. Codebases that are not listed are left out (SST-07).
pub(super) fn asked_for(codebases: &Codebases, asked: &Arc<SourceStamps>) -> Arc<SourceStamps> {
    if codebases.is_empty() {
        return Arc::clone(asked);
    }
    let stamp = |(name, source)| match asked.of(name) {
        Some(stamp) => completed(stamp, configured(name, source)),
        None => configured(name, source),
    };
    Arc::new(codebases.iter().map(stamp).collect())
}

/// The stamps of `upstream`, and those of the further codebases that are listed.
pub(super) fn besides(codebases: &Codebases, upstream: &Arc<SourceStamps>) -> Arc<SourceStamps> {
    let mut missing = codebases
        .iter()
        .filter(|(name, _)| upstream.of(name).is_none())
        .map(|(name, source)| configured(name, source))
        .peekable();
    if missing.peek().is_none() {
        return Arc::clone(upstream);
    }
    Arc::new(upstream.iter().cloned().chain(missing).collect())
}

/// A stamp that says no branch, no revision and nothing else of what to build has those that are
/// configured. A branch without a revision is the latest of the branch.
fn completed(stamp: &SourceStamp, configured: SourceStamp) -> SourceStamp {
    let mut stamp = stamp.clone();
    let says_nothing = stamp.branch.is_none()
        && stamp.revision.is_none()
        && stamp.changes.is_empty()
        && stamp.patch.is_none();
    if says_nothing {
        stamp.branch = configured.branch;
        stamp.revision = configured.revision;
    }
    if stamp.repository.is_empty() {
        stamp.repository = configured.repository;
    }
    stamp
}

/// The branch whose changes count in the codebase of `change`: the one that is configured for the
/// codebase, or else `branch`.
pub(super) fn branch_in<'a>(
    codebases: &'a Codebases,
    change: &Change,
    branch: Option<&'a str>,
) -> Result<Option<&'a str>, Decision> {
    if codebases.is_empty() {
        return Ok(branch);
    }
    let source = codebases.get(&change.codebase);
    let source = source.ok_or(Decision::CodebaseNotListed)?;
    Ok(source.branch.as_deref().or(branch))
}
