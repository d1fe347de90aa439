//! The bytes of a log: a plain file, or a compressed one.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use super::packed::Packed;
use super::place::{DATA, PACKED, with_suffix};
use crate::directory::Directory;

/// The bytes of a log.
#[derive(Debug)]
pub(super) enum Data {
    /// As they were written.
    Plain(File),
    /// Compressed after the end of the log.
    Packed(Packed),
}

impl Data {
    /// Opens the bytes of the log `name` in `dir`.
    ///
    /// # Errors
    /// The log does not exist, or it cannot be read.
    pub(super) fn open(dir: &Directory, name: &OsStr) -> io::Result<Self> {
        // The plain file is removed after the compressed one has got its name, so a log that is
        // compressed meanwhile is found by the second look.
        let packed = || dir.read(&with_suffix(name, PACKED)).map(Packed::new);
        if let Some(found) = if_there(packed())? {
            return Ok(Self::Packed(found));
        }
        if let Some(found) = if_there(dir.read(&with_suffix(name, DATA)))? {
            return Ok(Self::Plain(found));
        }
        match if_there(packed())? {
            Some(found) => Ok(Self::Packed(found)),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// The compressed file, if it is one.
    ///
    /// # Errors
    /// The file cannot be opened a second time.
    pub(super) fn packed(&self) -> io::Result<Option<File>> {
        match self {
            Self::Plain(_) => Ok(None),
            Self::Packed(packed) => packed.file().try_clone().map(Some),
        }
    }

    /// Number of bytes.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn len(&mut self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.len()),
            Self::Packed(packed) => packed.len(),
        }
    }

    /// Reads bytes at `position`; none at the end.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => read_at(file, buffer, position),
            Self::Packed(packed) => packed.read_at(buffer, position),
        }
    }
}

/// The file, if it is there.
fn if_there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, position) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
