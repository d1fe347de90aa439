//! Where logs are on the disk.

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
    if !dir
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(outside());
    }
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

/// The error for a path that leads out of the base directory.
pub(super) fn outside() -> io::Error {
    let why = "it would not be below the base directory";
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
