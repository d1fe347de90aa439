//! The spool: changes that wait for the master, beside the repository.
//!
//! Each push is one file of `queue`, whose name is a number; the pushes are sent in the order of
//! their numbers. A file is complete when it has its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::model::{Delivery, NewChange};
use crate::platform;

/// The spool of a repository.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    /// The permissions of its files: whoever may push may add to the spool.
    mode: u32,
}

/// A change that waits.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Kept {
    /// By what the master knows the change if it comes twice.
    pub(super) delivery: Delivery,
    pub(super) change: NewChange,
}

/// The lock on the spool; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Spool {
    /// The spool of a repository, which is created if it is missing.
    pub(super) fn open(place: &Place) -> io::Result<Self> {
        let dir = place.spool();
        let mode = platform::mode(&fs::metadata(place.inner())?);
        let spool = Self {
            dir,
            mode: mode & 0o666 | 0o600,
        };
        for part in [spool.dir.clone(), spool.queue(), spool.pieces()] {
            match platform::create_private_dir(&part) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                // The password may be in it: nobody else than those who push looks into it.
                Ok(()) => platform::set_mode_at(&part, mode & 0o7770 | 0o700)?,
            }
        }
        Ok(spool)
    }

    fn queue(&self) -> PathBuf {
        self.dir.join("queue")
    }

    /// Parts of commits that are not complete.
    pub(super) fn pieces(&self) -> PathBuf {
        self.dir.join("pieces")
    }

    /// Adds the changes of a push, behind those that wait.
    pub(super) fn add(&self, changes: &[NewChange]) -> io::Result<()> {
        let kept = changes.iter().map(|change| Kept {
            delivery: Delivery::of(format!("{:032x}", rand::random::<u128>()).as_bytes()),
            change: change.clone(),
        });
        let kept: Vec<_> = kept.collect();
        let _lock = self.lock("lock", true)?;
        let last = self.entries()?.last().and_then(|path| number(path));
        let next = last.unwrap_or_default() + 1;
        self.write(&self.queue().join(format!("{next:020}.json")), &kept)
    }

    /// The files that wait, the oldest first.
    pub(super) fn entries(&self) -> io::Result<Vec<PathBuf>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.queue())? {
            let path = entry?.path();
            if number(&path).is_some() {
                entries.push(path);
            }
        }
        entries.sort();
        Ok(entries)
    }

    /// The changes of a file; absent if the file is damaged, which is set aside then.
    pub(super) fn read(&self, path: &Path) -> io::Result<Option<Vec<Kept>>> {
        let bytes = fs::read(path)?;
        match serde_json::from_slice(&bytes) {
            Ok(kept) => Ok(Some(kept)),
            Err(_) => {
                fs::rename(path, path.with_extension("damaged"))?;
                Ok(None)
            }
        }
    }

    /// Replaces the changes of a file by those that still wait.
    pub(super) fn leave(&self, path: &Path, rest: &[Kept]) -> io::Result<()> {
        match rest {
            [] => fs::remove_file(path),
            rest => self.write(path, rest),
        }
    }

    /// Writes a file, which is complete when it has its name.
    pub(super) fn write(&self, path: &Path, content: &(impl Serialize + ?Sized)) -> io::Result<()> {
        let draft = self
            .dir
            .join(format!("draft-{:032x}", rand::random::<u128>()));
        let written = || {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            let mut file = platform::with_mode(&mut options, 0o600).open(&draft)?;
            platform::set_mode(&file, self.mode)?;
            file.write_all(&serde_json::to_vec(content)?)?;
            file.sync_all()?;
            fs::rename(&draft, path)
        };
        written().inspect_err(|_| fs::remove_file(&draft).unwrap_or_default())
    }

    /// Takes a lock of the spool; waits for it if `waits`.
    pub(super) fn lock(&self, name: &str, waits: bool) -> io::Result<Lock> {
        let path = self.dir.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = platform::with_mode(&mut options, self.mode).open(path)?;
        match waits {
            true => file.lock()?,
            false => file.try_lock()?,
        }
        Ok(Lock { _file: file })
    }
}

/// The number of a file that waits.
fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".json")?.parse().ok()
}
