//! A slave: its connection, its attachments, and whether it takes builds (section 14).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::slavebuilder::SlaveBuilder;
use crate::backoff::Backoff;
use crate::botmaster::ids::{BuilderIx, SessionId};
use crate::model::{BuilderName, Mono, Now, Pause, Timestamp};

/// Failed starts that lie further apart than this have nothing to do with each other (BLD-12).
const FAILURE_MEMORY: Duration = Duration::from_secs(60);

/// How long a slave is held back (BLD-12).
const HOLDS: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// The time between two attempts to attach a builder to a slave that is connected (row 5).
const RETRIES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(600));

/// One configured slave. Invariant: every slave-builder belongs to the present session.
#[derive(Debug)]
pub(super) struct Slave {
    /// Its connection.
    pub(super) session: Option<Session>,
    /// A younger connection that waits for the older one to be pinged (SLV-04).
    pub(super) contender: Option<Contender>,
    /// Whether that ping is outstanding.
    pub(super) arbitrating: bool,
    /// Its attachments.
    pub(super) slavebuilders: BTreeMap<BuilderIx, SlaveBuilder>,
    /// Those of them whose builder has no use for the slave any more, but whose build still runs
    /// (BRC-05).
    pub(super) leaving: BTreeSet<BuilderIx>,
    /// How many of its attachments are busy.
    pub(super) busy: usize,
    /// How many of its attachments are being attached.
    pub(super) attaching: usize,
    /// Since when it is to be shut down when it is idle (SLV-08).
    pub(super) graceful: Option<Timestamp>,
    /// Whether people keep it from builds (SLV-09).
    pub(super) paused: Option<Pause>,
    /// Since when it is not connected, or was not before its present connection.
    pub(super) absent_since: Now,
    /// When it was connected last, also in an earlier run of the master.
    pub(super) seen_at: Option<Timestamp>,
    /// Whether somebody was told that it is away (SLV-07).
    pub(super) missed: bool,
    /// What counted last against it (BLD-12).
    pub(super) last_failure: Option<Failure>,
    /// What it told of itself.
    pub(super) info: Arc<BTreeMap<String, String>>,
    failures: Failures,
}

/// A connection that is the slave's.
#[derive(Debug)]
pub(in crate::botmaster) struct Session {
    pub(in crate::botmaster) id: SessionId,
    pub(super) address: String,
    pub(in crate::botmaster) phase: Phase,
    /// When it came, or was told to go.
    pub(in crate::botmaster) since: Timestamp,
    /// The builders, with their directories, that it was told last.
    pub(super) listed: BuilderList,
    /// When that was.
    pub(in crate::botmaster) listed_at: Timestamp,
    /// Whether it has not answered that list yet.
    pub(super) is_listing: bool,
    /// Whether that list is to change when a build has ended.
    pub(super) is_stale: bool,
    /// Whether it may have to be told another list.
    pub(super) is_unsynced: bool,
    /// The builders that could not be attached, until they are tried again (row 5).
    pub(in crate::botmaster) failed: BTreeMap<BuilderIx, FailedAttach>,
    /// When that is.
    pub(in crate::botmaster) retry_at: Option<Mono>,
    /// How long to wait before the next attempt.
    pub(super) retries: Backoff,
    /// Whether the slave rejected a list with several new builders, so that each list adds one new
    /// builder.
    pub(super) one_by_one: bool,
}

/// Why a builder is not attached to a slave that is connected.
#[derive(Debug)]
pub(in crate::botmaster) struct FailedAttach {
    /// The directory that the slave was told.
    pub(super) dir: String,
    /// What went wrong.
    pub(in crate::botmaster) why: String,
    /// When.
    pub(in crate::botmaster) at: Timestamp,
}

impl Session {
    /// One that has just come.
    pub(super) const fn new(id: SessionId, address: String, now: Timestamp) -> Self {
        Self {
            id,
            address,
            phase: Phase::Greeting,
            since: now,
            listed: Vec::new(),
            listed_at: now,
            is_listing: false,
            is_stale: false,
            is_unsynced: false,
            failed: BTreeMap::new(),
            retry_at: None,
            retries: RETRIES,
            one_by_one: false,
        }
    }

    /// The connection is in another phase now, in which it stays until it ends.
    pub(super) const fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.since = now;
    }

    /// How long to wait before what could not be attached is tried again.
    pub(super) fn next_retry(&mut self) -> Duration {
        self.retries.next_delay()
    }
}

/// What a slave is told of its builders: names and directories.
pub(super) type BuilderList = Vec<(BuilderName, String)>;

/// How far a connection has come (SLV-02).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::botmaster) enum Phase {
    /// It is greeted and tells of itself.
    Greeting,
    /// It is told its builders.
    Listing,
    /// Its builders are attached.
    Attaching,
    /// All are attached, its login is answered.
    Ready,
    /// Something about its builders went wrong: the connection ends when its builds have.
    Rejoining,
    /// It was told to shut down.
    ShuttingDown,
}

impl Phase {
    /// Whether it has been attached to all its builders.
    pub(super) const fn is_attached(self) -> bool {
        match self {
            Self::Greeting | Self::Listing | Self::Attaching => false,
            Self::Ready | Self::Rejoining | Self::ShuttingDown => true,
        }
    }
}

/// A connection that may become the slave's.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) id: SessionId,
    pub(super) address: String,
}

/// Something that counts against a slave.
#[derive(Debug)]
pub(in crate::botmaster) struct Failure {
    pub(in crate::botmaster) at: Timestamp,
    pub(in crate::botmaster) why: String,
    /// Whether the attach itself failed, so that logins are rejected while the slave is held back.
    pub(super) attaching: bool,
}

/// Failures in a row (BLD-12).
#[derive(Debug, Default)]
struct Failures {
    in_a_row: u32,
    /// When it could be tried again after the last one.
    free_at: Option<Mono>,
    held: bool,
}

impl Slave {
    /// Since when it is not connected, as far as is known.
    pub(super) fn away_since(&self) -> Timestamp {
        self.seen_at.unwrap_or(self.absent_since.wall)
    }

    /// For how long it is not connected. What has passed in this run of the master is measured, so
    /// that a clock that is set does not count.
    pub(super) fn away_for(&self, now: Now) -> Duration {
        let before = self.absent_since.wall.since(self.away_since());
        before.saturating_add(now.mono.since(self.absent_since.mono))
    }

    /// A slave that is not connected; it is known to the master since `now`.
    pub(super) fn new(now: Now) -> Self {
        Self {
            session: None,
            contender: None,
            arbitrating: false,
            slavebuilders: BTreeMap::new(),
            leaving: BTreeSet::new(),
            busy: 0,
            attaching: 0,
            graceful: None,
            paused: None,
            absent_since: now,
            seen_at: None,
            missed: false,
            last_failure: None,
            info: Arc::default(),
            failures: Failures::default(),
        }
    }

    /// A start on it failed. Answers how long it is held back, if it is (BLD-12): the first failure
    /// within a minute costs nothing, the second a second, the third two, up to a minute.
    pub(super) fn on_start_failed(&mut self, now: Mono) -> Option<Duration> {
        let failures = &mut self.failures;
        let recent = failures
            .free_at
            .is_some_and(|free| now.since(free) <= FAILURE_MEMORY);
        failures.in_a_row = if recent { failures.in_a_row + 1 } else { 0 };
        let delay = match failures.in_a_row {
            0 => {
                failures.free_at = Some(now);
                return None;
            }
            n => HOLDS.nth(n - 1),
        };
        failures.free_at = Some(now + delay);
        failures.held = true;
        Some(delay)
    }

    /// A build was started on it.
    pub(super) fn on_start_succeeded(&mut self) {
        if !self.failures.held {
            self.failures = Failures::default();
        }
    }

    /// It has been held back long enough.
    pub(super) const fn on_hold_ended(&mut self) {
        self.failures.held = false;
    }

    /// Whether it is connected and has been attached to its builders.
    pub(super) fn is_attached(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.phase.is_attached())
    }

    /// Until when it is held back, if it is.
    pub(super) fn held_until(&self) -> Option<Mono> {
        self.failures.free_at.filter(|_| self.failures.held)
    }

    /// Whether logins of the slave are rejected for a while.
    pub(super) fn is_shut_out(&self) -> bool {
        let last = self.last_failure.as_ref();
        self.failures.held && last.is_some_and(|failure| failure.attaching)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slave() -> Slave {
        Slave::new(Now::default())
    }

    #[test]
    fn holding_back_doubles_to_a_minute_and_is_forgotten_after_one() {
        let mut slave = slave();
        let mut now = Mono(Duration::from_secs(100));
        let mut delays = Vec::new();
        for _ in 0..9 {
            let delay = slave.on_start_failed(now).unwrap_or_default();
            delays.push(delay.as_secs());
            now = now + delay + Duration::from_secs(10);
            slave.on_hold_ended();
        }
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        now = now + Duration::from_secs(61);
        assert_eq!(slave.on_start_failed(now), None);
    }

    #[test]
    fn a_build_that_starts_ends_the_row_of_failures() {
        let mut slave = slave();
        let now = Mono(Duration::from_secs(100));
        assert_eq!(slave.on_start_failed(now), None);
        slave.on_start_succeeded();
        assert_eq!(slave.on_start_failed(now), None);
        assert_eq!(slave.on_start_failed(now), Some(Duration::from_secs(1)));
    }
}
