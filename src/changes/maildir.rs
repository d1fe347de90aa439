//! The files of a maildir, in which others put try jobs or mails: listing, moving, reading and
//! rejecting them. All calls may block.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Access, FileType, FlockOperation, access};
use rustix::io::Errno;

use crate::directory::{self, Directory, Identity};
use crate::pb::cred;

/// Why a maildir is unusable. The text includes the remedy.
#[derive(Debug, thiserror::Error)]
pub enum MaildirError {
    /// The directory does not exist (TJD-01).
    #[error(
        "the directory {path} does not exist; create it with `mkdir {path}`, `mkdir {path}/tmp {path}/new \
         {path}/cur`, and make it writable for those who put files there",
        path = .0.display()
    )]
    Missing(PathBuf),
    /// The path is not a directory.
    #[error("{} is not a directory; the setting must name a directory", .0.display())]
    NoDirectory(PathBuf),
    /// The path is a symbolic link, which may lead anywhere.
    #[error(
        "{path} is a symbolic link, which the master does not follow; replace it by a directory (`rm {path}`, \
         `mkdir {path}`)",
        path = .0.display()
    )]
    Link(PathBuf),
    /// The master has no permission.
    #[error("the master cannot read and write {}; give its user permission (chown, chmod)", .0.display())]
    NotAllowed(PathBuf),
    /// Another process watches it.
    #[error("the directory {} is watched by another master, scheduler or change source; use separate directories", .0.display())]
    InUse(PathBuf),
    /// Another error of the system.
    #[error("cannot use the directory {}: {source}", .path.display())]
    Io {
        /// The path of the directory or the subdirectory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl MaildirError {
    fn new(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let kind = source.kind();
        if kind == io::ErrorKind::NotFound {
            Self::Missing(path)
        } else if kind == io::ErrorKind::NotADirectory {
            Self::NoDirectory(path)
        } else if kind == io::ErrorKind::PermissionDenied {
            Self::NotAllowed(path)
        } else if directory::is_about_link(&source) {
            Self::Link(path)
        } else {
            Self::Io { path, source }
        }
    }
}

/// Suffix of the file with the reason for a rejection.
const REFUSED: &str = ".refused";

/// Maximum length of a job name in bytes, which leaves room for the prefix and the suffix.
const LONGEST_NAME: usize = 240;

/// Number of bytes to keep of a name that is too long.
const KEPT_OF_NAME: usize = 200;

/// A maildir.
///
/// Other users may write to parts of the directory. So all parts are held open as directories, and
/// no path is followed that those users could redirect with a link.
#[derive(Debug)]
pub(super) struct Maildir {
    path: PathBuf,
    /// Maximum size of a file in bytes, and the setting that says so.
    max_size: u64,
    size_key: &'static str,
    lock: Lock,
}

/// The lock on a watched directory, and the directory itself, which is held open.
#[derive(Clone, Debug)]
pub struct Lock(Arc<Mutex<Directory>>);

impl Lock {
    /// Locks the directory at `path`, or takes its lock over from `leaving`. The new watcher must
    /// not start before the leaving watcher has ended.
    fn take(path: &Path, leaving: &mut Vec<Self>) -> Result<Self, MaildirError> {
        let dir = Directory::open(path).map_err(|error| MaildirError::new(path, error))?;
        let own = dir.identity().ok();
        let is_same = |other: &Self| own.is_some() && other.held().identity().ok() == own;
        if let Some(at) = leaving.iter().position(is_same) {
            return Ok(leaving.swap_remove(at));
        }
        Self::claim(path, &dir)?;
        Ok(Self(Arc::new(Mutex::new(dir))))
    }

    /// Locks `dir`. On network file systems without locks, this succeeds without a lock.
    fn claim(path: &Path, dir: &Directory) -> Result<(), MaildirError> {
        match rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(MaildirError::InUse(path.to_owned())),
            // The directory is not readable.
            Err(Errno::BADF) => Err(MaildirError::NotAllowed(path.to_owned())),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn held(&self) -> MutexGuard<'_, Directory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job in `cur/` that may or may not have been submitted.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Unsettled {
    /// The name of the job.
    pub(super) name: OsString,
    /// Whether this was the second attempt to submit the job.
    pub(super) is_second: bool,
}

/// Checks that `path` is a directory.
pub(super) fn check_exists(path: &Path) -> Result<(), MaildirError> {
    Directory::open(path)
        .map(drop)
        .map_err(|error| MaildirError::new(path, error))
}

/// Checks that this process can use the directory at `path`, without changing anything.
pub(super) fn check(path: &Path) -> Result<(), MaildirError> {
    check_exists(path)?;
    for name in ["tmp", "new", "cur"] {
        let part = path.join(name);
        // The master creates a missing subdirectory.
        let written = match Directory::open(&part) {
            Ok(_) => &part,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path,
            Err(error) => return Err(MaildirError::new(&part, error)),
        };
        if access(written, Access::WRITE_OK | Access::EXEC_OK).is_err() {
            return Err(MaildirError::NotAllowed(written.to_owned()));
        }
    }
    Ok(())
}

impl Maildir {
    pub(super) fn open(
        path: PathBuf,
        (max_size, size_key): (u64, &'static str),
        leaving: &mut Vec<Lock>,
    ) -> Result<Self, MaildirError> {
        let lock = Lock::take(&path, leaving)?;
        let maildir = Self {
            path,
            max_size,
            size_key,
            lock,
        };
        maildir.check()?;
        Ok(maildir)
    }

    /// The lock on the directory.
    pub(super) const fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Checks that the directory and its subdirectories are still in place, because other users may
    /// have renamed them, and creates missing subdirectories. If the path now names another
    /// directory, that directory is held from now on.
    ///
    /// Returns the identity of the directory where jobs arrive.
    ///
    /// # Errors
    /// A path is not a directory, for example a link, or the master has no permission.
    pub(super) fn check(&self) -> Result<Option<Identity>, MaildirError> {
        let path = &self.path;
        let named = Directory::open(path).map_err(|error| MaildirError::new(path, error))?;
        let mut held = self.lock.held();
        if named.identity().ok() != held.identity().ok() {
            Lock::claim(path, &named)?;
            *held = named;
        }
        let mut arriving = None;
        for name in ["tmp", "cur", "new"] {
            let part = path.join(name);
            let failed = |error| MaildirError::new(&part, error);
            match held.make(OsStr::new(name)) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(MaildirError::NotAllowed(path.clone()));
                }
                made => made.map_err(failed)?,
            }
            let opened = held.directory(OsStr::new(name)).map_err(failed)?;
            if !opened.is_writable() {
                return Err(MaildirError::NotAllowed(part));
            }
            arriving = opened.identity().ok();
        }
        Ok(arriving)
    }

    /// The permissions of the directory where files arrive.
    pub(super) fn mode(&self) -> Option<u32> {
        self.part("new").ok()?.mode().ok()
    }

    /// The directory where jobs arrive.
    pub(super) fn new_dir(&self) -> PathBuf {
        self.path.join("new")
    }

    /// Opens the subdirectory `name` of the held directory.
    fn part(&self, name: &str) -> Result<Directory, String> {
        let opened = self.lock.held().directory(OsStr::new(name));
        opened.map_err(|error| MaildirError::new(&self.path.join(name), error).to_string())
    }

    /// The names of arrived jobs, in order (TJD-04), without directories and names that begin with
    /// a dot (TJD-03).
    pub(super) fn names(&self) -> Result<Vec<OsString>, String> {
        let mut names = Vec::new();
        for (name, kind) in self.list("new")? {
            if kind != FileType::Directory && !name.as_bytes().starts_with(b".") {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The jobs in `cur/` that were taken but not settled, in order.
    pub(super) fn unsettled(&self) -> Result<Vec<Unsettled>, String> {
        let mut found = Vec::new();
        for (name, _) in self.list("cur")? {
            let Some(rest) = name.as_bytes().strip_prefix(b".") else {
                continue;
            };
            let second = rest.strip_prefix(b".");
            let rest = second.unwrap_or(rest);
            if !rest.is_empty() && !rest.starts_with(b".") {
                found.push(Unsettled {
                    name: OsString::from_vec(rest.to_vec()),
                    is_second: second.is_some(),
                });
            }
        }
        found.sort();
        Ok(found)
    }

    fn list(&self, name: &str) -> Result<Vec<(OsString, FileType)>, String> {
        let listed = self.part(name)?.list();
        listed.map_err(|error| format!("cannot list {}: {error}", self.path.join(name).display()))
    }

    /// Moves a job from `new/` to `cur/`.
    pub(super) fn take(&self, name: &OsStr) -> Result<Taken, String> {
        let (new, cur) = (self.part("new")?, self.part("cur")?);
        let (to, taken) = if name.len() > LONGEST_NAME {
            let cut = cut(name);
            let why = format!(
                "the file name is {} bytes long; the maximum is {LONGEST_NAME}",
                name.len()
            );
            // Write the reason first: after a crash in between, the job is rejected again.
            self.explain(&cur, &cut, &why)
                .map_err(|error| unexplained(&cut, &error))?;
            (cut.clone(), Taken::Refused { cut, why })
        } else {
            (hidden(name, false), Taken::Job)
        };
        match new.rename(name, &cur, &to) {
            Ok(()) => Ok(taken),
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && new.file_type(name).is_err() =>
            {
                Ok(Taken::Gone)
            }
            Err(error) => Err(self.not_moved(name, &error)),
        }
    }

    /// Reads a file that has arrived and stays where it is.
    ///
    /// # Errors
    /// The reason for the rejection: it is not a file, too large or unreadable. Absent inside:
    /// somebody else has removed it.
    pub(super) fn look_at(&self, name: &OsStr) -> Result<Option<Vec<u8>>, String> {
        let new = self.part("new")?;
        match new.file_type(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => self.read_in(&new, name).map(Some),
        }
    }

    /// Moves a file that has arrived to `cur/`: it was accepted.
    pub(super) fn accept(&self, name: &OsStr) -> Result<(), String> {
        let to = cut_if_long(name);
        let (new, cur) = (self.part("new")?, self.part("cur")?);
        match new.rename(name, &cur, &to) {
            // Somebody else has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.not_moved(name, &error)),
            Ok(()) => Ok(()),
        }
    }

    /// Moves a file that has arrived to `cur/`, with the reason for its rejection beside it.
    pub(super) fn reject(&self, name: &OsStr, why: &str) -> Result<(), String> {
        let to = cut_if_long(name);
        // Write the reason first: after a crash in between, the file is rejected again.
        self.explain(&self.part("cur")?, &to, why)
            .map_err(|error| unexplained(&to, &error))?;
        self.accept(name)
    }

    fn not_moved(&self, name: &OsStr, error: &io::Error) -> String {
        let from = self.new_dir().join(name);
        format!("cannot move {} to cur: {error}", from.display())
    }

    /// Marks a taken job as submitted for the second time.
    pub(super) fn begin_second(&self, name: &OsStr) -> Result<(), String> {
        self.rename(&hidden(name, false), &hidden(name, true))
    }

    /// Reverts [`Self::begin_second`].
    pub(super) fn end_second(&self, name: &OsStr) -> Result<(), String> {
        self.rename(&hidden(name, true), &hidden(name, false))
    }

    /// Reads a job that has been taken.
    ///
    /// # Errors
    /// The reason for the sender: the job is not a file, too large or unreadable.
    pub(super) fn read(&self, name: &OsStr, is_second: bool) -> Result<Vec<u8>, String> {
        self.read_in(&self.part("cur")?, &hidden(name, is_second))
    }

    fn read_in(&self, dir: &Directory, name: &OsStr) -> Result<Vec<u8>, String> {
        let unreadable = |error: io::Error| format!("the master cannot read the file: {error}");
        let no_file = || Err("it is not a regular file".to_owned());
        // Check the type first, because merely opening a device can have effects.
        if dir.file_type(name).map_err(unreadable)? != FileType::RegularFile {
            return no_file();
        }
        // This neither follows a link nor blocks if the file has been replaced in the meantime.
        let file = dir.read(name).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return no_file();
        }
        let mut bytes = Vec::new();
        file.take(self.max_size.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if u64::try_from(bytes.len()).is_ok_and(|len| len > self.max_size) {
            let (most, key) = (self.max_size, self.size_key);
            return Err(format!("the file is larger than {most} bytes (`{key}`)"));
        }
        Ok(bytes)
    }

    /// Gives a taken job its final name.
    pub(super) fn settle(&self, name: &OsStr, is_second: bool) -> Result<(), String> {
        self.rename(&hidden(name, is_second), name)
    }

    /// Settles a job and writes the reason beside it. The reason is written first: after a crash in
    /// between, the job is rejected again.
    pub(super) fn refuse(&self, name: &OsStr, is_second: bool, why: &str) -> Result<(), String> {
        let cur = self.part("cur")?;
        let explained = self.explain(&cur, name, why);
        self.settle(name, is_second)?;
        explained.map_err(|error| unexplained(name, &error))
    }

    /// Writes the reason for a rejection to a temporary file and renames it, so that the file is
    /// complete and no existing link is followed.
    fn explain(&self, cur: &Directory, name: &OsStr, why: &str) -> io::Result<()> {
        let tmp = self.part("tmp").map_err(io::Error::other)?;
        // A name that no other user can predict.
        let draft = OsString::from(format!("reason-{:032x}", rand::random::<u128>()));
        let written = || {
            let mut file = tmp.create(&draft, 0o600)?;
            writeln!(file, "{why}")?;
            // Users who can list the directory can read the reason.
            let mode = cur.mode()? & 0o444 | 0o600;
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
            let mut reason = name.to_owned();
            reason.push(REFUSED);
            tmp.rename(&draft, cur, &reason)
        };
        written().inspect_err(|_| {
            // The file may not exist.
            tmp.remove_file(&draft).unwrap_or_default();
        })
    }

    /// Renames a job in `cur/`.
    fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), String> {
        let renamed = |cur: &Directory| cur.rename(from, cur, to);
        renamed(&self.part("cur")?).map_err(|error| {
            let cur = self.path.join("cur");
            let (from, to) = (cur.join(from), cur.join(to));
            format!(
                "cannot rename {} to {}: {error}",
                from.display(),
                to.display()
            )
        })
    }
}

/// The result of taking a job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// The job is in `cur/`, ready to be submitted.
    Job,
    /// The name of the job is too long. The job is in `cur/` under the name `cut`, with the reason
    /// beside it.
    Refused {
        /// The new name of the job.
        cut: OsString,
        /// The reason.
        why: String,
    },
    /// Somebody else has removed the job.
    Gone,
}

/// The name of a job in `cur/` while it is being submitted.
fn hidden(name: &OsStr, is_second: bool) -> OsString {
    let mut hidden = OsString::from(if is_second { ".." } else { "." });
    hidden.push(name);
    hidden
}

fn cut_if_long(name: &OsStr) -> OsString {
    match name.len() > LONGEST_NAME {
        true => cut(name),
        false => name.to_owned(),
    }
}

/// Shortens a name that is too long. Different names stay different.
fn cut(name: &OsStr) -> OsString {
    let bytes = name.as_bytes();
    let mut cut = bytes.get(..KEPT_OF_NAME).unwrap_or(bytes).to_vec();
    cut.extend_from_slice(b"~");
    cut.extend_from_slice(cred::md5_hex(bytes).as_bytes());
    OsString::from_vec(cut)
}

fn unexplained(name: &OsStr, error: &io::Error) -> String {
    let name = name.to_string_lossy();
    format!("cannot write the reason for the rejection of {name}: {error}")
}
