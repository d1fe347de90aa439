//! `HgPoller`: finds changes in a repository of Mercurial (POL-12).
//!
//! A poll asks for the newest changeset. If it is the last one seen, that is all. Otherwise, the
//! changesets are pulled into a mirror, and those that are not among the known heads and their
//! ancestors are changes. So each head of a branch is followed, and numbers, which differ between
//! clones, do not matter. Bookmarks are looked at afterwards, each by itself (`bookmarks`).

mod bookmarks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::polling::{
    Batch, LONGEST_MESSAGE, MOST_CHANGES, MOST_FILES, MOST_OF_A_POLL, PollError, Tool, change,
    message, mirror_dir, ssh, stand_for,
};
use crate::config::HgPollerConfig;
use crate::model::NewChange;
use crate::process::Sink;
use crate::vc::hg::{Changeset, LogLimits, LogReader, advance, print, unknown};

/// A poller of one repository.
#[derive(Debug)]
pub(super) struct HgPoller {
    config: HgPollerConfig,
    tool: Tool,
    mirror: PathBuf,
    /// The command line of ssh.
    ssh: String,
    /// The newest changeset at the last poll that was completed.
    seen: Option<String>,
    /// The poll that is being worked on.
    current: Option<Poll>,
}

/// What the repository had when a poll began.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Poll {
    /// The newest changeset, with the bookmarks that are followed.
    tip: String,
    /// The bookmarks that are followed, with their changesets.
    bookmarks: BTreeMap<String, String>,
}

/// What is remembered of a repository.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Cursor {
    /// The heads, whose ancestors are known.
    heads: BTreeSet<String>,
    /// The changesets of each bookmark whose ancestors are known; absent: none is followed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bookmarks: Option<BTreeMap<String, BTreeSet<String>>>,
}

impl HgPoller {
    /// A poller that keeps its mirror below the directory `mirrors`.
    ///
    /// # Errors
    /// The base directory is gone, or the key of the server cannot be written.
    pub(super) fn new(
        config: HgPollerConfig,
        mirrors: &Path,
        stop: CancellationToken,
    ) -> Result<Self, PollError> {
        let mut tool = Tool::new(&config.hg, config.poller.timeout, stop);
        // Without settings that change the output, and without questions.
        tool.set("HGPLAIN", "1");
        tool.set("HGENCODING", "UTF-8");
        let mirror = mirror_dir(mirrors, &config.repourl, "hg")?;
        Ok(Self {
            ssh: ssh(&config.ssh, &mirror.with_extension("known_hosts"))?,
            mirror,
            tool,
            config,
            seen: None,
            current: None,
        })
    }

    /// The next batch after the stored `cursor`; none at the end of the poll. The first call
    /// begins a poll.
    ///
    /// # Errors
    /// The repository cannot be polled. The next call begins a new poll.
    pub(super) async fn next(&mut self, cursor: Option<&str>) -> Result<Option<Batch>, PollError> {
        let poll = match self.current.take() {
            Some(poll) => poll,
            None => match self.begin().await? {
                Some(poll) => poll,
                None => return Ok(None),
            },
        };
        let stored = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let Some(mut stored) = stored else {
            let heads = self.heads("heads(all())").await?;
            let cursor = Cursor {
                heads,
                bookmarks: self.config.bookmarks.as_ref().map(|_| poll.remembered()),
            };
            return self.give(poll, Vec::new(), &cursor);
        };
        let revset = unknown(&stored.heads);
        let skipped = self.skip(&revset, &mut stored.heads).await?;
        let sets = self.log(&unknown(&stored.heads)).await?;
        if sets.is_empty() {
            let marked = self.bookmarked(&poll, &mut stored).await?;
            if let Some(changes) = marked {
                return self.give(poll, changes, &stored);
            }
            self.seen = Some(poll.tip);
            return Ok(None);
        }
        let mut changes = Vec::new();
        for set in &sets {
            advance(&mut stored.heads, set);
            changes.extend(self.change(set));
        }
        if let Some(change) = changes.first_mut() {
            stand_for(change, skipped);
        }
        self.give(poll, changes, &stored)
    }

    fn give(
        &mut self,
        poll: Poll,
        changes: Vec<NewChange>,
        cursor: &Cursor,
    ) -> Result<Option<Batch>, PollError> {
        if cursor.heads.len() > MOST_HEADS {
            let why = format!("the repository has more than {MOST_HEADS} heads");
            return Err(PollError::new(why));
        }
        self.current = Some(poll);
        Batch::new(changes, cursor, Vec::new()).map(Some)
    }

    /// Looks whether something has changed, and pulls it. Returns what the repository has.
    async fn begin(&self) -> Result<Option<Poll>, PollError> {
        let url = self.config.repourl.as_str();
        let ssh = format!("ui.ssh={}", self.ssh);
        let words = [
            "--config", &ssh, "identify", "--id", "--debug", "-r", "tip", "--", url,
        ];
        let tip = self.tool.output(words, None, MOST_SAID).await?;
        let mut tip = String::from_utf8_lossy(&tip).trim().to_owned();
        let bookmarks = self.bookmarks(&ssh).await?;
        for (name, node) in &bookmarks {
            tip.push_str(&format!("\n{name}\t{node}"));
        }
        if self.seen.as_ref() == Some(&tip) {
            return Ok(None);
        }
        if !tokio::fs::try_exists(self.mirror.join(".hg"))
            .await
            .unwrap_or(false)
        {
            let dir = self.mirror.to_string_lossy().into_owned();
            self.tool
                .output(["init", "--", &dir], None, MOST_SAID)
                .await?;
        }
        let words = ["--config", &ssh, "pull", "--quiet", "--", url];
        self.inside(words.map(str::to_owned).to_vec()).await?;
        Ok(Some(Poll { tip, bookmarks }))
    }

    /// If there are too many changesets, moves `heads` on to where the newest begin. Returns the
    /// number of those before.
    async fn skip(&self, revset: &str, heads: &mut BTreeSet<String>) -> Result<u64, PollError> {
        let words = ["log", "-r", revset, "-T", "x"].map(str::to_owned).to_vec();
        let all = u64::try_from(self.inside(words).await?.len()).unwrap_or(u64::MAX);
        let skipped = all.saturating_sub(MOST_OF_A_POLL);
        if skipped > 0 {
            let known: Vec<_> = heads
                .iter()
                .map(|node| format!("present({node})"))
                .collect();
            let known = known.join("+");
            *heads = self
                .heads(&format!("heads(::(first({revset},{skipped})+{known}))"))
                .await?;
        }
        Ok(skipped)
    }

    async fn heads(&self, revset: &str) -> Result<BTreeSet<String>, PollError> {
        let words = ["log", "-r", revset, "-T", "{node}\\n"]
            .map(str::to_owned)
            .to_vec();
        let printed = self.inside(words).await?;
        let printed = String::from_utf8_lossy(&printed);
        Ok(printed.lines().map(str::to_owned).collect())
    }

    async fn log(&self, revset: &str) -> Result<Vec<Changeset>, PollError> {
        let mut reading = Reading(LogReader::new(LIMITS));
        let words = self.words(print(revset, MOST_CHANGES));
        self.tool.run(words, None, &mut reading, true).await?;
        Ok(reading.0.finish())
    }

    async fn inside(&self, words: Vec<String>) -> Result<Vec<u8>, PollError> {
        self.tool.output(self.words(words), None, MOST_LISTED).await
    }

    fn words(&self, words: Vec<String>) -> Vec<String> {
        let mirror = self.mirror.to_string_lossy().into_owned();
        let place = ["--repository".to_owned(), mirror];
        place.into_iter().chain(words).collect()
    }

    /// The change of a changeset, if its branch is followed.
    fn change(&self, set: &Changeset) -> Option<NewChange> {
        let poller = &self.config.poller;
        let decode = |bytes: &[u8]| poller.encoding.decode(bytes).into_owned();
        let branch = decode(&set.branch);
        if !self.config.has_branches || !self.config.branches.selects(&branch) {
            return None;
        }
        Some(self.change_on(branch, set))
    }

    /// The change of a changeset on a branch or bookmark.
    fn change_on(&self, branch: String, set: &Changeset) -> NewChange {
        let poller = &self.config.poller;
        let decode = |bytes: &[u8]| poller.encoding.decode(bytes).into_owned();
        let mut change = change(poller, Some(set.node.clone()), set.date);
        change.who = decode(&set.author);
        change.comments = message(poller, &set.message);
        change.files = set.files.iter().map(|file| decode(file)).collect();
        change.files_left_out = set.files_left_out;
        change.branch = Some(branch);
        change.repository = poller.repository_at(&self.config.repourl);
        change.src = Some("hg".to_owned());
        change
    }
}

struct Reading(LogReader);

impl Sink for Reading {
    fn take(&mut self, piece: &[u8]) -> bool {
        self.0.feed(piece)
    }
}

/// Bytes of the output of short commands.
const MOST_SAID: usize = 64 * 1024;
/// Bytes of lists of changesets.
const MOST_LISTED: usize = 16 << 20;
/// Most heads that fit into a command.
const MOST_HEADS: usize = 2_000;

const LIMITS: LogLimits = LogLimits {
    text: LONGEST_MESSAGE,
    files: MOST_FILES,
    total: 8 << 20,
};

#[cfg(test)]
mod tests;
