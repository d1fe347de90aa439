//! The logs that wait to be compressed, in a file, so that the next run of the master compresses
//! those that this one has not come to.
//!
//! The file has a line for each log, with its size in bytes and its path. It is emptied when no log
//! waits any more, and is not forced to the disk: what is lost of it stays uncompressed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use tracing::debug;

use crate::directory::Directory;

/// The logs that wait to be compressed.
#[derive(Debug)]
pub(super) struct Backlog {
    basedir: Arc<Directory>,
    /// Open for appending, once it is needed.
    file: Option<File>,
    /// Logs that wait.
    waiting: usize,
    /// Bytes of the file.
    size: usize,
}

/// A closed log: its path and its size in bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Finished {
    pub(super) path: String,
    pub(super) size: u64,
}

impl Backlog {
    /// Below `basedir`, with the logs that the last run has left.
    pub(super) fn open(basedir: Arc<Directory>) -> (Self, Vec<Finished>) {
        let mut text = String::new();
        let read = basedir.read(OsStr::new(FILE));
        let read = read.and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
        match read {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                debug!("cannot read {FILE}: {error}");
            }
            Ok(_) | Err(_) => {}
        }
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let logs = lines.filter_map(|(size, path)| Some((path, size.parse().ok()?)));
        // A log may be there twice; what was said last is true.
        let logs: BTreeMap<&str, u64> = logs.collect();
        let logs = logs.into_iter().map(|(path, size)| Finished {
            path: path.to_owned(),
            size,
        });
        let logs: Vec<_> = logs.collect();
        let backlog = Self {
            basedir,
            file: None,
            waiting: logs.len(),
            size: text.len(),
        };
        (backlog, logs)
    }

    /// A log waits from now on.
    pub(super) fn add(&mut self, log: &Finished) {
        self.waiting += 1;
        let line = format!("{} {}\n", log.size, log.path);
        self.size = self.size.saturating_add(line.len());
        let is_too_long = u64::try_from(self.size).unwrap_or(u64::MAX) > MOST_BYTES;
        if is_too_long || log.path.contains('\n') {
            return;
        }
        let added = self.file().and_then(|file| file.write_all(line.as_bytes()));
        if let Err(error) = added {
            debug!("cannot write {FILE}: {error}");
        }
    }

    /// A log does not wait any more.
    pub(super) fn remove(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting > 0 || self.size == 0 {
            return;
        }
        match self.file().and_then(|file| file.set_len(0)) {
            Ok(()) => self.size = 0,
            Err(error) => debug!("cannot empty {FILE}: {error}"),
        }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        let name = OsStr::new(FILE);
        let file = match self.file.take() {
            Some(file) => file,
            None => match self.basedir.append(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.basedir.create(name, 0o666)?;
                    self.basedir.append(name)?
                }
                opened => opened?,
            },
        };
        Ok(self.file.insert(file))
    }
}

/// The file, in the base directory.
const FILE: &str = "compress.todo";
/// Most bytes of the file; logs that come then are not in it.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
