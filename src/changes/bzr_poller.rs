//! `BzrPoller`: finds changes in a branch of Bazaar (POL-12).
//!
//! A poll asks for the number and the id of the newest revision. If they are the last ones seen,
//! that is all. Otherwise, the revisions of the mainline in between are read in windows. The id of
//! the last revision tells whether its number still means the same revision.

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::polling::{
    Backlog, Batch, LONGEST_MESSAGE, MOST_FILES, PollError, TextLines, Tool, change, first_after,
    message, stand_for,
};
use crate::config::BzrPollerConfig;
use crate::model::NewChange;
use crate::vc::bzr::{LogLimits, LogReader, Revision, log, parse_revision_info, revision_info};

/// A poller of one branch.
#[derive(Debug)]
pub(super) struct BzrPoller {
    config: BzrPollerConfig,
    tool: Tool,
    /// The poll that is being worked on.
    current: Option<Poll>,
}

#[derive(Debug)]
struct Poll {
    newest: u64,
    id: String,
    backlog: Backlog,
}

/// What is remembered of a branch: the last revision whose changes are stored.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Cursor {
    revision: u64,
    /// Its id; empty until all revisions of a poll are stored.
    id: String,
}

impl BzrPoller {
    pub(super) fn new(config: BzrPollerConfig, stop: CancellationToken) -> Self {
        let mut tool = Tool::new(&config.bzr, config.poller.timeout, stop);
        tool.set("BZR_PROGRESS_BAR", "none");
        tool.set("BZR_LOG", "/dev/null");
        tool.set("BRZ_LOG", "/dev/null");
        Self {
            config,
            tool,
            current: None,
        }
    }

    /// The next batch after the stored `cursor`; none at the end of the poll. The first call
    /// begins a poll.
    ///
    /// # Errors
    /// The branch cannot be polled. The next call begins a new poll.
    pub(super) async fn next(&mut self, cursor: Option<&str>) -> Result<Option<Batch>, PollError> {
        let stored = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let mut poll = match self.current.take() {
            Some(poll) => poll,
            None => {
                let (newest, id) = self.revision(None).await?;
                if stored
                    .as_ref()
                    .is_some_and(|s| (s.revision, &s.id) == (newest, &id))
                {
                    return Ok(None);
                }
                let overwritten = self.is_overwritten(stored.as_ref(), newest).await?;
                let poll = Poll {
                    newest,
                    id,
                    backlog: Backlog::default(),
                };
                if overwritten {
                    return self.begin_again(poll).await.map(Some);
                }
                poll
            }
        };
        let Some(stored) = stored else {
            // The first poll of this branch.
            let newest = poll.newest;
            return self.give(poll, Vec::new(), newest, Vec::new()).map(Some);
        };
        if poll.backlog.is_empty() {
            if stored.revision >= poll.newest {
                return Ok(None);
            }
            self.read_window(&mut poll, stored.revision).await?;
        }
        let (changes, done) = poll.backlog.take();
        self.give(poll, changes, done, Vec::new()).map(Some)
    }

    fn give(
        &mut self,
        poll: Poll,
        changes: Vec<NewChange>,
        revision: u64,
        notes: Vec<String>,
    ) -> Result<Batch, PollError> {
        let is_all = revision == poll.newest;
        let cursor = Cursor {
            revision,
            id: if is_all {
                poll.id.clone()
            } else {
                String::new()
            },
        };
        self.current = Some(poll);
        Batch::new(changes, &cursor, notes)
    }

    /// The branch has other revisions than before: its newest one is a change.
    async fn begin_again(&mut self, poll: Poll) -> Result<Batch, PollError> {
        let newest = poll.newest;
        let mut changes = self.read(newest, newest).await?;
        for change in &mut changes {
            change.properties.set("forced", true, "Change");
        }
        let notes = vec![format!(
            "the branch was overwritten; its newest revision is {newest}"
        )];
        self.give(poll, changes, newest, notes)
    }

    /// Whether the stored revision has left the mainline.
    async fn is_overwritten(
        &self,
        stored: Option<&Cursor>,
        newest: u64,
    ) -> Result<bool, PollError> {
        let Some(stored) = stored.filter(|stored| stored.revision > 0) else {
            return Ok(false);
        };
        if stored.revision > newest {
            return Ok(true);
        }
        if stored.id.is_empty() {
            return Ok(false);
        }
        let (_, id) = self.revision(Some(stored.revision)).await?;
        Ok(id != stored.id)
    }

    async fn revision(&self, number: Option<u64>) -> Result<(u64, String), PollError> {
        let words = revision_info(&self.config.repourl, number);
        let printed = self.tool.output(words, None, MOST_SAID).await?;
        parse_revision_info(&printed)
            .ok_or_else(|| PollError::new("bzr revision-info does not tell a revision"))
    }

    /// Reads the next revisions after `last` into the backlog.
    async fn read_window(&self, poll: &mut Poll, last: u64) -> Result<(), PollError> {
        let (first, skipped) = first_after(last, poll.newest);
        let to = poll.newest.min(first + WINDOW - 1);
        let mut changes = self.read(first, to).await?;
        if let Some(change) = changes.first_mut() {
            stand_for(change, skipped);
        }
        let numbered = changes.into_iter().map(|change| {
            let number = change
                .revision
                .as_deref()
                .and_then(|number| number.parse().ok());
            (number.unwrap_or(to), change)
        });
        poll.backlog.fill(numbered, to);
        Ok(())
    }

    async fn read(&self, from: u64, to: u64) -> Result<Vec<NewChange>, PollError> {
        let words = log(from, to, &self.config.repourl);
        let mut reader = LogReader::new(LIMITS);
        let encoding = self.config.poller.encoding;
        let mut lines = TextLines::new(encoding, |line: &str| reader.line(line));
        self.tool.run(words, None, &mut lines, false).await?;
        lines.finish();
        Ok(reader
            .finish()
            .into_iter()
            .map(|revision| self.change(revision))
            .collect())
    }

    fn change(&self, revision: Revision) -> NewChange {
        let poller = &self.config.poller;
        let mut change = change(poller, Some(revision.number.to_string()), revision.date);
        change.who = revision.author;
        change.comments = message(poller, revision.message.as_bytes());
        change.files = revision.files;
        change.files_left_out = revision.files_left_out;
        change.branch.clone_from(&self.config.branch);
        change.repository = poller.repository_at(&self.config.repourl);
        change.src = Some("bzr".to_owned());
        change
    }
}

/// Revisions that are read at once.
const WINDOW: u64 = 100;
/// Bytes of the output of short commands.
const MOST_SAID: usize = 64 * 1024;

const LIMITS: LogLimits = LogLimits {
    message: LONGEST_MESSAGE,
    files: MOST_FILES,
    total: 8 << 20,
};

#[cfg(test)]
mod tests;
