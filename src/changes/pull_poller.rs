//! `PullRequestPoller`: finds pull requests at a code host (POL-13).
//!
//! A poll asks the API for the open pull requests, the last changed first. If the host says that
//! the list is the same as before, that is all. [decide] tells which ones are changes. For each of
//! those, the host is asked for its files. What is remembered is in the cursor: the newest commit
//! of each open pull request, and which of them wait for an approval.

mod decide;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::decide::{Approved, Cursor, Seen, plan, selection, waiting};
use super::polling::{Batch, HttpAnswer, HttpTool, MOST_FILES, PollError, message};
use crate::clock::Clock;
use crate::config::PullPollerConfig;
use crate::control::read_password;
use crate::model::NewChange;
use crate::protocol::pulls::{PullHost, PullRequest, PullSite};

/// A poller of the pull requests of one repository.
#[derive(Debug)]
pub(super) struct PullPoller {
    config: PullPollerConfig,
    site: PullSite,
    http: HttpTool,
    clock: Clock,
    /// Until when the host wants to be left alone.
    quiet_until: Option<Instant>,
    /// The approvals that the next poll takes into account.
    approvals: Vec<Approved>,
    /// The pull requests whose approvals had an effect in this poll.
    approved: BTreeSet<u64>,
    /// The poll that is being worked on.
    current: Option<Poll>,
    /// The pull requests that wait for an approval, in words.
    waiting: Vec<String>,
    /// That the host wants to be left alone, in words.
    left_alone: Option<String>,
}

#[derive(Debug)]
struct Poll {
    take: VecDeque<PullRequest>,
    cursor: Cursor,
    etag: Option<String>,
}

impl PullPoller {
    /// A poller.
    ///
    /// # Errors
    /// The token cannot be read, or the address of the repository is not that of a code host.
    pub(super) fn new(
        config: PullPollerConfig,
        clock: Clock,
        stop: CancellationToken,
    ) -> Result<Self, PollError> {
        let host = config.host.as_ref();
        let kind = host.and_then(|host| PullHost::named(host.kind));
        let api = host.and_then(|host| host.api.as_deref());
        let site = kind.and_then(|kind| PullSite::of(kind, api, &config.repourl));
        let site = site
            .ok_or_else(|| PollError::new(format!("{} is not at a code host", config.repourl)))?;
        let mut authorization = None;
        if let Some(secret) = host.and_then(|host| host.token.as_ref()) {
            let token = read_password(secret, Path::new(".")).map_err(PollError::new)?;
            let token = String::from_utf8(token);
            let token = token.map_err(|_| PollError::new("the token is not UTF-8"))?;
            authorization = Some(site.host.authorization(token.trim()));
        }
        Ok(Self {
            http: HttpTool {
                authorization,
                time: config.poller.timeout,
                stop,
            },
            config,
            site,
            clock,
            quiet_until: None,
            approvals: Vec::new(),
            approved: BTreeSet::new(),
            current: None,
            waiting: Vec::new(),
            left_alone: None,
        })
    }

    /// Takes approvals into account from now on: numbers of pull requests, each with a commit.
    pub(super) fn approve(&mut self, approvals: Vec<Approved>) {
        self.approvals = approvals;
        self.approved.clear();
    }

    /// Whether an approval of this pull request had an effect in the last poll.
    pub(super) fn has_approved(&self, number: u64) -> bool {
        self.approved.contains(&number)
    }

    /// What is to be shown as long as it is so: who waits for an approval, and that the host wants
    /// to be left alone.
    pub(super) fn standing(&self) -> Vec<String> {
        let all = self.waiting.iter().chain(&self.left_alone);
        all.cloned().collect()
    }

    /// The next batch after the stored `cursor`; none at the end of the poll. The first call
    /// begins a poll.
    ///
    /// # Errors
    /// The host cannot be asked. The next call begins a new poll.
    pub(super) async fn next(&mut self, cursor: Option<&str>) -> Result<Option<Batch>, PollError> {
        let mut poll = match self.current.take() {
            Some(poll) => poll,
            None => match self.begin(cursor).await? {
                Some(poll) => poll,
                None => return Ok(None),
            },
        };
        if poll.take.is_empty() && poll.cursor.etag == poll.etag && is_stored(cursor, &poll.cursor)
        {
            return Ok(None);
        }
        let mut changes = Vec::new();
        while changes.len() < MOST_ASKED
            && let Some(pull) = poll.take.front()
        {
            let Some(change) = self.change(pull).await? else {
                // The host wants to be left alone. The next poll goes on from here.
                if changes.is_empty() {
                    return Ok(None);
                }
                poll.take.clear();
                return self.batch(changes, &poll.cursor).map(Some);
            };
            let seen = Seen {
                head: pull.head.clone(),
                waits: None,
            };
            poll.cursor.pulls.insert(pull.number, seen);
            poll.take.pop_front();
            changes.push(change);
        }
        if poll.take.is_empty() {
            poll.cursor.etag.clone_from(&poll.etag);
        }
        let batch = self.batch(changes, &poll.cursor)?;
        self.current = Some(poll);
        Ok(Some(batch))
    }

    fn batch(&mut self, changes: Vec<NewChange>, cursor: &Cursor) -> Result<Batch, PollError> {
        self.waiting = waiting(cursor);
        Batch::new(changes, cursor, Vec::new())
    }

    /// Asks for the list, and finds out what is new; none if nothing is.
    async fn begin(&mut self, cursor: Option<&str>) -> Result<Option<Poll>, PollError> {
        let stored = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let list = self.site.list(self.site.first_page());
        let stored = stored.filter(|stored| stored.list == list);
        self.waiting = stored.as_ref().map(waiting).unwrap_or_default();
        self.left_alone = None;
        let selection = selection(&self.config);
        let is_same = |stored: &&Cursor| stored.selection == selection;
        let etag = stored
            .as_ref()
            .filter(is_same)
            .and_then(|stored| stored.etag.clone());
        // An approval needs the list again.
        let etag = etag.filter(|_| self.approvals.is_empty());
        let Some((pulls, etag)) = self.list(etag.as_deref()).await? else {
            return Ok(None);
        };
        let mut plan = plan(stored.as_ref(), &pulls, &self.approvals, &self.config);
        self.approvals.clear();
        self.approved = std::mem::take(&mut plan.approved);
        plan.cursor.list = list;
        plan.cursor.selection = selection;
        Ok(Some(Poll {
            take: plan.take.into(),
            cursor: plan.cursor,
            etag,
        }))
    }

    /// The open pull requests and the mark of their list; none if they are the same as before.
    async fn list(
        &mut self,
        etag: Option<&str>,
    ) -> Result<Option<(Vec<PullRequest>, Option<String>)>, PollError> {
        let (mut pulls, mut mark) = (Vec::new(), None);
        let mut page = self.site.first_page();
        for asked in 0..MOST_PAGES {
            let etag = etag.filter(|_| asked == 0);
            let Some(answer) = self.get(&self.site.list(page), etag).await? else {
                return Ok(None);
            };
            let Some(body) = answer.body else {
                return Ok(None);
            };
            if asked == 0 {
                mark = answer.etag;
            }
            let read = self.site.parse_list(page, &body).map_err(PollError::new)?;
            pulls.extend(read.pulls);
            match read.next {
                Some(next) => page = next,
                None => break,
            }
        }
        Ok(Some((pulls, mark)))
    }

    /// The change of a pull request; none if the host wants to be left alone.
    async fn change(&mut self, pull: &PullRequest) -> Result<Option<NewChange>, PollError> {
        let Some(answer) = self.get(&self.site.files(pull.number), None).await? else {
            return Ok(None);
        };
        let body = answer.body.unwrap_or_default();
        let (mut files, has_more) = self.site.parse_files(&body).map_err(PollError::new)?;
        files.truncate(MOST_FILES);
        let mut change = self.site.change(pull);
        if let Some(url) = self.site.commit(pull) {
            let Some(answer) = self.get(&url, None).await? else {
                return Ok(None);
            };
            let hash = self.site.parse_commit(&answer.body.unwrap_or_default());
            change.revision = Some(hash.map_err(PollError::new)?);
        }
        let poller = &self.config.poller;
        change.files = files;
        change.files_left_out = u64::from(has_more);
        change.comments.push_str("\n\n");
        change
            .comments
            .push_str(&message(poller, pull.title.as_bytes()));
        change.repository = match &pull.source {
            Some(source) => source.clone(),
            None => poller.repository_at(&self.config.repourl),
        };
        change.project.clone_from(&poller.project);
        change.codebase.clone_from(&poller.codebase);
        if poller.category.is_some() {
            change.category.clone_from(&poller.category);
        }
        change.when = change.made_at.filter(|_| poller.commit_times);
        Ok(Some(change))
    }

    /// Asks, unless the host wants to be left alone; then there is no answer.
    async fn get(
        &mut self,
        url: &str,
        etag: Option<&str>,
    ) -> Result<Option<HttpAnswer>, PollError> {
        let now = Instant::now();
        if let Some(until) = self.quiet_until.filter(|until| *until > now) {
            self.left_alone(until - now);
            return Ok(None);
        }
        let wall = self.clock.wall().0.div_euclid(1_000_000);
        let answer = self.http.get(url, etag, wall).await?;
        self.quiet_until = answer.pause.map(|pause| now + pause);
        match answer.pause {
            Some(pause) if answer.body.is_none() => {
                self.left_alone(pause);
                Ok(None)
            }
            _ => Ok(Some(answer)),
        }
    }

    fn left_alone(&mut self, pause: Duration) {
        self.left_alone = Some(format!(
            "the code host takes no more requests for {} s",
            pause.as_secs().max(1)
        ));
    }
}

/// Whether a cursor is the stored one.
fn is_stored(stored: Option<&str>, cursor: &Cursor) -> bool {
    let stored = stored.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
    stored.as_ref() == Some(cursor)
}

/// Pull requests whose files are asked for before their changes are stored.
const MOST_ASKED: usize = 20;
/// Pages of the list.
const MOST_PAGES: u64 = 20;

#[cfg(test)]
mod tests;
