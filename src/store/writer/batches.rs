//! What is to be committed together, and when: the writer of the state without its thread, its
//! clock and its database.
//!
//! ```text
//!            take(message)             due() == Commit
//!  waiting ---------------> collecting ---------------> [the driver writes the batch]
//!     ^                                                    |            |
//!     +-------------------- committed() <------------------+            v
//!                                                               refused(): later, the same batch
//! ```
//!
//! Invariants: a batch holds writes in the order in which they were handed in, and is never changed
//! between two attempts to write it; what has a ticket is committed with no other delay than taking
//! what waits already.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Message, Write};
use crate::backoff::Backoff;
use crate::inbox::Wait;
use crate::model::Ticket;

/// The writer as a machine. A driver asks what is due, does it, and tells what came of it.
#[derive(Debug)]
pub(super) struct Batches {
    batch: Vec<Write>,
    /// Ops in the batch.
    ops: usize,
    /// Whether the batch has a ticket.
    is_urgent: bool,
    /// When the batch is committed, whatever else comes.
    deadline: Option<Instant>,
    /// Whether nothing more is taken into the batch.
    is_full: bool,
    /// Since when there is nothing to do but to move the write-ahead log.
    is_idle: bool,
    /// Whether an attempt to write the batch failed, and the pauses between attempts.
    pauses: Backoff,
    /// Ops that were committed since the write-ahead log was last moved into the file.
    since_checkpoint: usize,
    end: End,
}

#[derive(Debug)]
enum End {
    /// More may come.
    Open,
    /// Nothing more comes; somebody may wait for the end.
    Closing(Option<oneshot::Sender<()>>),
}

/// What a driver is to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// Take the next message, if there is one by then.
    Receive(Wait),
    /// Write the batch in one transaction.
    Commit,
    /// Move the write-ahead log into the file.
    Checkpoint,
    /// Close the state.
    End,
}

/// What was committed.
#[derive(Debug)]
pub(super) struct Committed {
    /// The last ticket, which confirms all before it.
    pub(super) ticket: Option<Ticket>,
    /// The writes, whose room is free again.
    pub(super) writes: Vec<Write>,
}

impl Batches {
    pub(super) fn new() -> Self {
        Self {
            batch: Vec::new(),
            ops: 0,
            is_urgent: false,
            deadline: None,
            is_full: false,
            is_idle: false,
            pauses: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            since_checkpoint: 0,
            end: End::Open,
        }
    }

    /// What is to be done at `now`.
    pub(super) fn due(&self, now: Instant) -> Due {
        let is_closing = matches!(self.end, End::Closing(_));
        if !self.batch.is_empty() && (self.is_full || is_closing) {
            return Due::Commit;
        }
        let is_owed = self.since_checkpoint > 0 && (self.is_idle || is_closing);
        if is_owed || (self.since_checkpoint >= CHECKPOINT_OPS && self.batch.is_empty()) {
            return Due::Checkpoint;
        }
        if is_closing {
            return Due::End;
        }
        Due::Receive(match self.deadline {
            Some(at) if self.is_urgent || at <= now => Wait::Not,
            Some(at) => Wait::Company(at),
            None if self.since_checkpoint == 0 => Wait::Forever,
            None => Wait::Until(now + IDLE),
        })
    }

    /// A message has come.
    pub(super) fn take(&mut self, now: Instant, message: Message) {
        self.is_idle = false;
        match message {
            Message::Close(done) => self.end = End::Closing(Some(done)),
            Message::Write(write) => {
                self.is_urgent |= write.ticket.is_some();
                self.deadline.get_or_insert(now + LAZY);
                self.ops += write.ops.len().max(1);
                self.is_full |= self.ops >= MAX_BATCH_OPS;
                self.batch.push(write);
            }
        }
    }

    /// No message has come in the time that was to be waited.
    pub(super) fn on_silence(&mut self) {
        if self.batch.is_empty() {
            self.is_idle = true;
        } else {
            self.is_full = true;
        }
    }

    /// Nobody can hand in anything any more.
    pub(super) fn on_abandoned(&mut self) {
        self.end = End::Closing(None);
    }

    /// What is to be committed together.
    pub(super) fn batch(&self) -> &[Write] {
        &self.batch
    }

    /// The batch is on the disk.
    pub(super) fn committed(&mut self) -> Committed {
        let writes = std::mem::take(&mut self.batch);
        self.since_checkpoint += writes.iter().map(|write| write.ops.len()).sum::<usize>();
        (self.ops, self.is_urgent, self.is_full) = (0, false, false);
        self.deadline = None;
        self.pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        Committed {
            ticket: writes.iter().rev().find_map(|write| write.ticket),
            writes,
        }
    }

    /// The disk refuses the batch: how long to wait before the next attempt.
    pub(super) fn refused(&mut self) -> Duration {
        self.is_full = true;
        self.pauses.next_delay()
    }

    /// The write-ahead log was moved, as far as that could be done.
    pub(super) fn checkpointed(&mut self) {
        self.since_checkpoint = 0;
        self.is_idle = false;
    }

    /// Who waits for the end.
    pub(super) fn into_closed(self) -> Option<oneshot::Sender<()>> {
        match self.end {
            End::Open => None,
            End::Closing(done) => done,
        }
    }
}

/// How many ops are committed together; a transaction must not grow without bound.
const MAX_BATCH_OPS: usize = 1024;
/// How long ops without a ticket wait for company.
const LAZY: Duration = Duration::from_millis(80);
/// The write-ahead log is moved into the file when nothing happened for this long …
const IDLE: Duration = Duration::from_millis(500);
/// … or when so much was written.
const CHECKPOINT_OPS: usize = 4096;
/// Between attempts to write while the disk refuses.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChangeNumber, Op};

    fn ops(count: usize) -> Vec<Op> {
        let op = Op::ChangeOffered {
            change: ChangeNumber(1),
            decisions: Vec::new(),
        };
        vec![op; count]
    }

    fn write(ticket: Option<u64>, count: usize) -> Message {
        Message::Write(Write::new(ticket.map(Ticket), ops(count)))
    }

    #[test]
    fn a_ticket_is_committed_with_what_waits_already() {
        let (mut batches, now) = (Batches::new(), Instant::now());
        assert_eq!(batches.due(now), Due::Receive(Wait::Forever));
        batches.take(now, write(None, 1));
        assert_eq!(batches.due(now), Due::Receive(Wait::Company(now + LAZY)));
        batches.take(now, write(Some(7), 1));
        assert_eq!(batches.due(now + LAZY), Due::Receive(Wait::Not));
        batches.take(now, write(None, 1));
        batches.on_silence();
        assert_eq!(batches.due(now), Due::Commit);
        let committed = batches.committed();
        assert_eq!(committed.ticket, Some(Ticket(7)));
        assert_eq!(committed.writes.len(), 3);
        assert_eq!(batches.due(now), Due::Receive(Wait::Until(now + IDLE)));
    }

    #[test]
    fn what_has_no_ticket_waits_for_company_and_not_for_long() {
        let (mut batches, now) = (Batches::new(), Instant::now());
        batches.take(now, write(None, 1));
        batches.take(now + LAZY / 2, write(None, 1));
        let company = Due::Receive(Wait::Company(now + LAZY));
        assert_eq!(batches.due(now + LAZY / 2), company);
        assert_eq!(batches.due(now + LAZY), Due::Receive(Wait::Not));
        batches.on_silence();
        assert_eq!(batches.due(now + LAZY), Due::Commit);
    }

    #[test]
    fn a_batch_is_bounded_and_stays_as_it_is_while_the_disk_refuses() {
        let (mut batches, now) = (Batches::new(), Instant::now());
        batches.take(now, write(Some(1), MAX_BATCH_OPS - 1));
        assert_eq!(batches.due(now), Due::Receive(Wait::Not));
        batches.take(now, write(Some(2), 1));
        assert_eq!(batches.due(now), Due::Commit);
        assert_eq!(batches.refused(), FIRST_PAUSE);
        assert_eq!(batches.refused(), FIRST_PAUSE * 2);
        assert_eq!(batches.due(now), Due::Commit);
        assert_eq!(batches.committed().ticket, Some(Ticket(2)));
    }

    #[test]
    fn the_log_is_moved_in_silence_and_before_the_end() {
        let (mut batches, now) = (Batches::new(), Instant::now());
        batches.take(now, write(Some(1), 1));
        batches.on_silence();
        batches.committed();
        batches.on_silence();
        assert_eq!(batches.due(now), Due::Checkpoint);
        batches.checkpointed();
        assert_eq!(batches.due(now), Due::Receive(Wait::Forever));
        batches.take(now, write(None, 1));
        batches.on_abandoned();
        assert_eq!(batches.due(now), Due::Commit);
        batches.committed();
        assert_eq!(batches.due(now), Due::Checkpoint);
        batches.checkpointed();
        assert_eq!(batches.due(now), Due::End);
    }
}
