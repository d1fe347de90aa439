//! Forces closed logs to the disk, those of all builds together.
//!
//! One thread takes all that wait, again and again. More threads join it where the disk is slow: it
//! serves several that wait for it at once better than one after the other.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::place::{self, DATA, INDEX, with_suffix};
use super::{Finisher, report};
use crate::blocking;
use crate::directory::Directory;

/// Forces the closed logs of one build to the disk in the background, so that a power failure does
/// not lose them and no step waits for the disk.
#[derive(Debug)]
pub struct LogSyncs {
    queue: Arc<Queue>,
    /// One permit, which a job has until it is done.
    turn: Arc<Semaphore>,
}

impl LogSyncs {
    pub(in crate::logs) fn new(finisher: &Finisher) -> Self {
        Self {
            queue: Arc::clone(&finisher.syncs),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Begins to force the closed logs at `paths` to the disk, after those handed in before; waits
    /// for these.
    pub async fn begin(&self, paths: Vec<String>) {
        // An error would say that the semaphore is closed, which it never is.
        if let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await {
            self.queue.hand_in(Job { paths, _turn: turn });
        }
    }

    /// Keeps this build's logs from being synced for as long as the permit is held.
    #[cfg(test)]
    pub(super) async fn hold(&self) -> OwnedSemaphorePermit {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        turn.expect("the semaphore is never closed")
    }

    /// Waits until all logs that were handed in are on the disk.
    pub async fn finished(&self) {
        // The semaphore is never closed.
        drop(self.turn.acquire().await);
    }
}

/// The logs that wait for the disk.
#[derive(Debug)]
pub(super) struct Queue {
    basedir: Arc<Directory>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: Vec<Job>,
    /// How many threads take jobs.
    threads: usize,
}

/// Logs of one build. Its end is seen by the permit.
#[derive(Debug)]
struct Job {
    paths: Vec<String>,
    _turn: OwnedSemaphorePermit,
}

impl Queue {
    pub(super) fn new(basedir: Arc<Directory>) -> Self {
        let waiting = Mutex::default();
        Self { basedir, waiting }
    }

    fn hand_in(self: &Arc<Self>, job: Job) {
        let mut waiting = self.lock();
        waiting.jobs.push(job);
        if waiting.is_short_of_threads() {
            waiting.threads += 1;
            drop(waiting);
            let queue = Arc::clone(self);
            // The permits say when the jobs are done.
            drop(blocking::run(move || queue.work()));
        }
    }

    fn work(&self) {
        loop {
            // Not held while the jobs are done.
            let Some(jobs) = self.lock().take() else {
                break;
            };
            sync(&self.basedir, jobs.iter().flat_map(|job| &job.paths));
        }
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_short_of_threads(&self) -> bool {
        self.threads == 0 || self.threads < THREADS && self.jobs.len() > TAKEN_AT_ONCE
    }

    /// The jobs that a thread does next; absent if it is to end.
    fn take(&mut self) -> Option<Vec<Job>> {
        if self.jobs.is_empty() {
            self.threads -= 1;
            return None;
        }
        let taken = self.jobs.len().min(TAKEN_AT_ONCE);
        Some(self.jobs.drain(..taken).collect())
    }
}

/// Forces closed logs to the disk: their files, and then each directory once. A log that cannot be
/// synced does not keep the others from it.
pub(super) fn sync<'a>(basedir: &Directory, paths: impl Iterator<Item = &'a String>) {
    let mut directories = BTreeMap::new();
    for path in paths {
        match place::of_log(basedir, path, false) {
            Ok((dir, name)) => {
                report(path, "sync", sync_files(&dir, name));
                directories.insert(Path::new(path).parent(), (dir, path));
            }
            Err(error) => report(path, "sync", Err(error)),
        }
    }
    for (dir, path) in directories.values() {
        report(path, "sync", dir.sync());
    }
}

/// Forces the files of a closed log to the disk. A log that is compressed by now was synced then.
fn sync_files(dir: &Directory, name: &OsStr) -> io::Result<()> {
    match dir.read(&with_suffix(name, DATA)) {
        Ok(data) => data.sync_data()?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    dir.read(&with_suffix(name, INDEX))?.sync_data()
}

/// Most threads that sync at the same time.
const THREADS: usize = 16;
/// Most jobs that a thread takes at once; a thread more is started when more wait.
const TAKEN_AT_ONCE: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(jobs: usize, threads: usize) -> Waiting {
        let job = |_| Job {
            paths: Vec::new(),
            _turn: Arc::new(Semaphore::new(1))
                .try_acquire_owned()
                .expect("it is free"),
        };
        let jobs = (0..jobs).map(job).collect();
        Waiting { jobs, threads }
    }

    #[test]
    fn one_thread_takes_all_until_many_wait() {
        assert!(waiting(1, 0).is_short_of_threads());
        assert!(!waiting(8, 1).is_short_of_threads());
        assert!(waiting(9, 1).is_short_of_threads());
        assert!(!waiting(99, THREADS).is_short_of_threads());
    }

    #[test]
    fn a_thread_ends_when_nothing_waits() {
        let mut two = waiting(9, 1);
        assert_eq!(two.take().map(|jobs| jobs.len()), Some(8));
        assert_eq!(two.take().map(|jobs| jobs.len()), Some(1));
        assert!(two.take().is_none());
        assert_eq!(two.threads, 0);
    }
}
