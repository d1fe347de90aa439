//! `GitPoller`: finds changes in a repository of git (POL-03 to POL-09).
//!
//! A poll is one `git ls-remote`. If the references are those of the last poll, that is all.
//! Otherwise, the ones that are new or have moved are fetched into the [mirror](mirror), and
//! [decide] tells which commits are changes. They are given in batches, each with the cursor that
//! is stored with it. A reference's place in the cursor moves with its last commit. If the master
//! ends before that, its commits are given again, and those that are known are known by their ids
//! (INT-04).

mod access;
mod decide;
mod inside;
mod mirror;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use tokio_util::sync::CancellationToken;

use self::decide::{
    Answers, Cursor, Move, MoveKind, Picked, Plan, Work, is_tag, plan, short, work,
};
pub use self::inside::{Brought, brought};
use self::mirror::Mirror;
use super::polling::{
    Batch, MOST_CHANGES, MOST_OF_A_POLL, PollError, change, digest, message, stand_for,
};
use crate::config::{GitPollerConfig, History};
use crate::model::{BRANCHED_FROM, NewChange};
use crate::people::{LARGEST_CODEOWNERS, PLACES};
use crate::vc::git::{Commit, parse_refs};

/// A poller of one repository.
#[derive(Debug)]
pub(super) struct GitPoller {
    config: GitPollerConfig,
    mirror: Mirror,
    /// Digest of the references at the last poll that was completed.
    seen: Option<String>,
    /// The branches that the settings name and that were missing at the last poll.
    missing: BTreeSet<String>,
    /// The poll that is being worked on.
    current: Option<Poll>,
    /// The tips of the last poll that was completed, by reference.
    tips: BTreeMap<String, String>,
    /// The tip at which the file of owners was read last.
    owners_at: Option<String>,
}

/// A file of a repository that says who owns its files.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnersFile<'f> {
    /// Its path, or just `CODEOWNERS` for the places where code hosts look.
    pub(super) path: &'f str,
    /// The branch that it is read from; absent: `main` or `master`.
    pub(super) branch: Option<&'f str>,
}

#[derive(Debug)]
struct Poll {
    /// What is stored so far.
    stored: Option<Cursor>,
    cursor: Cursor,
    work: VecDeque<Work>,
    notes: Vec<String>,
    /// Digest of the references.
    digest: String,
    /// Whether all references were looked at.
    is_complete: bool,
    /// References of the mirror that are no longer followed.
    gone: Vec<String>,
}

impl GitPoller {
    /// The poller of `source`, which keeps its mirror below the directory `mirrors`.
    ///
    /// # Errors
    /// The password cannot be read.
    pub(super) fn new(
        config: GitPollerConfig,
        source: &str,
        mirrors: &Path,
        stop: CancellationToken,
    ) -> Result<Self, PollError> {
        let mirror = Mirror::new(&config, source, mirrors, stop)?;
        Ok(Self {
            config,
            mirror,
            seen: None,
            missing: BTreeSet::new(),
            current: None,
            tips: BTreeMap::new(),
            owners_at: None,
        })
    }

    /// The file of owners, if its branch has moved since it was read last; empty if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is too large.
    pub(super) async fn owners(
        &mut self,
        file: OwnersFile<'_>,
    ) -> Result<Option<String>, PollError> {
        let branches: &[&str] = match &file.branch {
            Some(branch) => &[branch],
            None => &["main", "master"],
        };
        let mut names = branches.iter().map(|branch| format!("refs/heads/{branch}"));
        let tip = names.find_map(|name| self.tips.get_key_value(&name));
        let Some((name, tip)) = tip.filter(|(_, tip)| self.owners_at.as_ref() != Some(tip)) else {
            return Ok(None);
        };
        let places = match file.path {
            "CODEOWNERS" => &PLACES[..],
            path => &[path],
        };
        let text = self.mirror.file(name, places, LARGEST_CODEOWNERS).await?;
        self.owners_at = Some(tip.clone());
        Ok(Some(text.unwrap_or_default()))
    }

    /// The next batch after the stored `cursor`; none at the end of the poll. The first call
    /// begins a poll.
    ///
    /// # Errors
    /// The repository cannot be polled. The next call begins a new poll.
    pub(super) async fn next(&mut self, cursor: Option<&str>) -> Result<Option<Batch>, PollError> {
        let poll = match self.current.take() {
            Some(poll) => poll,
            None => match self.begin(cursor).await? {
                Some(poll) => poll,
                None => return Ok(None),
            },
        };
        self.continue_with(poll).await
    }

    /// Looks whether something has changed, and finds out what.
    async fn begin(&mut self, cursor: Option<&str>) -> Result<Option<Poll>, PollError> {
        let others = self.config.refs.is_some();
        let listed = self.mirror.list(self.config.tags, others).await?;
        let digest = digest(&listed, 32);
        if self.seen.as_ref() == Some(&digest) {
            return Ok(None);
        }
        let listed = parse_refs(&listed).map_err(PollError::new)?;
        let stored: Option<Cursor> = cursor.and_then(|text| serde_json::from_str(text).ok());
        let mut plan = plan(stored.as_ref(), &listed, &self.config);
        let newly_missing = plan.missing.difference(&self.missing);
        plan.notes
            .extend(newly_missing.map(|name| format!("{name} does not exist")));
        self.missing.clone_from(&plan.missing);
        let old = stored.iter().flat_map(|cursor| cursor.refs.keys());
        let gone = old
            .filter(|name| !listed.contains_key(*name))
            .cloned()
            .collect();
        let mut poll = Poll {
            stored,
            notes: std::mem::take(&mut plan.notes),
            cursor: plan.cursor.clone(),
            work: VecDeque::new(),
            digest,
            is_complete: true,
            gone,
        };
        self.look_into(&plan, &mut poll).await?;
        Ok(Some(poll))
    }

    /// Fetches what has moved, and looks into its history.
    async fn look_into(&mut self, plan: &Plan, poll: &mut Poll) -> Result<(), PollError> {
        let names: Vec<&str> = match poll.stored {
            // The mirror begins with all that is followed, so that it knows what a branch had when
            // it is forced.
            None => {
                let unmoved = plan.cursor.refs.keys();
                unmoved
                    .chain(plan.moves.iter().map(|moved| &moved.name))
                    .map(String::as_str)
                    .collect()
            }
            Some(_) => plan.moves.iter().map(|moved| moved.name.as_str()).collect(),
        };
        if names.is_empty() {
            return Ok(());
        }
        self.mirror.fetch(&names).await?;
        let before = poll.stored.clone().unwrap_or_default();
        let moves = self.with_whole_ids(&plan.moves).await?;
        for moved in &moves {
            if let MoveKind::Since(id) = &moved.kind {
                poll.cursor.refs.insert(moved.name.clone(), id.clone());
            }
        }
        let knowns: Vec<_> = moves
            .iter()
            .map(|m| m.known(&before, &plan.cursor, &moves))
            .collect();
        let tips = moves.iter().map(|moved| moved.tip.as_str());
        let asked: BTreeSet<&str> = tips.chain(knowns.iter().flatten().copied()).collect();
        let there = self.mirror.known(&asked).await?;
        let mut left = MOST_OF_A_POLL;
        for (index, (moved, known)) in moves.iter().zip(&knowns).enumerate() {
            if !there.contains(&moved.tip) {
                // It has moved on since it was listed, or it is not a commit.
                self.skip(moved, poll);
                continue;
            }
            let known = known
                .iter()
                .copied()
                .filter(|id| there.contains(*id))
                .collect();
            let others = u64::try_from(moves.len() - index).unwrap_or(u64::MAX);
            let answers = self.answers(moved, &known, (left / others).max(1)).await?;
            let work = self.decide(moved, answers, &before);
            left = left.saturating_sub(u64::try_from(work.commits.len()).unwrap_or(u64::MAX));
            poll.work.push_back(work);
        }
        Ok(())
    }

    fn decide(&self, moved: &Move, answers: Answers, before: &Cursor) -> Work {
        let is_elsewhere = before.url != self.config.repourl && !before.url.is_empty();
        let knows_old = answers.knows_old;
        let mut work = work(moved, answers, &self.config);
        if is_elsewhere && !knows_old && matches!(moved.kind, MoveKind::Moved(_)) {
            // Another repository: this is its first poll.
            work = Work {
                name: moved.name.clone(),
                tip: moved.tip.clone(),
                ..Work::default()
            };
        }
        work
    }

    fn skip(&self, moved: &Move, poll: &mut Poll) {
        if is_tag(&moved.name) {
            poll.notes
                .push(format!("{} does not name a commit", moved.name));
            poll.cursor
                .refs
                .insert(moved.name.clone(), moved.tip.clone());
            return;
        }
        poll.is_complete = false;
        let before = poll
            .stored
            .as_ref()
            .and_then(|stored| stored.refs.get(&moved.name));
        if let Some(before) = before {
            poll.cursor.refs.insert(moved.name.clone(), before.clone());
        }
    }

    /// The moves, in which a start has its whole id.
    async fn with_whole_ids(&self, moves: &[Move]) -> Result<Vec<Move>, PollError> {
        let mut moves = moves.to_vec();
        let mut whole: BTreeMap<String, String> = BTreeMap::new();
        for moved in &mut moves {
            let MoveKind::Since(id) = &mut moved.kind else {
                continue;
            };
            if !whole.contains_key(id) {
                whole.insert(id.clone(), self.mirror.whole_id(id).await?);
            }
            if let Some(whole) = whole.get(id) {
                id.clone_from(whole);
            }
        }
        Ok(moves)
    }

    async fn answers(
        &self,
        moved: &Move,
        known: &BTreeSet<&str>,
        most: u64,
    ) -> Result<Answers, PollError> {
        let mut answers = Answers::default();
        let first_parent = self.config.history == History::FirstParent;
        let old = match &moved.kind {
            MoveKind::Tip => return Ok(answers),
            MoveKind::Since(old) | MoveKind::Moved(old) => Some(old.as_str()),
            MoveKind::Appeared => None,
        };
        answers.knows_old = old.is_none_or(|old| known.contains(old));
        if !answers.knows_old {
            return Ok(answers);
        }
        answers.new = self
            .mirror
            .walk(&moved.tip, known, first_parent, most)
            .await?;
        answers.all = u64::try_from(answers.new.len()).unwrap_or(u64::MAX);
        if answers.all >= most {
            answers.all = self.mirror.count(&moved.tip, known, first_parent).await?;
        }
        if let Some(old) = old {
            answers.loses = !self.mirror.contains(&moved.name, old).await?;
        }
        Ok(answers)
    }

    /// Gives the next batch of a poll.
    async fn continue_with(&mut self, mut poll: Poll) -> Result<Option<Batch>, PollError> {
        let ids = Mirror::ids(poll.work.iter(), MOST_CHANGES);
        let mut changes = Vec::new();
        if !ids.is_empty() {
            let commits = self.mirror.log(&ids).await?;
            let commits: BTreeMap<&str, &Commit> = commits
                .iter()
                .map(|commit| (commit.id.as_str(), commit))
                .collect();
            while changes.len() < MOST_CHANGES {
                let next = poll
                    .work
                    .front()
                    .and_then(|work| Some((work, work.commits.front()?)));
                let commit = next.and_then(|(_, picked)| commits.get(picked.id.as_str()));
                match (next, commit) {
                    (Some((work, picked)), Some(commit)) => {
                        changes.push(self.change(work, picked, commit));
                        poll.advance();
                    }
                    // What is left of the reference needs another log, or nothing is left of it.
                    (Some(_), None) => break,
                    (None, _) if poll.work.is_empty() => break,
                    (None, _) => poll.finish_front(),
                }
            }
        }
        poll.finish_done();
        let is_new = poll.stored.as_ref() != Some(&poll.cursor);
        if changes.is_empty() && !is_new && poll.notes.is_empty() {
            return self.end(poll).await.map(|()| None);
        }
        let notes = std::mem::take(&mut poll.notes);
        let batch = Batch::new(changes, &poll.cursor, notes)?;
        poll.stored = Some(poll.cursor.clone());
        self.current = Some(poll);
        Ok(Some(batch))
    }

    async fn end(&mut self, poll: Poll) -> Result<(), PollError> {
        if !poll.gone.is_empty() {
            let gone: Vec<&str> = poll.gone.iter().map(String::as_str).collect();
            self.mirror.forget(&gone).await?;
        }
        self.seen = poll.is_complete.then_some(poll.digest);
        self.tips = poll.cursor.refs;
        Ok(())
    }

    fn change(&self, work: &Work, picked: &Picked, commit: &Commit) -> NewChange {
        let poller = &self.config.poller;
        let decode = |bytes: &[u8]| poller.encoding.decode(bytes).into_owned();
        let mut change = change(poller, Some(commit.id.clone()), commit.committed_at);
        change.who = format!("{} <{}>", decode(&commit.author), decode(&commit.email));
        change.files = commit.files.iter().map(|file| decode(file)).collect();
        change.files_left_out = commit.files_left_out;
        change.comments = message(poller, &commit.message);
        stand_for(&mut change, picked.stands_for);
        change.branch = Some(short(&work.name).to_owned());
        change.repository = poller.repository_at(&self.config.repourl);
        change.src = Some("git".to_owned());
        if is_tag(&work.name) && change.category.is_none() {
            change.category = Some("tag".to_owned());
        }
        if work.forced {
            change.properties.set("forced", true, "Change");
        }
        if let Some(origin) = &work.origin {
            change
                .properties
                .set(BRANCHED_FROM, origin.as_str(), "Change");
        }
        if let Some(by) = &picked.brought_by {
            change.properties.set("brought_by", by.as_str(), "Change");
        }
        change
    }
}

impl Poll {
    /// The first commit of the first reference is done.
    fn advance(&mut self) {
        if let Some(work) = self.work.front_mut() {
            work.commits.pop_front();
        }
        self.finish_done();
    }

    /// Remembers the references that are done.
    fn finish_done(&mut self) {
        while self
            .work
            .front()
            .is_some_and(|work| work.commits.is_empty())
        {
            self.finish_front();
        }
    }

    fn finish_front(&mut self) {
        if let Some(work) = self.work.pop_front() {
            self.cursor.refs.insert(work.name, work.tip);
            self.notes.extend(work.note);
        }
    }
}

#[cfg(test)]
mod tests;
