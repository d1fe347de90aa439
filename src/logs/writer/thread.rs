//! The thread that drives the writer of logs: messages, files and permits.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tracing::{error, info, warn};

use super::files::Files;
use super::line_records::LineRecords;
use super::log::{Appended, Batch, Chunk, Notice, Opening};
use super::queue::{Due, Finished, Queue};
use super::{Closing, LogId, Message, PATIENCE, weight};
use crate::directory::Directory;
use crate::inbox::{NoMessage, Receiver, Wait};
use crate::logs::finish::Finisher;
use crate::logs::growth::Growth;

/// Drives [`Queue`].
pub(super) struct WriterThread {
    basedir: Directory,
    waiting: Receiver<Message>,
    /// What may wait of all logs together.
    room: Arc<Semaphore>,
    finisher: Finisher,
    logs: BTreeMap<LogId, Held>,
    queue: Queue,
}

/// What is held for a log.
struct Held {
    /// What may wait of it.
    share: Arc<Semaphore>,
    files: Option<Files>,
    lines: LineRecords,
    /// Tells readers of the bytes in the files, and of their close when it is dropped.
    growth: Growth,
}

impl WriterThread {
    pub(super) fn new(
        basedir: Directory,
        waiting: Receiver<Message>,
        room: Arc<Semaphore>,
        finisher: Finisher,
    ) -> Self {
        Self {
            basedir,
            waiting,
            room,
            finisher,
            logs: BTreeMap::new(),
            queue: Queue::new(PATIENCE),
        }
    }

    pub(super) fn run(mut self) {
        loop {
            match self.queue.due(Instant::now()) {
                Due::Receive(wait) => self.receive(wait),
                Due::Open(id, opening) => self.open(id, &opening),
                Due::Append(id, batch) => self.append(id, batch),
                Due::Shut(id) => {
                    if let Some(held) = self.logs.get_mut(&id) {
                        held.files = None;
                    }
                }
                Due::Free(id, weight) => {
                    self.room.add_permits(weight);
                    if let Some(held) = self.logs.get(&id) {
                        held.share.add_permits(weight);
                    }
                }
                Due::Tell(path, notice) => tell(&path, &notice),
                Due::Finish(id, finished) => self.finish(id, finished),
                Due::End => return,
            }
        }
    }

    fn receive(&mut self, wait: Wait) {
        match self.waiting.receive(wait) {
            Ok(Message::Create {
                id,
                path,
                share,
                growth,
            }) => {
                let held = Held {
                    share,
                    files: None,
                    lines: LineRecords::new(path.clone()),
                    growth,
                };
                self.logs.insert(id, held);
                self.queue.create(id, path);
            }
            Ok(Message::Append { id, channel, data }) => {
                let weight = weight(&data);
                let chunk = Chunk {
                    channel,
                    data,
                    weight,
                };
                self.queue.append(id, chunk);
            }
            Ok(Message::Close { id, closing }) => self.queue.close(id, closing),
            Err(NoMessage::Silence) => self.queue.on_silence(),
            Err(NoMessage::Abandoned) => self.queue.on_abandoned(),
        }
    }

    fn open(&mut self, id: LogId, opening: &Opening) {
        let opened = Files::open(&self.basedir, opening).map(|files| {
            if let Some(held) = self.logs.get_mut(&id) {
                held.files = Some(files);
            }
        });
        self.queue.on_opened(id, &opened, Instant::now());
    }

    fn append(&mut self, id: LogId, batch: Batch) {
        let held = self.logs.get_mut(&id);
        let held =
            held.and_then(|held| Some((held.files.as_mut()?, &mut held.lines, &held.growth)));
        let appended = match held {
            Some((files, lines, growth)) => {
                let appended = files.append(&batch);
                lines.add(&self.basedir, &batch, appended.size);
                growth.add(appended.size);
                appended
            }
            None => Appended {
                size: 0,
                index_size: 0,
                error: Some(io::Error::from(ErrorKind::NotFound)),
            },
        };
        self.queue.on_appended(id, batch, &appended, Instant::now());
    }

    fn finish(&mut self, id: LogId, finished: Finished) {
        let Finished {
            path,
            written,
            closing,
        } = finished;
        if let Some(mut held) = self.logs.remove(&id) {
            held.lines.flush(&self.basedir);
            held.growth.lost(written.lost_bytes);
        }
        let Closing {
            compress_above,
            done,
        } = closing;
        if written.lost_bytes > 0 {
            warn!(
                size_bytes = written.lost_bytes,
                "the log {path:?} is incomplete: some of it could not be written"
            );
        }
        if compress_above.is_some_and(|above| written.size_bytes > above) {
            self.finisher.compress(path, written.size_bytes);
        }
        if let Some(done) = done {
            // The build may have stopped waiting.
            done.send(written).unwrap_or_default();
        }
    }
}

fn tell(path: &str, notice: &Notice) {
    match notice {
        Notice::Waits { why } => error!(
            "cannot write the log {path:?}: {why}; its step waits for room, {} s at most",
            PATIENCE.as_secs()
        ),
        Notice::Drops { why } => error!(
            "cannot write the log {path:?}: {why}; the build goes on, and what the log lacks is counted"
        ),
        Notice::Recovered { why } => info!("the log {path:?} can be written again ({why})"),
    }
}
