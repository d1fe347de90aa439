//! Where logs are on the disk, and the names of their files.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path};

use crate::directory::Directory;

/// Opens the directory `dir`, which is relative to the base directory `base`; with `make` it and
/// those above it are made if they are missing.
///
/// Only the first part of it, `builders`, may be a symbolic link of the master's own user, to
/// another disk. Below it no link is followed: what is written or removed is where the state says.
///
/// # Errors
/// `dir` does not stay below the base directory, or it cannot be opened.
pub(super) fn open(base: &Directory, dir: &Path, make: bool) -> io::Result<Directory> {
    stays_below(dir)?;
    if let Ok(opened) = base.descend(dir) {
        return Ok(opened);
    }
    // Something is missing or is a link: part by part.
    let mut opened = base.itself()?;
    for (depth, name) in dir.iter().enumerate() {
        let enter = || {
            if make {
                opened.make(name)?;
            }
            match depth {
                0 => opened.configured(name),
                _ => opened.directory(name),
            }
        };
        opened = enter().map_err(|error| {
            let at: std::path::PathBuf = dir.iter().take(depth + 1).collect();
            io::Error::new(error.kind(), format!("{}: {error}", at.display()))
        })?;
    }
    Ok(opened)
}

/// As [`open`] with `make`; also returns whether the directory was surely made by this call, so
/// that nothing is in it.
///
/// # Errors
/// As for [`open`].
pub(super) fn make(base: &Directory, dir: &Path) -> io::Result<(Directory, bool)> {
    stays_below(dir)?;
    if let (Some(above), Some(name)) = (dir.parent(), dir.file_name())
        && let Ok(above) = base.descend(above)
        && above.make_new(name).is_ok()
        && let Ok(made) = above.directory(name)
    {
        return Ok((made, true));
    }
    Ok((open(base, dir, true)?, false))
}

fn stays_below(dir: &Path) -> io::Result<()> {
    let mut parts = dir.components();
    match parts.all(|part| matches!(part, Component::Normal(_))) {
        true => Ok(()),
        false => Err(outside()),
    }
}

/// Opens the directory of the log at `path`, and returns it with the name of the log there. A
/// directory is made only with `make`.
///
/// # Errors
/// As for [`open`].
pub(super) fn of_log<'p>(
    base: &Directory,
    path: &'p str,
    make: bool,
) -> io::Result<(Directory, &'p OsStr)> {
    let path = Path::new(path);
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(outside());
    };
    Ok((open(base, dir, make)?, name))
}

/// The name with a suffix after its own dots.
pub(super) fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// The error for a path that leads out of the base directory.
pub(super) fn outside() -> io::Error {
    let why = "it would not be below the base directory";
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// Suffix of the file with the bytes.
pub(super) const DATA: &str = ".log";
/// Suffix of the file with the compressed bytes.
pub(super) const PACKED: &str = ".log.gz";
/// Suffix of the file with the runs.
pub(super) const INDEX: &str = ".idx";
/// Suffix of the file with the index of lines.
pub(super) const LINES: &str = ".lin";
