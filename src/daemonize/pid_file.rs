//! The pid file: a lock that shows whether a program is running, and its process number.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::platform::{self, Signal};
use crate::process_lock::{self, Claim};

/// The locked pid file of this process, unlocked and removed on drop.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

/// Why a pid file cannot be acquired.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// The program is already running, as this process if known.
    #[error("already running{}", .0.map(|pid| format!(" as process {pid}")).unwrap_or_default())]
    Running(Option<u32>),
    /// The file cannot be written.
    #[error("cannot write the pid file {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The result of stopping a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stopped {
    /// This process has ended.
    Ended(u32),
    /// This process was signalled but is still running after the time limit.
    StillRunning(u32),
    /// The program was not running.
    NotRunning,
}

impl PidFile {
    /// Acquires the pid file at `path` for this process.
    ///
    /// # Errors
    /// The program is already running, or the file cannot be written.
    pub fn acquire(path: &Path) -> Result<Self, PidFileError> {
        let fail = |source| PidFileError::File {
            path: path.to_owned(),
            source,
        };
        loop {
            let mut file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(fail)?;
            if let Claim::Theirs(pid) = process_lock::claim(&mut file).map_err(fail)? {
                return Err(PidFileError::Running(pid));
            }
            // The previous owner may have removed the file after we opened it and before we locked
            // it.
            if !is_still_at(&file, path) {
                continue;
            }
            return Ok(Self {
                path: path.to_owned(),
                _file: file,
            });
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Remove the file while it is locked, so that no other process's file is removed. The
        // directory may be gone.
        fs::remove_file(&self.path).ok();
    }
}

/// The process that holds the pid file at `path`, if the program is running.
///
/// # Errors
/// The file cannot be read.
pub fn running(path: &Path) -> io::Result<Option<u32>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !process_lock::is_claimed(&file)? {
        return Ok(None);
    }
    // Programs that a killed process was about to start hold the lock for a moment.
    Ok(process_lock::holder(&mut file).filter(|pid| platform::exists(*pid)))
}

/// Sends `signal` to the program with the pid file at `path`, and waits at most `patience` for its
/// end. With zero `patience` it returns once the signal is sent.
///
/// # Errors
/// The file cannot be read, or the process may not be signalled.
pub fn stop(path: &Path, signal: Signal, patience: Duration) -> io::Result<Stopped> {
    let Some(number) = running(path)? else {
        return Ok(Stopped::NotRunning);
    };
    platform::send(number, signal)?;
    await_end(path, number, patience)
}

/// Asks the program with the pid file at `path` to end, by creating the file `request`, and waits
/// at most `patience` for its end. For systems without signals; the program must look for the file.
/// Answers whether it has ended, absent if it was not running.
///
/// # Errors
/// A file cannot be read or written.
pub fn stop_by_request(
    path: &Path,
    request: &Path,
    patience: Duration,
) -> io::Result<Option<bool>> {
    let is_running = || match File::open(path) {
        Ok(file) => process_lock::is_claimed(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    if !is_running()? {
        return Ok(None);
    }
    File::create(request)?;
    let deadline = Instant::now() + patience;
    while is_running()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Some(false));
        }
        std::thread::sleep(left.min(POLL));
    }
    Ok(Some(true))
}

/// Waits at most `patience` for the end of the process `number`, which holds the pid file at
/// `path`.
///
/// # Errors
/// The file cannot be read.
pub fn await_end(path: &Path, number: u32, patience: Duration) -> io::Result<Stopped> {
    let deadline = Instant::now() + patience;
    loop {
        if running(path)? != Some(number) {
            return Ok(Stopped::Ended(number));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Stopped::StillRunning(number));
        }
        std::thread::sleep(left.min(POLL));
    }
}

/// Time between two checks whether a process has ended.
const POLL: Duration = Duration::from_millis(20);

fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => platform::is_same_file(&ours, &there),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Read;

    use super::*;

    #[test]
    fn a_held_file_refuses_a_second_start_and_names_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        let held = PidFile::acquire(&path).unwrap();
        assert!(matches!(
            PidFile::acquire(&path),
            Err(PidFileError::Running(Some(pid))) if pid == std::process::id()
        ));
        assert_eq!(running(&path).unwrap(), Some(std::process::id()));
        drop(held);
        assert!(!path.exists());
        assert_eq!(running(&path).unwrap(), None);
    }

    #[test]
    fn a_file_left_by_a_crash_means_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        // Process 1 exists, but it does not hold the lock.
        fs::write(&path, "1\n").unwrap();
        assert_eq!(running(&path).unwrap(), None);
        assert_eq!(
            stop(&path, Signal::TERM, Duration::ZERO).unwrap(),
            Stopped::NotRunning
        );
        let _held = PidFile::acquire(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap().trim(),
            std::process::id().to_string()
        );
    }

    #[test]
    fn a_request_to_end_is_seen_and_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (path, request) = (dir.path().join("x.pid"), dir.path().join("x.stop"));
        let stop = |patience| stop_by_request(&path, &request, patience).unwrap();
        assert_eq!(stop(Duration::ZERO), None);
        assert!(!request.exists());
        let held = PidFile::acquire(&path).unwrap();
        assert_eq!(stop(Duration::ZERO), Some(false));
        let asked = request.clone();
        fs::remove_file(&asked).unwrap();
        let program = std::thread::spawn(move || {
            while !asked.exists() {
                std::thread::yield_now();
            }
            drop(held);
        });
        assert_eq!(stop(Duration::from_secs(60)), Some(true));
        program.join().unwrap();
    }

    #[test]
    fn stopping_waits_for_the_end_of_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        let mut child = std::process::Command::new("flock")
            .arg(&path)
            .args(["sh", "-c", "echo $$ > \"$0\"; echo up; exec sleep 600"])
            .arg(&path)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = [0; 3];
        child.stdout.take().unwrap().read_exact(&mut up).unwrap();
        // The child that runs `sleep` is the one that the file names; its parent `flock` holds the
        // lock and ends after it.
        assert!(matches!(
            stop(&path, Signal::TERM, Duration::from_secs(60)).unwrap(),
            Stopped::Ended(_)
        ));
        child.wait().unwrap();
    }
}
