//! `SVNPoller`: finds changes in a repository of Subversion (POL-11).
//!
//! A poll asks for the newest revision. If it is the last one seen, that is all. Otherwise, the
//! revisions in between are read in windows, so that none is missed however many there are.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::polling::{
    Backlog, Batch, LONGEST_MESSAGE, MOST_FILES, PollError, Tool, change, first_after, message,
    mirror_dir, ssh, stand_for,
};
use crate::config::{Place, SvnPollerConfig};
use crate::control::read_password;
use crate::model::NewChange;
use crate::process::Sink;
use crate::vc::svn::{Entry, Info, LogLimits, LogReader, log};

/// A poller of one repository.
#[derive(Debug)]
pub(super) struct SvnPoller {
    config: SvnPollerConfig,
    tool: Tool,
    /// Options of all commands.
    options: Vec<String>,
    password: Option<Vec<u8>>,
    /// The poll that is being worked on.
    current: Option<Poll>,
}

#[derive(Debug)]
struct Poll {
    newest: u64,
    uuid: String,
    /// The directory of the address in its repository; a slash follows unless it is empty.
    prefix: String,
    backlog: Backlog,
    notes: Vec<String>,
}

/// What is remembered of a repository.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Cursor {
    uuid: String,
    /// The last revision whose changes are stored.
    revision: u64,
}

impl SvnPoller {
    /// A poller that keeps the key of its server below the directory `mirrors`.
    ///
    /// # Errors
    /// The password cannot be read, or the key cannot be written.
    pub(super) fn new(
        config: SvnPollerConfig,
        mirrors: &Path,
        stop: CancellationToken,
    ) -> Result<Self, PollError> {
        let mut options = ["--non-interactive", "--no-auth-cache"]
            .map(str::to_owned)
            .to_vec();
        options.extend(config.extra_args.iter().cloned());
        let mut password = None;
        if let Some(user) = &config.login.username {
            options.extend(["--username".to_owned(), user.clone()]);
        }
        if let Some(secret) = &config.login.password {
            let secret = read_password(secret, Path::new("."));
            password = Some(secret.map_err(PollError::new)?);
            options.push("--password-from-stdin".to_owned());
        }
        let mut tool = Tool::new(&config.svn, config.poller.timeout, stop);
        let place = mirror_dir(mirrors, &config.repourl, "known_hosts")?;
        tool.set("SVN_SSH", ssh(&config.ssh, &place)?);
        Ok(Self {
            tool,
            config,
            options,
            password,
            current: None,
        })
    }

    /// The next batch after the stored `cursor`; none at the end of the poll. The first call
    /// begins a poll.
    ///
    /// # Errors
    /// The repository cannot be polled. The next call begins a new poll.
    pub(super) async fn next(&mut self, cursor: Option<&str>) -> Result<Option<Batch>, PollError> {
        let mut poll = match self.current.take() {
            Some(poll) => poll,
            None => self.begin().await?,
        };
        let stored = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let stored = stored.filter(|stored| stored.uuid == poll.uuid);
        let Some(stored) = stored else {
            // The first poll of this repository.
            let revision = self.config.start.unwrap_or(poll.newest).min(poll.newest);
            return self.give(poll, Vec::new(), revision);
        };
        if stored.revision > poll.newest {
            poll.notes
                .push(format!("the newest revision is {} again", poll.newest));
            let newest = poll.newest;
            return self.give(poll, Vec::new(), newest);
        }
        if poll.backlog.is_empty() {
            if stored.revision == poll.newest {
                return Ok(None);
            }
            self.read_window(&mut poll, stored.revision).await?;
        }
        let (changes, done) = poll.backlog.take();
        self.give(poll, changes, done)
    }

    fn give(
        &mut self,
        mut poll: Poll,
        changes: Vec<NewChange>,
        revision: u64,
    ) -> Result<Option<Batch>, PollError> {
        let cursor = Cursor {
            uuid: poll.uuid.clone(),
            revision,
        };
        let notes = std::mem::take(&mut poll.notes);
        self.current = Some(poll);
        Batch::new(changes, &cursor, notes).map(Some)
    }

    async fn begin(&self) -> Result<Poll, PollError> {
        let words = ["info", "--xml", self.config.repourl.as_str()].map(str::to_owned);
        let words = words.into_iter().chain(self.options.iter().cloned());
        let xml = self
            .tool
            .output(words, self.password.as_deref(), MOST_SAID)
            .await?;
        let info = Info::parse(&String::from_utf8_lossy(&xml));
        let newest = info.revision.and_then(|revision| revision.parse().ok());
        let (Some(newest), Some(url), Some((root, uuid))) = (newest, info.url, info.repository)
        else {
            return Err(PollError::new("svn info does not tell the newest revision"));
        };
        let below = url
            .strip_prefix(&root)
            .unwrap_or_default()
            .trim_matches('/');
        let below = percent_encoding::percent_decode_str(below).decode_utf8_lossy();
        let prefix = if below.is_empty() {
            String::new()
        } else {
            format!("{below}/")
        };
        Ok(Poll {
            newest,
            uuid,
            prefix,
            backlog: Backlog::default(),
            notes: Vec::new(),
        })
    }

    /// Reads the next revisions after `last` into the backlog.
    async fn read_window(&self, poll: &mut Poll, last: u64) -> Result<(), PollError> {
        let (first, skipped) = first_after(last, poll.newest);
        let to = poll.newest.min(first + WINDOW - 1);
        let words = log(first, to, &self.config.repourl);
        let words = words.into_iter().chain(self.options.iter().cloned());
        let mut reading = Reading(LogReader::new(LIMITS));
        self.tool
            .run(words, self.password.as_deref(), &mut reading, true)
            .await?;
        let (entries, is_cut) = reading.finish();
        let upto = match entries.last() {
            Some(entry) if is_cut => entry.revision,
            Some(_) | None => to,
        };
        let mut changes = Vec::new();
        for entry in &entries {
            let of_entry = self.changes(poll, entry);
            changes.extend(of_entry.into_iter().map(|change| (entry.revision, change)));
        }
        if let Some((_, change)) = changes.first_mut() {
            stand_for(change, skipped);
        }
        poll.backlog.fill(changes, upto);
        Ok(())
    }

    /// One change for each branch that a revision touches.
    fn changes(&self, poll: &mut Poll, entry: &Entry) -> Vec<NewChange> {
        let mut branches: BTreeMap<(Option<String>, Option<String>), Vec<String>> = BTreeMap::new();
        let mut deleted = Vec::new();
        for path in &entry.paths {
            let whole = format!("{}{}", path.path, if path.is_dir { "/" } else { "" });
            let Some(inside) = whole.strip_prefix(&poll.prefix) else {
                continue;
            };
            let place = self.config.split_file.place(inside.trim_end_matches('/'));
            let Some(Place {
                project,
                branch,
                file,
            }) = place
            else {
                continue;
            };
            let key = (project, branch);
            if file.is_empty() && path.is_deleted {
                deleted.push(key.clone());
            }
            let files = branches.entry(key).or_default();
            // The directory of the branch itself is not a file of it.
            files.extend((!file.is_empty()).then_some(file));
        }
        for key in deleted {
            if branches.get(&key).is_some_and(Vec::is_empty) {
                let name = key.1.as_deref().unwrap_or("the default branch");
                poll.notes
                    .push(format!("{name} is gone since revision {}", entry.revision));
                branches.remove(&key);
            }
        }
        let change = |((project, branch), files)| self.change(entry, project, branch, files);
        branches.into_iter().map(change).collect()
    }

    fn change(
        &self,
        entry: &Entry,
        project: Option<String>,
        branch: Option<String>,
        files: Vec<String>,
    ) -> NewChange {
        let poller = &self.config.poller;
        let mut change = change(poller, Some(entry.revision.to_string()), entry.date);
        change.who.clone_from(&entry.author);
        change.comments = message(poller, entry.message.as_bytes());
        change.files = files;
        change.files_left_out = entry.paths_left_out;
        change.branch = branch;
        change.project = project.unwrap_or(change.project);
        change.repository = poller.repository_at(&self.config.repourl);
        change.src = Some("svn".to_owned());
        change
    }
}

struct Reading(LogReader);

impl Reading {
    /// The revisions, and whether the limit was reached.
    fn finish(self) -> (Vec<Entry>, bool) {
        let is_full = self.0.is_full();
        (self.0.finish(), is_full)
    }
}

impl Sink for Reading {
    fn take(&mut self, piece: &[u8]) -> bool {
        self.0.feed(piece)
    }
}

/// Revisions that are read at once.
const WINDOW: u64 = 100;
/// Bytes of the output of short commands.
const MOST_SAID: usize = 64 * 1024;

const LIMITS: LogLimits = LogLimits {
    message: LONGEST_MESSAGE,
    paths: MOST_FILES,
    total: 8 << 20,
};

#[cfg(test)]
mod tests;
