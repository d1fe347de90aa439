//! The lock on the state: one master at a time in a base directory.
//!
//! It is a lock of the operating system on a file of its own, so it ends with the process that
//! holds it, however that ends, and readers of the state need not know of it. The file holds the
//! number of the process only to tell people.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::StoreError;

/// Held while a master uses the state.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    const FILE: &'static str = "state.lock";

    /// Takes the lock.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(Self::FILE);
        let attempt = || -> io::Result<Result<Self, Option<u32>>> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            // Somebody who only asks whether a master runs holds the lock for an instant.
            for _ in 0..ATTEMPTS {
                match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => {
                        file.set_len(0)?;
                        file.seek(SeekFrom::Start(0))?;
                        writeln!(file, "{}", std::process::id())?;
                        return Ok(Ok(Self { _file: file }));
                    }
                    Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(BETWEEN_ATTEMPTS),
                    Err(e) => return Err(e.into()),
                }
            }
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(Err(text.trim().parse().ok()))
        };
        match attempt() {
            Ok(Ok(lock)) => Ok(lock),
            Ok(Err(pid)) => Err(StoreError::AlreadyRunning {
                dir: dir.to_owned(),
                pid,
            }),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Whether somebody holds the lock now.
    pub(super) fn is_taken(dir: &Path) -> bool {
        File::open(dir.join(Self::FILE)).is_ok_and(|file| {
            flock(&file, FlockOperation::NonBlockingLockShared)
                == Err(rustix::io::Errno::WOULDBLOCK)
        })
    }
}

const ATTEMPTS: u32 = 10;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);
