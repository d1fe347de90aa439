//! Finishes closed logs: syncs them to the disk, and compresses them.
//!
//! Compression writes a second file, syncs it, gives it the name of a compressed log, and then
//! removes the plain file. A reader takes the compressed file if both exist, so a log is whole at
//! any moment and never counted twice. A log whose compression was interrupted stays plain.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::mpsc::{self, TrySendError};
use std::thread;

use tracing::{debug, info, warn};

use super::packed;
use super::place::{self, DATA, INDEX, PACKED, with_suffix};
use crate::blocking;
use crate::directory::Directory;

/// Finishes closed logs. Cheap to clone.
///
/// A thread of its own compresses logs, one at a time; it ends when the last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Finisher {
    basedir: Arc<Directory>,
    inbox: mpsc::SyncSender<Finished>,
}

/// A finished log: its path and its size in bytes.
#[derive(Debug)]
struct Finished {
    path: String,
    size: u64,
}

impl Finisher {
    /// Starts the thread, for logs below `basedir`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(basedir: Arc<Directory>) -> io::Result<Self> {
        let (inbox, waiting) = mpsc::sync_channel::<Finished>(MAX_WAITING);
        let thread = thread::Builder::new().name("log-compressor".to_owned());
        let logs = Arc::clone(&basedir);
        thread.spawn(move || {
            for Finished { path, size } in waiting {
                report(&path, "compress", compress(&logs, &path, size));
            }
        })?;
        Ok(Self { basedir, inbox })
    }

    /// Forces the closed log at `path` to the disk, so that a power failure does not lose it.
    pub(super) async fn sync(&self, path: String) {
        let basedir = Arc::clone(&self.basedir);
        let syncing = blocking::run(move || {
            report(&path, "sync", sync(&basedir, &path));
        });
        // It is cancelled only when the runtime ends.
        syncing.await.unwrap_or_default();
    }

    /// Compresses the log at `path` with `size` bytes soon. If too many logs wait, it stays plain.
    pub(super) fn compress(&self, path: String, size: u64) {
        match self.inbox.try_send(Finished { path, size }) {
            Ok(()) => {}
            Err(TrySendError::Full(Finished { path, .. })) => {
                info!("the log {path:?} stays uncompressed: {MAX_WAITING} others wait for that");
            }
            Err(TrySendError::Disconnected(_)) => warn!("the thread that compresses logs is gone"),
        }
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

/// Forces a closed log to the disk, so that a power failure does not lose it.
///
/// # Errors
/// There is no such log, or it cannot be synced.
fn sync(basedir: &Directory, path: &str) -> io::Result<()> {
    let (dir, name) = place::of_log(basedir, path, false)?;
    for suffix in [DATA, INDEX] {
        dir.read(&with_suffix(name, suffix))?.sync_data()?;
    }
    dir.sync()
}

/// Compresses the first `size` bytes of a closed log, unless that does not make it smaller.
///
/// # Errors
/// There is no such log, or a file cannot be read or written; then the log stays plain.
fn compress(basedir: &Directory, path: &str, size: u64) -> io::Result<()> {
    let (dir, name) = place::of_log(basedir, path, false)?;
    let (plain, packed) = (with_suffix(name, DATA), with_suffix(name, PACKED));
    let draft = with_suffix(&packed, ".new");
    let input = dir.read(&plain)?;
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

/// Maximum number of logs that wait to be compressed.
const MAX_WAITING: usize = 4096;

#[cfg(test)]
mod tests;
