//! `P4Source`: finds changes at a server of Perforce (POL-12).
//!
//! A poll lists the numbers of the submitted changes after the last one seen, and has the server
//! describe them, some at a time. A change of the server is one change for each branch in it. The
//! password is given to the program in its environment, where other users do not see it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::polling::{
    Backlog, Batch, LONGEST_MESSAGE, LONGEST_NAME, MOST_FILES, MOST_OF_A_POLL, PollError, Tool,
    change, message, stand_for,
};
use crate::config::P4SourceConfig;
use crate::control::read_password;
use crate::model::NewChange;
use crate::process::Sink;
use crate::vc::p4::log::{
    DescribeReader, Described, LOGIN, LogLimits, changes, describe, parse_changes, parse_ticket,
};

/// A poller of one server.
#[derive(Debug)]
pub(super) struct P4Poller {
    config: P4SourceConfig,
    tool: Tool,
    /// When the ticket that is used was got.
    ticket_since: Option<Instant>,
    /// The poll that is being worked on.
    current: Option<Poll>,
}

#[derive(Debug)]
struct Poll {
    /// The numbers that were not described yet.
    numbers: VecDeque<u64>,
    /// The number of older changes for which the next one stands.
    stands_for: u64,
    backlog: Backlog,
}

/// What is remembered of a server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Cursor {
    /// The server and what is polled of it.
    address: String,
    /// The last number whose changes are stored.
    number: u64,
}

impl P4Poller {
    /// A poller.
    ///
    /// # Errors
    /// The password cannot be read.
    pub(super) fn new(config: P4SourceConfig, stop: CancellationToken) -> Result<Self, PollError> {
        let mut tool = Tool::new(&config.p4, config.poller.timeout, stop);
        for name in PASSED {
            if let Some(value) = std::env::var_os(name) {
                tool.set(name, value);
            }
        }
        if let (Some(secret), false) = (&config.login.password, config.use_tickets) {
            let password = read_password(secret, Path::new(".")).map_err(PollError::new)?;
            tool.set("P4PASSWD", OsString::from_vec(password));
        }
        Ok(Self {
            config,
            tool,
            ticket_since: None,
            current: None,
        })
    }

    /// The next batch after the stored `cursor`; none at the end of the poll. The first call
    /// begins a poll.
    ///
    /// # Errors
    /// The server cannot be polled. The next call begins a new poll.
    pub(super) async fn next(&mut self, cursor: Option<&str>) -> Result<Option<Batch>, PollError> {
        let stored = cursor.and_then(|text| serde_json::from_str::<Cursor>(text).ok());
        let stored = stored.filter(|stored| stored.address == self.config.address());
        let Some(stored) = stored else {
            // The first poll of this server.
            self.log_in().await?;
            let newest = self.list(None).await?.pop();
            self.current = Some(Poll::default());
            return self.batch(Vec::new(), newest.unwrap_or_default()).map(Some);
        };
        let mut poll = match self.current.take() {
            Some(poll) => poll,
            None => {
                self.log_in().await?;
                Poll::of(self.list(Some(stored.number)).await?)
            }
        };
        if poll.backlog.is_empty() {
            self.read_window(&mut poll, stored.number).await?;
        }
        let (changes, done) = poll.backlog.take();
        if done <= stored.number && changes.is_empty() {
            return Ok(None);
        }
        self.current = Some(poll);
        self.batch(changes, done).map(Some)
    }

    fn batch(&self, changes: Vec<NewChange>, number: u64) -> Result<Batch, PollError> {
        let cursor = Cursor {
            address: self.config.address(),
            number,
        };
        Batch::new(changes, &cursor, Vec::new())
    }

    /// Gets a ticket, if one is to be used and the last one is old.
    async fn log_in(&mut self) -> Result<(), PollError> {
        let Some(secret) = self.config.login.password.as_ref() else {
            return Ok(());
        };
        let is_fresh = |since: &Instant| since.elapsed() < self.config.ticket_login_interval;
        if !self.config.use_tickets || self.ticket_since.as_ref().is_some_and(is_fresh) {
            return Ok(());
        }
        let mut password = read_password(secret, Path::new(".")).map_err(PollError::new)?;
        password.push(b'\n');
        let words = self.words(LOGIN.map(str::to_owned).into());
        let printed = self.tool.output(words, Some(&password), MOST_SAID).await?;
        let ticket = parse_ticket(&String::from_utf8_lossy(&printed));
        let ticket = ticket.ok_or_else(|| PollError::new("p4 login printed no ticket"))?;
        self.tool.set("P4PASSWD", ticket);
        self.ticket_since = Some(Instant::now());
        Ok(())
    }

    /// The numbers of the changes after a number, or of the newest one; the oldest first.
    async fn list(&self, after: Option<u64>) -> Result<Vec<u64>, PollError> {
        let words = self.words(changes(&self.config.p4base, after));
        let printed = self.tool.output(words, None, MOST_LISTED).await?;
        parse_changes(&String::from_utf8_lossy(&printed)).map_err(PollError::new)
    }

    /// Reads the next changes into the backlog. `last` is the last number that is stored.
    async fn read_window(&self, poll: &mut Poll, last: u64) -> Result<(), PollError> {
        let asked: Vec<u64> = poll.numbers.iter().take(WINDOW).copied().collect();
        if asked.is_empty() {
            poll.backlog.fill([], last);
            return Ok(());
        }
        let mut reading = Reading(DescribeReader::new(LIMITS));
        let words = self.words(describe(&asked));
        self.tool.run(words, None, &mut reading, true).await?;
        let described = reading.0.finish();
        let Some(upto) = described.last().map(|change| change.number) else {
            return Err(PollError::new("p4 describe printed no change"));
        };
        poll.numbers.retain(|number| *number > upto);
        let mut changes = Vec::new();
        for described in described {
            let number = described.number;
            let made = self.changes(described).into_iter();
            changes.extend(made.map(|change| (number, change)));
        }
        if let Some((_, change)) = changes.first_mut() {
            stand_for(change, std::mem::take(&mut poll.stands_for));
        }
        poll.backlog.fill(changes, upto);
        Ok(())
    }

    /// One change for each branch.
    fn changes(&self, described: Described) -> Vec<NewChange> {
        let poller = &self.config.poller;
        let mut branches: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for file in &described.files {
            let below = file.strip_prefix(&self.config.p4base);
            if let Some(place) = below.and_then(|below| self.config.split_file.place(below)) {
                let files = branches.entry((place.project, place.branch)).or_default();
                files.push(place.file);
            }
        }
        let made_at = described.local_time;
        let made_at = made_at.map(|local| self.config.server_tz.instant_of(local));
        let mut made = change(poller, Some(described.number.to_string()), made_at);
        made.who = poller.encoding.decode(&described.author).into_owned();
        made.comments = message(poller, &described.message);
        made.files_left_out = described.files_left_out;
        made.repository = poller.repository_at(&self.config.address());
        made.src = Some("p4".to_owned());
        let on_branch = |((project, branch), files): ((Option<String>, _), _)| NewChange {
            project: project.unwrap_or_else(|| made.project.clone()),
            branch,
            files,
            ..made.clone()
        };
        branches.into_iter().map(on_branch).collect()
    }

    fn words(&self, words: Vec<String>) -> Vec<String> {
        let mut all = Vec::new();
        for (option, value) in [
            ("-p", &self.config.p4port),
            ("-u", &self.config.login.username),
        ] {
            all.extend(
                value
                    .iter()
                    .flat_map(|value| [option.to_owned(), value.clone()]),
            );
        }
        all.extend(words);
        all
    }
}

impl Default for Poll {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl Poll {
    fn of(numbers: Vec<u64>) -> Self {
        let mut numbers = VecDeque::from(numbers);
        let most = usize::try_from(MOST_OF_A_POLL).unwrap_or(usize::MAX);
        let skipped = numbers.len().saturating_sub(most);
        drop(numbers.drain(..skipped));
        Self {
            numbers,
            stands_for: u64::try_from(skipped).unwrap_or(u64::MAX),
            backlog: Backlog::default(),
        }
    }
}

struct Reading(DescribeReader);

impl Sink for Reading {
    fn take(&mut self, piece: &[u8]) -> bool {
        self.0.feed(piece)
    }
}

/// Changes that are described at once.
const WINDOW: usize = 50;
/// Bytes of the output of short commands.
const MOST_SAID: usize = 64 * 1024;
/// Bytes of a list of changes.
const MOST_LISTED: usize = 64 << 20;
/// Variables of the master's environment that p4 gets.
const PASSED: [&str; 8] = [
    "P4CHARSET",
    "P4CLIENT",
    "P4CONFIG",
    "P4ENVIRO",
    "P4PORT",
    "P4TICKETS",
    "P4TRUST",
    "P4USER",
];

const LIMITS: LogLimits = LogLimits {
    message: LONGEST_MESSAGE,
    name: LONGEST_NAME,
    files: MOST_FILES,
    total: 8 << 20,
};

#[cfg(test)]
mod tests;
