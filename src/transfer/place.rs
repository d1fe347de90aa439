//! Where files of the master may be.
//!
//! The directory that the configuration writes is trusted; what properties add to it is not, and
//! stays below it. Relative paths begin in the base directory, where the master's own files are out
//! of bounds.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::draft;
use super::problem::Problem;
use crate::directory::{Directory, Identity};

/// The files of a master. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MasterFiles {
    base: Arc<Path>,
    /// Directories from which what a killed master left was removed.
    swept: Arc<Mutex<BTreeSet<Identity>>>,
}

/// A path on the master: the directory that the configuration writes, and the rest of the path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MasterPath {
    written: String,
    rest: String,
}

/// A name in a directory that is held open.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: Directory,
    pub(super) name: OsString,
    /// The whole path, for messages.
    pub(super) path: String,
}

impl MasterPath {
    /// `path`, whose first `literal` bytes are written in the configuration. The directory in these
    /// is trusted.
    #[must_use]
    pub fn new(path: &str, literal: usize) -> Self {
        let path = path.trim_end_matches('/');
        let mut trusted = path.as_bytes().iter().take(literal);
        let slash = trusted.rposition(|byte| *byte == b'/');
        let cut = slash.map_or(0, |slash| slash + 1);
        let (written, rest) = path.split_at_checked(cut).unwrap_or(("", path));
        Self {
            written: written.to_owned(),
            rest: rest.to_owned(),
        }
    }

    /// The entry `name` of this directory.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self {
            written: self.written.clone(),
            rest: format!("{}/{name}", self.rest),
        }
    }

    /// The last part of the path.
    #[must_use]
    pub fn file_name(&self) -> &str {
        let last = self.rest.rsplit('/').next();
        last.unwrap_or_default()
    }

    /// The whole path.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}{}", self.written, self.rest)
    }

    /// The untrusted parts, the last of which names the file.
    fn parts(&self) -> Result<Vec<&OsStr>, Problem> {
        let shown = self.shown();
        if self.written.is_empty() && self.rest.starts_with('/') {
            return Err(Problem::Refused(format!(
                "{shown:?} is absolute because of a property; write its directory in the setting"
            )));
        }
        let mut parts = Vec::new();
        for part in self.rest.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    let problem = format!("{shown:?} must not contain \"..\" from a property");
                    return Err(Problem::Refused(problem));
                }
                _ if part.contains('\0') || part.starts_with(draft::PREFIX) => {
                    return Err(Problem::Refused(format!("{shown:?} is not a path")));
                }
                _ => parts.push(OsStr::new(part)),
            }
        }
        if parts.is_empty() {
            return Err(Problem::Refused(format!("{shown:?} does not name a file")));
        }
        Ok(parts)
    }
}

impl MasterFiles {
    /// The files of the master in `base`.
    #[must_use]
    pub fn new(base: &Path) -> Self {
        Self {
            base: base.into(),
            swept: Arc::default(),
        }
    }

    /// Opens a file for a slave to read.
    ///
    /// # Errors
    /// The path leads out of its directory, or is not a readable file.
    pub(super) fn open(&self, path: &MasterPath) -> Result<File, Problem> {
        let shown = path.shown();
        let read = |error| Problem::io(format!("read {shown}"))(error);
        let place = self.walk(path, |dir, name| dir.directory(name))?;
        let file = place.dir.read(&place.name).map_err(read)?;
        let meta = file.metadata().map_err(read)?;
        if !meta.is_file() {
            return Err(Problem::Refused(format!("{shown} is not a file")));
        }
        Ok(file)
    }

    /// The place for a file or tree that is to arrive. Its directories are created.
    ///
    /// # Errors
    /// The path leads out of its directory, or the directories cannot be created.
    pub(super) fn place(&self, path: &MasterPath) -> Result<Place, Problem> {
        let written = self.expand(&path.written);
        let make = |error| Problem::io(format!("create {}", written.display()))(error);
        fs::create_dir_all(&written).map_err(make)?;
        let place = self.walk(path, |dir, name| {
            dir.make(name)?;
            dir.directory(name)
        })?;
        self.sweep(&place.dir);
        Ok(place)
    }

    fn walk(
        &self,
        path: &MasterPath,
        enter: impl Fn(&Directory, &OsStr) -> io::Result<Directory>,
    ) -> Result<Place, Problem> {
        let parts = path.parts()?;
        let shown = path.shown();
        let open = |error| Problem::io(format!("open the directory of {shown}"))(error);
        let mut dir = Directory::open(&self.expand(&path.written)).map_err(open)?;
        let base = Directory::open(&self.base).and_then(|base| base.identity());
        let is_base = dir.identity().ok() == base.ok();
        if is_base && parts.first().is_some_and(|first| is_own(first)) {
            return Err(Problem::Refused(format!(
                "{shown} belongs to the master itself"
            )));
        }
        let Some((name, dirs)) = parts.split_last() else {
            return Err(Problem::Refused(format!("{shown:?} does not name a file")));
        };
        for part in dirs {
            dir = enter(&dir, part).map_err(open)?;
        }
        Ok(Place {
            dir,
            name: (*name).to_owned(),
            path: shown,
        })
    }

    /// The trusted directory of a path.
    fn expand(&self, written: &str) -> PathBuf {
        let trimmed = match written.trim_end_matches('/') {
            "" if written.starts_with('/') => "/",
            "" => ".",
            trimmed => trimmed,
        };
        let home = || std::env::home_dir().unwrap_or_default();
        match trimmed.strip_prefix('~') {
            Some("") => home(),
            Some(rest) if rest.starts_with('/') => home().join(rest.trim_start_matches('/')),
            Some(_) | None => self.base.join(trimmed),
        }
    }

    /// Removes what a killed master left in `dir`, once in the life of this process: afterwards
    /// nothing of the kind is left behind there.
    fn sweep(&self, dir: &Directory) {
        let Ok(identity) = dir.identity() else { return };
        // Nothing panics while it holds the lock.
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.len() >= MAX_SWEPT {
            swept.clear();
        }
        if swept.insert(identity) {
            drop(swept);
            draft::sweep(dir);
        }
    }
}

/// Whether an entry of the base directory belongs to the master itself.
fn is_own(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    OWN.contains(&&*name) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Entries of the base directory that no transfer reaches.
const OWN: [&str; 5] = [
    "master.toml",
    "secrets",
    "builders",
    "slaves",
    "control.sock",
];
/// Beginnings of further names.
const OWN_PREFIXES: [&str; 2] = ["state.", "buildmaster."];
/// Most directories to remember. The list starts anew when it is full.
const MAX_SWEPT: usize = 10_000;
