//! The files that a configuration includes, below a directory.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::config::Files;

/// The files below a base directory.
#[derive(Clone, Debug)]
pub(super) struct FilesBelow {
    dir: PathBuf,
}

impl FilesBelow {
    /// Those below `dir`; an empty path is the current directory.
    pub(super) fn new(dir: &Path) -> Self {
        let dir = match dir.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => dir.to_owned(),
        };
        Self { dir }
    }

    /// Adds the files in `dir`, whose path in the configuration is `path`.
    fn add(&self, path: &str, depth: usize, found: &mut Vec<String>) -> Result<(), String> {
        let dir = self.dir.join(path);
        let told = |error: std::io::Error| format!("{}: {error}", dir.display());
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(told(error)),
        };
        for entry in entries {
            let entry = entry.map_err(told)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let below = match path {
                "" => name,
                path => format!("{path}/{name}"),
            };
            let kind = std::fs::metadata(entry.path());
            match kind {
                Ok(kind) if kind.is_file() => found.push(below),
                Ok(kind) if kind.is_dir() && depth > 0 => self.add(&below, depth - 1, found)?,
                Ok(_) | Err(_) => {}
            }
            if found.len() > MOST_LISTED {
                return Err(format!("there are more than {MOST_LISTED} files"));
            }
        }
        Ok(())
    }
}

impl Files for FilesBelow {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let file = match File::open(self.dir.join(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let read = file.take(most).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        Ok(Some(bytes))
    }

    fn list(&self, dir: &str, depth: usize) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        self.add(dir, depth, &mut found)?;
        Ok(found)
    }
}

/// So many files are looked through for a pattern.
const MOST_LISTED: usize = 100_000;
