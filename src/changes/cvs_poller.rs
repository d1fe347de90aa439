//! `CVSPoller`: finds changes in a module of CVS (POL-12).
//!
//! CVS knows revisions of files, each with a time. A poll reads the revisions since the last time
//! seen, less a minute, and gathers those of one commit. Revisions that were seen before in that
//! minute are left out.

mod gather;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use self::gather::{Gathered, gather};
use super::polling::{
    Batch, LONGEST_MESSAGE, MOST_CHANGES, MOST_FILES, PollError, TextLines, Tool, change, message,
};
use crate::clock::Clock;
use crate::config::CvsPollerConfig;
use crate::model::NewChange;
use crate::vc::cvs::{FileRevision, LogReader, log, time, without_password};

/// A poller of one module.
#[derive(Debug)]
pub(super) struct CvsPoller {
    config: CvsPollerConfig,
    tool: Tool,
    clock: Clock,
    /// The commits of the poll that is being worked on.
    current: Option<Vec<Gathered>>,
}

/// What is remembered of a module.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Cursor {
    /// The newest time seen, in seconds since 1970.
    seen: i64,
    /// The revisions of the last minute before it: file and revision.
    last: BTreeSet<(String, String)>,
}

impl CvsPoller {
    pub(super) fn new(config: CvsPollerConfig, clock: Clock, stop: CancellationToken) -> Self {
        Self {
            tool: Tool::new(&config.cvs, config.poller.timeout, stop),
            config,
            clock,
            current: None,
        }
    }

    /// The next batch after the stored `cursor`; none at the end of the poll. The first call
    /// begins a poll.
    ///
    /// # Errors
    /// The module cannot be polled. The next call begins a new poll.
    pub(super) async fn next(&mut self, cursor: Option<&str>) -> Result<Option<Batch>, PollError> {
        let now = self.clock.wall().0.div_euclid(1_000_000);
        let stored = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let Some(mut stored) = stored else {
            // The first poll of this module. What is committed from now on is a change.
            let cursor = Cursor {
                seen: now,
                last: self
                    .revisions(now - OVERLAP)
                    .await?
                    .iter()
                    .map(key)
                    .collect(),
            };
            return Batch::new(Vec::new(), &cursor, Vec::new()).map(Some);
        };
        let mut commits = match self.current.take() {
            Some(commits) => commits,
            None => {
                let mut revisions = self.revisions(stored.seen - OVERLAP).await?;
                revisions.retain(|revision| !stored.last.contains(&key(revision)));
                gather(revisions, now)
            }
        };
        if commits.is_empty() {
            return Ok(None);
        }
        let rest = commits.split_off(commits.len().min(MOST_CHANGES));
        for commit in &commits {
            stored.seen = stored.seen.max(commit.newest);
            stored.last.extend(commit.files.iter().cloned());
        }
        if rest.is_empty() {
            let oldest = stored.seen - OVERLAP;
            let recent = self.revisions(oldest).await?;
            let recent: BTreeSet<_> = recent.iter().map(key).collect();
            stored.last.retain(|seen| recent.contains(seen));
        }
        let changes = commits.iter().map(|commit| self.change(commit)).collect();
        self.current = Some(rest);
        Batch::new(changes, &stored, Vec::new()).map(Some)
    }

    /// The revisions of files since a time.
    async fn revisions(&self, since: i64) -> Result<Vec<FileRevision>, PollError> {
        let since = DateTime::<Utc>::from_timestamp(since, 0).unwrap_or_default();
        let CvsPollerConfig {
            cvsroot, cvsmodule, ..
        } = &self.config;
        let words = log(cvsroot, cvsmodule, &time(since));
        let root = cvsroot
            .rsplit_once(':')
            .map_or(cvsroot.as_str(), |(_, path)| path);
        let mut reader = LogReader::new(root, cvsmodule, LONGEST_MESSAGE);
        let encoding = self.config.poller.encoding;
        let mut lines = TextLines::new(encoding, |line: &str| reader.line(line));
        self.tool.run(words, None, &mut lines, false).await?;
        lines.finish();
        Ok(reader.finish())
    }

    fn change(&self, commit: &Gathered) -> NewChange {
        let poller = &self.config.poller;
        let newest = DateTime::<Utc>::from_timestamp(commit.newest, 0).unwrap_or_default();
        let mut change = change(poller, Some(time(newest)), Some(commit.newest));
        change.who.clone_from(&commit.author);
        change.comments = message(poller, commit.message.as_bytes());
        let files = commit.files.iter().map(|(file, _)| file.clone());
        change.files = files.take(MOST_FILES).collect();
        let left_out = commit.files.len().saturating_sub(MOST_FILES);
        change.files_left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
        change.branch.clone_from(&commit.branch);
        change.repository = poller.repository_at(&without_password(&self.config.cvsroot));
        change.src = Some("cvs".to_owned());
        change
    }
}

fn key(revision: &FileRevision) -> (String, String) {
    (revision.file.clone(), revision.revision.clone())
}

/// Seconds that are read again, because clocks of a server may go back.
const OVERLAP: i64 = 60;

#[cfg(test)]
mod tests;
