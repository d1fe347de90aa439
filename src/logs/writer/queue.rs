//! All logs that are being written, as a machine: the writer of logs without its thread, its clock
//! and its files.
//!
//! A driver asks what is [due](Queue::due), does it, and tells what came of it. What waits is taken
//! in first, up to a limit; then each log that has something to do is brought up to date in turn.
//! Logs that the disk refuses are tried again later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use super::log::{Appended, Batch, Chunk, Log, Notice, Opening, Task};
use super::{Closing, LINGER, LogId, MAX_OPEN_LOGS, MAX_TOUCHED, Written};
use crate::inbox::Wait;

/// The writer of logs.
#[derive(Debug)]
pub(super) struct Queue {
    logs: BTreeMap<LogId, Entry>,
    /// Logs that have something to do, in turn.
    ready: VecDeque<LogId>,
    /// Logs that cannot be written, and are to be tried again.
    stalled: BTreeSet<LogId>,
    /// Logs with open files, by the turn of their last use.
    recent: BTreeMap<u64, LogId>,
    /// The last turn.
    turn: u64,
    inbox: Inbox,
    /// What follows from what has happened, in order.
    due: VecDeque<Due>,
    /// How long those who write to a log wait when the disk is full.
    patience: Duration,
}

#[derive(Debug)]
struct Entry {
    log: Log,
    /// Of its last use.
    turn: u64,
    is_ready: bool,
    /// It is to be closed when nothing waits any more; and what is to be done then.
    closing: Option<Closing>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Inbox {
    /// More may wait in it.
    Filling,
    /// Nothing waits in it, but more may come soon.
    Lingering,
    /// Nothing has come for a while.
    Empty,
    /// Nothing more comes.
    Abandoned,
}

/// What a driver is to do now.
#[derive(Debug)]
pub(super) enum Due {
    /// Take the next message, if there is one by then.
    Receive(Wait),
    /// Open files; answered by [`Queue::on_opened`].
    Open(LogId, Opening),
    /// Append to files that are open; answered by [`Queue::on_appended`].
    Append(LogId, Batch),
    /// Close the files.
    Shut(LogId),
    /// Give permits back.
    Free(LogId, usize),
    /// Tell the operator of the log at this path.
    Tell(String, Notice),
    /// The log is complete: close its files and forget it.
    Finish(LogId, Finished),
    /// End.
    End,
}

/// A log that is complete.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) path: String,
    pub(super) written: Written,
    /// What is to be done then.
    pub(super) closing: Closing,
}

impl Queue {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            logs: BTreeMap::new(),
            ready: VecDeque::new(),
            stalled: BTreeSet::new(),
            recent: BTreeMap::new(),
            turn: 0,
            inbox: Inbox::Empty,
            due: VecDeque::new(),
            patience,
        }
    }

    /// What is to be done at `now`.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        loop {
            if let Some(due) = self.due.pop_front() {
                return due;
            }
            if self.inbox == Inbox::Filling && self.ready.len() < MAX_TOUCHED {
                return Due::Receive(Wait::Not);
            }
            if let Some(&log) = self.ready.front() {
                if let Some(due) = self.work_on(log, now) {
                    return due;
                }
                self.ready.pop_front();
                continue;
            }
            if self.inbox == Inbox::Abandoned {
                return Due::End;
            }
            let tries = self.stalled.iter().filter_map(|log| self.next_try(*log));
            match tries.min() {
                Some((at, log)) if at <= now => self.make_ready(log),
                tried => return Due::Receive(self.wait(now, tried.map(|(at, _)| at))),
            }
        }
    }

    /// How to wait when there is nothing to do until a log is tried again.
    fn wait(&self, now: Instant, tried: Option<Instant>) -> Wait {
        match (self.inbox, tried) {
            (Inbox::Lingering, _) => {
                let over = now + LINGER;
                Wait::Company(tried.map_or(over, |at| at.min(over)))
            }
            (_, Some(at)) => Wait::Until(at),
            (_, None) => Wait::Forever,
        }
    }

    /// A log begins. Readers find it from now on, also while it is empty.
    pub(super) fn create(&mut self, id: LogId, path: String) {
        self.inbox = Inbox::Filling;
        let entry = Entry {
            log: Log::new(path),
            turn: 0,
            is_ready: false,
            closing: None,
        };
        self.logs.insert(id, entry);
        self.make_ready(id);
    }

    /// Something is to be written.
    pub(super) fn append(&mut self, id: LogId, chunk: Chunk) {
        self.inbox = Inbox::Filling;
        if let Some(entry) = self.logs.get_mut(&id) {
            entry.log.push(chunk);
            self.make_ready(id);
        }
    }

    /// A log is to be closed when all of it is written, or given up.
    pub(super) fn close(&mut self, id: LogId, closing: Closing) {
        self.inbox = Inbox::Filling;
        if let Some(entry) = self.logs.get_mut(&id) {
            // That of the caller who waits for it comes before that of the sink which is dropped.
            entry.closing.get_or_insert(closing);
            self.make_ready(id);
        }
    }

    /// No message has come in the time that was to be waited.
    pub(super) const fn on_silence(&mut self) {
        self.inbox = match self.inbox {
            Inbox::Filling => Inbox::Lingering,
            Inbox::Lingering | Inbox::Empty => Inbox::Empty,
            Inbox::Abandoned => Inbox::Abandoned,
        };
    }

    /// Nobody can hand in anything any more.
    pub(super) const fn on_abandoned(&mut self) {
        self.inbox = Inbox::Abandoned;
    }

    /// What came of [`Due::Open`].
    pub(super) fn on_opened(&mut self, id: LogId, result: &io::Result<()>, now: Instant) {
        let Some(entry) = self.logs.get_mut(&id) else {
            return;
        };
        match result {
            Ok(()) => {
                entry.log.on_opened();
                self.use_files(id);
            }
            Err(error) => self.on_refused(id, error, now),
        }
    }

    /// What came of [`Due::Append`].
    pub(super) fn on_appended(
        &mut self,
        id: LogId,
        batch: Batch,
        appended: &Appended,
        now: Instant,
    ) {
        let Some(entry) = self.logs.get_mut(&id) else {
            return;
        };
        let Appended {
            size, index_size, ..
        } = *appended;
        let weight = entry.log.on_appended(batch, size, index_size);
        if weight > 0 {
            self.due.push_back(Due::Free(id, weight));
        }
        match &appended.error {
            None => self.use_files(id),
            Some(error) => self.on_refused(id, error, now),
        }
    }

    fn on_refused(&mut self, id: LogId, error: &io::Error, now: Instant) {
        if let Some(entry) = self.logs.get_mut(&id) {
            self.recent.remove(&entry.turn);
            let notice = entry.log.refused(error, now, self.patience);
            self.due.push_back(Due::Shut(id));
            self.due
                .extend(notice.map(|notice| tell(&entry.log, notice)));
        }
    }

    /// The next task of a log; if it has none, what follows from that.
    fn work_on(&mut self, id: LogId, now: Instant) -> Option<Due> {
        let entry = self.logs.get_mut(&id)?;
        if let Some(task) = entry.log.task(now) {
            return Some(match task {
                Task::Open(opening) => Due::Open(id, opening),
                Task::Append(batch) => Due::Append(id, batch),
            });
        }
        entry.is_ready = false;
        let notice = entry.log.settle();
        self.due
            .extend(notice.map(|notice| tell(&entry.log, notice)));
        let weight = entry.log.drop_refused();
        if weight > 0 {
            self.due.push_back(Due::Free(id, weight));
        }
        if entry.log.is_written() && entry.closing.is_some() {
            self.finish(id);
        } else if entry.log.next_try().is_some() {
            self.stalled.insert(id);
        } else {
            self.stalled.remove(&id);
        }
        None
    }

    fn make_ready(&mut self, id: LogId) {
        self.stalled.remove(&id);
        if let Some(entry) = self.logs.get_mut(&id)
            && !std::mem::replace(&mut entry.is_ready, true)
        {
            self.ready.push_back(id);
        }
    }

    /// The files of a log are in use. Too many are not open at a time.
    fn use_files(&mut self, id: LogId) {
        let Some(entry) = self.logs.get_mut(&id) else {
            return;
        };
        self.recent.remove(&entry.turn);
        self.turn += 1;
        entry.turn = self.turn;
        self.recent.insert(self.turn, id);
        if self.recent.len() > MAX_OPEN_LOGS
            && let Some((_, oldest)) = self.recent.pop_first()
            && let Some(entry) = self.logs.get_mut(&oldest)
        {
            entry.log.shut();
            self.due.push_back(Due::Shut(oldest));
        }
    }

    fn finish(&mut self, id: LogId) {
        self.stalled.remove(&id);
        if let Some(entry) = self.logs.remove(&id) {
            self.recent.remove(&entry.turn);
            let written = Written {
                size_bytes: entry.log.size(),
                lost_bytes: entry.log.lost_bytes(),
            };
            let finished = Finished {
                path: entry.log.path().to_owned(),
                written,
                closing: entry.closing.unwrap_or_default(),
            };
            self.due.push_back(Due::Finish(id, finished));
        }
    }

    fn next_try(&self, id: LogId) -> Option<(Instant, LogId)> {
        let at = self.logs.get(&id)?.log.next_try()?;
        Some((at, id))
    }
}

fn tell(log: &Log, notice: Notice) -> Due {
    Due::Tell(log.path().to_owned(), notice)
}

#[cfg(test)]
mod tests;
