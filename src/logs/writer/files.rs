//! The two files of a log on the disk.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::path::Path;

use super::log::{Appended, Batch, Opening};
use crate::directory::Directory;
use crate::logs::place::{self, DATA, INDEX, LINES, PACKED, with_suffix};

/// The files of a log, open for appending.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) data: File,
    pub(super) index: File,
}

impl Files {
    /// Opens the files, or makes them and their directory.
    pub(super) fn open(basedir: &Directory, opening: &Opening) -> io::Result<Self> {
        let path = Path::new(&opening.path);
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(place::outside());
        };
        let (dir, is_empty) = match opening.is_new {
            true => place::make(basedir, dir)?,
            false => (place::open(basedir, dir, false)?, false),
        };
        let open = |suffix| {
            let name = with_suffix(name, suffix);
            if !opening.is_new {
                return dir.append(&name);
            }
            match dir.create(&name, 0o666) {
                // It belongs to a build whose number the state has forgotten, because an older copy
                // of the state was put back.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    dir.set_aside(&name)?;
                    dir.create(&name, 0o666)
                }
                made => made,
            }
        };
        if opening.is_new && !is_empty {
            // As below: readers would take it for the bytes of this log.
            for suffix in [PACKED, LINES] {
                match dir.set_aside(&with_suffix(name, suffix)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        let index = open(INDEX)?;
        let data = open(DATA);
        if opening.is_new && data.is_err() {
            // The next attempt makes both.
            dir.remove_file(&with_suffix(name, INDEX)).ok();
        }
        let files = Self { data: data?, index };
        if !opening.is_new {
            cut(&files.data, opening.size)?;
            cut(&files.index, opening.index_size)?;
        }
        Ok(files)
    }

    /// Appends a batch: its bytes, then the runs that claim those that were written.
    pub(super) fn append(&mut self, batch: &Batch) -> Appended {
        let (size, written) = write_all(&mut self.data, batch);
        let index = batch.index(size);
        if let Err(error) = self.index.write_all(&index) {
            // Nothing claims the bytes, and the files are cut before the next attempt.
            return Appended {
                size: 0,
                index_size: 0,
                error: Some(error),
            };
        }
        Appended {
            size,
            index_size: u64::try_from(index.len()).unwrap_or(u64::MAX),
            error: written.err(),
        }
    }
}

/// Takes off what was written beyond `size` and not claimed.
fn cut(file: &File, size: u64) -> io::Result<()> {
    if file.metadata()?.len() > size {
        file.set_len(size)?;
    }
    Ok(())
}

/// Writes the bytes without copying them; returns how many went out.
fn write_all(file: &mut File, batch: &Batch) -> (u64, io::Result<()>) {
    let mut slices: Vec<_> = batch.slices().map(IoSlice::new).collect();
    let mut slices = &mut slices[..];
    let mut written = 0;
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(n) => {
                written += u64::try_from(n).unwrap_or(u64::MAX);
                IoSlice::advance_slices(&mut slices, n);
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return (written, Err(e)),
        }
    }
    (written, Ok(()))
}
