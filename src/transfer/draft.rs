//! Temporary names.
//!
//! A file or directory with a temporary name is locked by the process that fills it. A name whose
//! lock is free was left by a killed process.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{FileType, FlockOperation, flock};

use crate::directory::Directory;

/// What temporary names begin with.
pub(super) const PREFIX: &str = ".arriving-";

/// Creates a file that only the master may read, with a temporary name.
///
/// # Errors
/// The file cannot be created.
pub(super) fn file(dir: &Directory) -> io::Result<(OsString, File)> {
    let name = name();
    let file = dir.create(&name, 0o600)?;
    lock(&file);
    Ok((name, file))
}

/// Creates a directory with a temporary name.
///
/// # Errors
/// The directory cannot be created.
pub(super) fn directory(dir: &Directory) -> io::Result<(OsString, Directory)> {
    let name = name();
    dir.make(&name)?;
    let made = dir.directory(&name)?;
    lock(&made);
    Ok((name, made))
}

/// Removes what killed processes left in `dir`, as far as possible.
pub(super) fn sweep(dir: &Directory) {
    for (name, kind) in dir.list().unwrap_or_default() {
        if !name.as_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        if let Err(error) = remove_left(dir, &name, kind) {
            tracing::warn!(name = ?name, "cannot remove what a killed transfer left: {error}");
        }
    }
}

fn remove_left(dir: &Directory, name: &OsStr, kind: FileType) -> io::Result<()> {
    let is_free = if kind == FileType::Directory {
        lock(&dir.directory(name)?)
    } else {
        lock(&dir.read(name)?)
    };
    if is_free {
        dir.remove_all(name)?;
    }
    Ok(())
}

/// Takes the lock, which ends with the descriptor; or else says that another process has it. A file
/// system without locks has no owner of a lock.
fn lock(held: &impl AsFd) -> bool {
    flock(held, FlockOperation::NonBlockingLockExclusive) != Err(rustix::io::Errno::WOULDBLOCK)
}

fn name() -> OsString {
    format!("{PREFIX}{:032x}", rand::random::<u128>()).into()
}
