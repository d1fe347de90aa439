//! A lock for one process at a time: an operating system lock on a file with the number of the
//! process.
//!
//! The lock ends with the process that holds it, even after a crash. The number is for messages
//! only.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::thread;
use std::time::Duration;

use crate::platform::exists;

/// The result of [`claim`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// This process holds the lock until the file is closed. The file has its number.
    Ours,
    /// Another process holds the lock: the process with this number, if the file names it.
    Theirs(Option<u32>),
}

/// Takes the lock on `file`, which is open for reading and writing.
///
/// Waits for a moment, because another process may only be testing the lock. Waits longer if the
/// process in the file no longer exists: when a process is killed while it starts programs, these
/// programs hold the lock until they execute.
///
/// # Errors
/// The file cannot be locked or written.
pub fn claim(file: &mut File) -> io::Result<Claim> {
    let mut attempts = 0;
    while !try_lock(file)? {
        let holder = holder(file);
        attempts += 1;
        if attempts >= attempts_against(holder) {
            return Ok(Claim::Theirs(holder));
        }
        thread::sleep(BETWEEN_ATTEMPTS);
    }
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())?;
    Ok(Claim::Ours)
}

/// Whether a process holds the lock on `file`.
///
/// # Errors
/// The file cannot be locked.
pub fn is_claimed(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Gives the lock on `file` back. Closing the file is not enough while a program is being started:
/// until it executes, it has a copy of the file, and the lock belongs to all copies.
///
/// # Errors
/// The file cannot be unlocked.
pub fn release(file: &File) -> io::Result<()> {
    file.unlock()
}

/// The process that `file` names.
pub fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn attempts_against(holder: Option<u32>) -> u32 {
    match holder {
        Some(pid) if !exists(pid) => ATTEMPTS_AFTER_DEATH,
        Some(_) | None => ATTEMPTS,
    }
}

const ATTEMPTS: u32 = 10;
const ATTEMPTS_AFTER_DEATH: u32 = 1_000;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    fn open(path: &Path) -> File {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        options.open(path).unwrap()
    }

    /// The number of a process that no longer exists.
    fn of_a_dead() -> u32 {
        let mut child = Command::new("true").stdin(Stdio::null()).spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn a_lock_that_is_given_back_is_free_though_there_are_copies_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut file = open(&path);
        let copy = file.try_clone().unwrap();
        assert_eq!(claim(&mut file).unwrap(), Claim::Ours);
        assert!(is_claimed(&open(&path)).unwrap());
        release(&file).unwrap();
        drop(file);
        assert!(!is_claimed(&open(&path)).unwrap());
        drop(copy);
    }

    #[test]
    fn a_holder_that_lives_is_believed_soon_and_a_dead_one_is_outwaited() {
        assert_eq!(attempts_against(None), ATTEMPTS);
        assert_eq!(attempts_against(Some(std::process::id())), ATTEMPTS);
        assert_eq!(attempts_against(Some(of_a_dead())), ATTEMPTS_AFTER_DEATH);
    }

    #[test]
    fn the_lock_is_one_process_s_and_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut ours = open(&path);
        assert!(!is_claimed(&ours).unwrap());
        assert_eq!(claim(&mut ours).unwrap(), Claim::Ours);
        let mut other = open(&path);
        assert!(is_claimed(&other).unwrap());
        let here = Some(std::process::id());
        assert_eq!(claim(&mut other).unwrap(), Claim::Theirs(here));
    }

    #[test]
    fn what_a_killed_process_left_behind_gives_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut left = open(&path);
        assert_eq!(claim(&mut left).unwrap(), Claim::Ours);
        std::fs::write(&path, of_a_dead().to_string()).unwrap();
        let mut next = open(&path);
        let next = thread::spawn(move || claim(&mut next));
        drop(left);
        assert_eq!(next.join().unwrap().unwrap(), Claim::Ours);
    }
}
