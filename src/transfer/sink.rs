//! A file that arrives from a slave.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, IoSlice, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use bytes::Bytes;
use rustix::fs::{Timespec, Timestamps, futimens};

use super::draft;
use super::place::{MasterFiles, MasterPath, Place};
use super::problem::Problem;

/// A file that arrives from a slave. It gets its name when it is whole; dropped before, nothing is
/// left of it.
#[derive(Debug)]
pub struct FileSink {
    place: Place,
    file: File,
    draft: OsString,
    max_bytes: Option<u64>,
    received: u64,
    mode: Option<u32>,
    times: Option<Timestamps>,
    is_closed: bool,
    is_placed: bool,
}

impl FileSink {
    /// Begins a file of at most `max_bytes`, which gets the permissions `mode`, by default 0600.
    ///
    /// # Errors
    /// The path leads out of its directory, or the file cannot be created.
    pub fn begin(
        files: &MasterFiles,
        path: &MasterPath,
        max_bytes: Option<u64>,
        mode: Option<u32>,
    ) -> Result<Self, Problem> {
        let place = files.place(path)?;
        let create = Problem::io(format!("create a file beside {}", place.path));
        let (draft, file) = draft::file(&place.dir).map_err(create)?;
        Ok(Self {
            place,
            file,
            draft,
            max_bytes,
            received: 0,
            mode,
            times: None,
            is_closed: false,
            is_placed: false,
        })
    }

    pub(super) fn write(&mut self, blocks: &[Bytes]) -> Result<(), Problem> {
        self.received = admit(self.received, blocks, self.max_bytes)?;
        let write = Problem::io(format!("write {}", self.place.path));
        write_all(&self.file, blocks).map_err(write)
    }

    pub(super) const fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn keep_times(&mut self, accessed: f64, modified: f64) {
        self.times = Some(Timestamps {
            last_access: timespec(accessed),
            last_modification: timespec(modified),
        });
    }

    pub(super) fn finish(mut self) -> Result<(), Problem> {
        if !self.is_closed {
            return Err(Problem::Incomplete("file"));
        }
        let place = || Problem::io(format!("write {}", self.place.path));
        if let Some(mode) = self.mode {
            let mode = Permissions::from_mode(mode);
            self.file.set_permissions(mode).map_err(place())?;
        }
        if let Some(times) = &self.times {
            futimens(&self.file, times).map_err(|error| place()(error.into()))?;
        }
        self.file.sync_data().map_err(place())?;
        let Place { dir, name, .. } = &self.place;
        dir.rename(&self.draft, dir, name).map_err(place())?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        if !self.is_placed {
            // It is removed later if that fails now.
            self.place.dir.remove_file(&self.draft).unwrap_or_default();
        }
    }
}

/// Counts `blocks`, of which there may be `most` bytes.
pub(super) fn admit(received: u64, blocks: &[Bytes], most: Option<u64>) -> Result<u64, Problem> {
    let received = blocks.iter().fold(received, |received, block| {
        received.saturating_add(u64::try_from(block.len()).unwrap_or(u64::MAX))
    });
    match most {
        Some(most) if received > most => Err(Problem::TooLarge(most)),
        Some(_) | None => Ok(received),
    }
}

/// Writes all of `blocks`, with few calls of the system.
pub(super) fn write_all(mut file: &File, blocks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = blocks.iter().map(|block| IoSlice::new(block)).collect();
    let mut slices = &mut slices[..];
    // Without those that are empty at the beginning, after which nothing would seem to be written.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A time in seconds since 1970; an absurd one becomes the nearest that there is.
fn timespec(seconds: f64) -> Timespec {
    let whole = seconds.floor();
    let nanos = ((seconds - whole) * 1e9).clamp(0.0, 999_999_999.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates"
    )]
    Timespec {
        tv_sec: whole as i64,
        tv_nsec: nanos as i64,
    }
}
