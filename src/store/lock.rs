//! The lock on the state: one master at a time in a base directory.
//!
//! It is on a file of its own, so that readers of the state need not know of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::StoreError;
use crate::process_lock::{self, Claim};

/// Held while a master uses the state.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    const FILE: &'static str = "state.lock";

    /// Takes the lock.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(Self::FILE);
        let attempt = || -> io::Result<(File, Claim)> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            let claim = process_lock::claim(&mut file)?;
            Ok((file, claim))
        };
        match attempt() {
            Ok((file, Claim::Ours)) => Ok(Self { file }),
            Ok((_, Claim::Theirs(pid))) => Err(StoreError::AlreadyRunning {
                dir: dir.to_owned(),
                pid,
            }),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Whether somebody holds the lock now.
    pub(super) fn is_taken(dir: &Path) -> bool {
        let file = File::open(dir.join(Self::FILE));
        file.and_then(|file| process_lock::is_claimed(&file))
            .is_ok_and(|taken| taken)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If this fails, the lock ends with the last copy of the file.
        process_lock::release(&self.file).ok();
    }
}
