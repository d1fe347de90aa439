//! Finishes closed logs: syncs them to the disk, and compresses them.
//!
//! Compression writes a second file, syncs it, gives it the name of a compressed log, and then
//! removes the plain file. A reader takes the compressed file if both exist, so a log is whole at
//! any moment and never counted twice. A log whose compression was interrupted stays plain until
//! the next start ([`Backlog`]).

mod backlog;
mod syncs;

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{self, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tracing::{debug, info, warn};

pub use self::syncs::LogSyncs;

use self::backlog::{Backlog, Finished};
use self::syncs::Queue;
use super::packed;
use super::place::{self, DATA, PACKED, with_suffix};
use crate::directory::Directory;

/// Finishes closed logs. Cheap to clone.
///
/// A thread of its own compresses logs, one at a time; it ends when the last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Finisher {
    syncs: Arc<Queue>,
    inbox: mpsc::SyncSender<Finished>,
    /// Used by the threads that write and compress logs, and by no task.
    backlog: Arc<Mutex<Backlog>>,
}

impl Finisher {
    /// Starts the thread, for logs below `basedir`. It begins with those that the last run of the
    /// master has left.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(basedir: Arc<Directory>) -> io::Result<Self> {
        let (inbox, waiting) = mpsc::sync_channel::<Finished>(MAX_WAITING);
        let (backlog, left) = Backlog::open(Arc::clone(&basedir));
        let backlog = Arc::new(Mutex::new(backlog));
        let thread = thread::Builder::new().name("log-compressor".to_owned());
        let (logs, shared) = (Arc::clone(&basedir), Arc::clone(&backlog));
        thread.spawn(move || {
            yield_to_others();
            for Finished { path, size } in left.into_iter().chain(waiting) {
                report(&path, "compress", compress(&logs, &path, size));
                locked(&shared).remove();
            }
        })?;
        Ok(Self {
            syncs: Arc::new(Queue::new(basedir)),
            inbox,
            backlog,
        })
    }

    /// Compresses the log at `path` with `size` bytes soon; if too many logs wait, after the next
    /// start of the master.
    pub(super) fn compress(&self, path: String, size: u64) {
        let log = Finished { path, size };
        locked(&self.backlog).add(&log);
        match self.inbox.try_send(log) {
            Ok(()) => {}
            Err(TrySendError::Full(Finished { path, .. })) => {
                info!("the log {path:?} stays uncompressed: {MAX_WAITING} others wait for that");
            }
            Err(TrySendError::Disconnected(_)) => warn!("the thread that compresses logs is gone"),
        }
    }
}

fn locked(backlog: &Mutex<Backlog>) -> MutexGuard<'_, Backlog> {
    backlog.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets all else that the machine does go before this thread.
fn yield_to_others() {
    // Elsewhere it would be for the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(LOWER_PRIORITY) {
        debug!("logs are compressed with the usual priority: {error}");
    }
}

/// Logs an error; a log that is gone was pruned in the meantime, or was never written.
fn report(path: &str, what: &str, done: io::Result<()>) {
    match done {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            debug!("cannot {what} the log {path:?}: it is gone");
        }
        Err(error) => warn!("cannot {what} the log {path:?}: {error}"),
    }
}

/// Compresses the first `size` bytes of a closed log, unless that does not make it smaller.
///
/// # Errors
/// The log does not exist, or a file cannot be read or written; then the log stays plain.
fn compress(basedir: &Directory, path: &str, size: u64) -> io::Result<()> {
    let (dir, name) = place::of_log(basedir, path, false)?;
    let (plain, packed) = (with_suffix(name, DATA), with_suffix(name, PACKED));
    let draft = with_suffix(&packed, ".new");
    let input = dir.read(&plain)?;
    if input.metadata()?.len() != size {
        // Another log has its place, after an older copy of the state was put back.
        return Ok(());
    }
    // One left by a master that was killed.
    match dir.remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut output = dir.create(&draft, 0o666)?;
    let packing = packed::pack(&mut input.take(size), &mut output).and_then(|_| {
        output.sync_data()?;
        Ok(output.metadata()?.len())
    });
    match packing {
        Ok(packed_size) if packed_size < size => {}
        Ok(_) => return dir.remove_file(&draft),
        Err(error) => {
            // A full disk has more room without it.
            dir.remove_file(&draft).ok();
            return Err(error);
        }
    }
    dir.rename(&draft, &dir, &packed)?;
    dir.sync()?;
    dir.remove_file(&plain)
}

/// Added to the nice value of the thread that compresses logs.
#[cfg(target_os = "linux")]
const LOWER_PRIORITY: i32 = 10;
/// Maximum number of logs that wait to be compressed.
const MAX_WAITING: usize = 4096;

#[cfg(test)]
mod tests;
