//! `GerritChangeSource`: hears the events of a Gerrit server over ssh (POL-14).
//!
//! ```text
//!             connected: asks what was missed
//! waiting ────────────────▶ hearing ─┐ an event: offers it
//!    ▲                         │    ◀┘ at times, or when poked: asks what was missed
//!    └───────── lost ──────────┘
//! ```
//!
//! The cursor is the time of the last event. What was missed since then is asked for by a query. It
//! begins somewhat earlier, because commits that are known are taken once (INT-04). An event that
//! is told again is the same delivery (INT-03). Updates of branches that were missed are known only
//! to the plugin `events-log` of the server, which is asked instead if the settings name it.

mod missed;

use std::future::Future;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::driver::{Desk, Driver, Wake};
use super::polling::{MIRRORS, PollError, Tool, mirror_dir, reason, ssh};
use crate::backoff::Backoff;
use crate::config::GerritConfig;
use crate::model::{Delivery, Offer};
use crate::process::{Process, Streams};
use crate::protocol::gerrit::{GerritEvent, GerritReading, STREAM, read_event};
use crate::vc::lines::Lines;

/// A source of events of one server.
#[derive(Debug)]
pub(super) struct Gerrit {
    config: GerritConfig,
    reading: GerritReading,
}

/// Where the source goes on from.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Cursor {
    /// The server, with the user.
    server: String,
    /// When the last event happened, in seconds since 1970.
    since: i64,
}

/// A connection.
struct Stream {
    /// Killed when it is dropped.
    process: Process,
    stdout: ChildStdout,
    stderr: ChildStderr,
    lines: Lines,
    /// What ssh says of errors.
    errors: Vec<u8>,
    is_silent: bool,
}

/// Why the source stops to wait.
enum Heard {
    /// Lines with events.
    Events(Vec<Vec<u8>>),
    /// The connection is lost.
    Lost(String),
    /// It is time to ask what was missed.
    Ask,
    /// The source is to end.
    Leaving,
}

impl Gerrit {
    pub(super) fn new(config: &GerritConfig) -> Self {
        Self {
            reading: GerritReading {
                base: config.base(),
                handled: config.handled_events.clone(),
            },
            config: config.clone(),
        }
    }

    async fn drive(self, desk: Desk) {
        let mut rng = StdRng::from_rng(&mut rand::rng());
        let mut backoff = Backoff::new(SHORTEST_WAIT, LONGEST_WAIT);
        let mut complaint = None;
        loop {
            let begin = Instant::now();
            let why = match self.hear(&desk).await {
                Ok(()) | Err(PollError::Stopped) => return,
                Err(PollError::Failed(why)) => why,
            };
            if begin.elapsed() >= GOOD_CONNECTION {
                backoff.reset();
            }
            if complaint.as_ref() == Some(&why) {
                debug!(error = ?why, "connection to Gerrit lost again");
            } else {
                warn!(error = ?why, "connection to Gerrit lost");
            }
            let wait = backoff.next_jittered(&mut rng);
            let next = desk.control.clock().wall() + wait;
            desk.tried(Err(why.clone()), Some(next));
            complaint = Some(why);
            if desk.wait(Instant::now() + wait).await == Wake::Leaving {
                return;
            }
        }
    }

    /// Hears events until the source is to end.
    async fn hear(&self, desk: &Desk) -> Result<(), PollError> {
        let tool = self.tool(desk)?;
        let cursor = desk.control.source_cursor(&desk.source).await;
        let cursor = cursor.map_err(|error| PollError::new(error.to_string()))?;
        let cursor = cursor.and_then(|text| serde_json::from_str::<Cursor>(&text).ok());
        let mut cursor = match cursor.filter(|cursor| cursor.server == self.reading.base) {
            Some(cursor) => cursor,
            None => {
                // The first connection: what happens from now on counts.
                let since = desk.control.clock().wall().0.div_euclid(1_000_000);
                let server = self.reading.base.clone();
                let cursor = Cursor { server, since };
                offer(desk, &cursor, None, Vec::new()).await?;
                cursor
            }
        };
        // What happens while the server is asked waits in the pipe.
        let mut stream = Stream::open(&tool)?;
        let note = self.catch_up(desk, &tool, &mut cursor).await?;
        info!("connected to Gerrit");
        desk.tried(Ok(note), None);
        let mut next = Instant::now() + self.config.catch_up_interval;
        loop {
            match stream.hear(desk, next).await {
                Heard::Leaving => return Err(PollError::Stopped),
                Heard::Lost(why) => return Err(PollError::new(why)),
                Heard::Ask => {
                    let note = self.catch_up(desk, &tool, &mut cursor).await?;
                    desk.tried(Ok(note), None);
                    next = Instant::now() + self.config.catch_up_interval;
                }
                Heard::Events(lines) => {
                    for line in lines {
                        let mut event = read_event(&line, &self.reading);
                        self.add_files(&tool, &mut event).await?;
                        let delivery = Delivery::of(&line);
                        take(desk, event, Some(delivery), &mut cursor).await?;
                    }
                }
            }
        }
    }

    /// Runs commands at the server.
    fn tool(&self, desk: &Desk) -> Result<Tool, PollError> {
        let config = &self.config;
        let mirrors = desk.basedir.join(MIRRORS);
        let known_hosts = mirror_dir(&mirrors, &config.base(), "known_hosts")?;
        let ssh = ssh(&config.ssh_access, &known_hosts)?;
        let options = ssh.strip_prefix("ssh").unwrap_or(&ssh);
        // The options are spelled for a shell.
        let script = format!(
            "program=$1; shift; exec \"$program\"{options} -o ServerAliveInterval={} \
             -o ServerAliveCountMax={} -p {} -- \"$@\"",
            config.ssh_server_alive_interval.as_secs(),
            config.ssh_server_alive_count_max,
            config.gerritport
        );
        let mut tool = Tool::new("sh", QUERY_TIME, desk.leaving.clone());
        let server = format!("{}@{}", config.username, config.gerritserver);
        tool.begin_with(["-c", &script, "ssh", &config.ssh, &server], "ssh");
        Ok(tool)
    }
}

impl Driver for Gerrit {
    fn run(self: Box<Self>, desk: Desk) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.drive(desk))
    }
}

impl Stream {
    fn open(tool: &Tool) -> Result<Self, PollError> {
        let wrong = |error| PollError::new(format!("cannot run ssh: {error}"));
        let program = tool.program(STREAM);
        let mut process = program
            .start(Streams {
                stdin: Stdio::null(),
                stdout: Stdio::piped(),
                stderr: Stdio::piped(),
            })
            .map_err(wrong)?;
        let pipes = (process.take_stdout(), process.take_stderr());
        let (Some(stdout), Some(stderr)) = pipes else {
            return Err(PollError::new("cannot run ssh: it has no output"));
        };
        Ok(Self {
            process,
            stdout,
            stderr,
            lines: Lines::up_to(LONGEST_EVENT),
            errors: Vec::new(),
            is_silent: false,
        })
    }

    /// Waits for events, or for what comes first. All that it waits for may be cancelled.
    async fn hear(&mut self, desk: &Desk, next: Instant) -> Heard {
        let (mut events, mut errors) = (vec![0; 16 * 1024], [0; 1024]);
        loop {
            tokio::select! {
                biased;
                wake = desk.wait(next) => return match wake {
                    Wake::Leaving => Heard::Leaving,
                    Wake::Due | Wake::Poked => Heard::Ask,
                },
                read = self.stderr.read(&mut errors), if !self.is_silent => {
                    let length = read.unwrap_or_default();
                    self.is_silent = length == 0;
                    let room = MOST_ERRORS.saturating_sub(self.errors.len());
                    self.errors.extend(errors.iter().take(length).take(room));
                }
                read = self.stdout.read(&mut events) => {
                    let length = read.unwrap_or_default();
                    if length == 0 {
                        return Heard::Lost(self.ended().await);
                    }
                    let mut lines = Vec::new();
                    let piece = events.get(..length).unwrap_or_default();
                    self.lines.feed(piece, |line| lines.push(line.to_vec()));
                    lines.retain(|line| !line.trim_ascii().is_empty());
                    if !lines.is_empty() {
                        return Heard::Events(lines);
                    }
                }
            }
        }
    }

    /// Why the connection is lost.
    async fn ended(&mut self) -> String {
        let rest = tokio::time::timeout(LAST_WORDS, async {
            let mut rest = Vec::new();
            let mut stderr = (&mut self.stderr).take(16 * 1024);
            // What was read until then is enough.
            drop(stderr.read_to_end(&mut rest).await);
            (rest, self.process.wait().await)
        });
        let (how, rest) = match rest.await {
            Ok((rest, Ok(status))) => (format!("ssh ended with {status}"), rest),
            Ok((rest, Err(_))) => ("ssh has ended".to_owned(), rest),
            Err(_) => ("ssh has closed its output".to_owned(), Vec::new()),
        };
        self.errors.extend(rest);
        match reason(&self.errors) {
            why if why.is_empty() => how,
            why => format!("{how}: {why}"),
        }
    }
}

/// Takes an event: its change and the new cursor are on disk afterwards.
async fn take(
    desk: &Desk,
    event: GerritEvent,
    delivery: Option<Delivery>,
    cursor: &mut Cursor,
) -> Result<(), PollError> {
    let change = match event.change {
        Ok(change) => change,
        Err(why) => {
            debug!("an event of Gerrit is not a change: {why:?}");
            return Ok(());
        }
    };
    cursor.since = cursor.since.max(event.at.unwrap_or_default());
    offer(desk, cursor, delivery, vec![*change]).await
}

async fn offer(
    desk: &Desk,
    cursor: &Cursor,
    delivery: Option<Delivery>,
    changes: Vec<crate::model::NewChange>,
) -> Result<(), PollError> {
    let cursor = serde_json::to_string(cursor);
    let offer = Offer {
        source: desk.source.clone(),
        delivery,
        cursor: Some(cursor.map_err(|error| PollError::new(error.to_string()))?),
        changes,
        ..Offer::default()
    };
    let pending = desk.control.offer(offer).await.map_err(PollError::Failed)?;
    pending.answer().await.map_err(PollError::Failed)?;
    Ok(())
}

/// Time between two attempts to connect.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);
/// The longest time between two attempts to connect.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A connection that lasted so long was a good one.
const GOOD_CONNECTION: Duration = Duration::from_secs(120);
/// How long ssh may take to say why it ends.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Time limit of a query.
const QUERY_TIME: Duration = Duration::from_secs(10 * 60);
/// Bytes of an event.
const LONGEST_EVENT: usize = 1 << 20;
/// Bytes of what ssh says of errors.
const MOST_ERRORS: usize = 16 * 1024;
