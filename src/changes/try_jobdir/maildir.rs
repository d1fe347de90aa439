//! The directory itself: files are listed, moved, read and explained. All of it may wait for the
//! disk.

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

/// A job directory that cannot be used; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum JobdirError {
    /// It is not there (TJD-01).
    #[error(
        "the job directory {path} does not exist; make it with `mkdir {path}`, `mkdir {path}/tmp {path}/new \
         {path}/cur`, and let those who may try write to it",
        path = .0.display()
    )]
    Missing(PathBuf),
    /// It is something else.
    #[error("{} is no directory; `jobdir` names the directory that jobs are dropped into", .0.display())]
    NoDirectory(PathBuf),
    /// A link is in its place, and may lead anywhere.
    #[error(
        "{path} is a symbolic link, which the master does not follow; remove it (`rm {path}`) and make a \
         directory in its place (`mkdir {path}`)",
        path = .0.display()
    )]
    Link(PathBuf),
    /// Rights are missing.
    #[error("the master may not read and write {}; give its user the right to (chown, chmod)", .0.display())]
    NotAllowed(PathBuf),
    /// Another process watches it.
    #[error("the job directory {} is watched by another master or scheduler; give each its own", .0.display())]
    InUse(PathBuf),
    /// The system says no.
    #[error("cannot use the job directory {}: {source}", .path.display())]
    Io {
        /// Which part of it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl JobdirError {
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

/// What the reason for a refusal is called, behind the name of the job.
const REFUSED: &str = ".refused";

/// Longest name of a job, in bytes: what is put before and behind it must fit as well.
const LONGEST_NAME: usize = 240;

/// Bytes of a longer name that are kept when it is cut.
const KEPT_OF_NAME: usize = 200;

/// A job directory.
///
/// Those who hand in jobs may write to parts of it, so all of it is held as directories: nothing is
/// reached by a path that they could bend with a link.
#[derive(Debug)]
pub(super) struct Maildir {
    path: PathBuf,
    max_job_size: u64,
    lock: Lock,
}

/// The lock on a directory, for whoever watches it. It is on the directory that is held.
#[derive(Clone, Debug)]
pub struct Lock(Arc<Mutex<Directory>>);

impl Lock {
    /// Locks `dir`; or shares a lock that somebody has on it who is about to go, and whose watching
    /// must have ended before that of another begins.
    fn take(path: &Path, leaving: &mut Vec<Self>) -> Result<Self, JobdirError> {
        let dir = Directory::open(path).map_err(|error| JobdirError::new(path, error))?;
        let own = dir.identity().ok();
        let is_same = |other: &Self| own.is_some() && other.held().identity().ok() == own;
        if let Some(at) = leaving.iter().position(is_same) {
            return Ok(leaving.swap_remove(at));
        }
        Self::claim(path, &dir)?;
        Ok(Self(Arc::new(Mutex::new(dir))))
    }

    /// Some network file systems have no locks; then there is none.
    fn claim(path: &Path, dir: &Directory) -> Result<(), JobdirError> {
        match rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(JobdirError::InUse(path.to_owned())),
            // It may not be read.
            Err(Errno::BADF) => Err(JobdirError::NotAllowed(path.to_owned())),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn held(&self) -> MutexGuard<'_, Directory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job in `cur/` of which it is not known whether it was submitted.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Unsettled {
    /// Its name.
    pub(super) name: OsString,
    /// Whether it had been handed in for the second time.
    pub(super) is_second: bool,
}

/// Whether there is a directory.
pub(super) fn check_exists(path: &Path) -> Result<(), JobdirError> {
    Directory::open(path)
        .map(drop)
        .map_err(|error| JobdirError::new(path, error))
}

/// Whether there is a directory in which this process can do its work, without changing anything.
pub(super) fn check(path: &Path) -> Result<(), JobdirError> {
    check_exists(path)?;
    for name in ["tmp", "new", "cur"] {
        let part = path.join(name);
        // A part that is missing is made.
        let written = match Directory::open(&part) {
            Ok(_) => &part,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path,
            Err(error) => return Err(JobdirError::new(&part, error)),
        };
        if access(written, Access::WRITE_OK | Access::EXEC_OK).is_err() {
            return Err(JobdirError::NotAllowed(written.to_owned()));
        }
    }
    Ok(())
}

impl Maildir {
    pub(super) fn open(
        path: PathBuf,
        max_job_size: u64,
        leaving: &mut Vec<Lock>,
    ) -> Result<Self, JobdirError> {
        let lock = Lock::take(&path, leaving)?;
        let maildir = Self {
            path,
            max_job_size,
            lock,
        };
        maildir.check()?;
        Ok(maildir)
    }

    /// The lock on it.
    pub(super) const fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Looks whether the directory and its parts are what they were, since others may have renamed
    /// them; makes the parts that are missing. If another directory has its name by now, that is
    /// held from now on.
    ///
    /// Returns which directory jobs arrive in.
    ///
    /// # Errors
    /// Something else has the place of one of them, such as a link, or rights are missing.
    pub(super) fn check(&self) -> Result<Option<Identity>, JobdirError> {
        let path = &self.path;
        let named = Directory::open(path).map_err(|error| JobdirError::new(path, error))?;
        let mut held = self.lock.held();
        if named.identity().ok() != held.identity().ok() {
            Lock::claim(path, &named)?;
            *held = named;
        }
        let mut arriving = None;
        for name in ["tmp", "cur", "new"] {
            let part = path.join(name);
            let failed = |error| JobdirError::new(&part, error);
            match held.make(OsStr::new(name)) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(JobdirError::NotAllowed(path.clone()));
                }
                made => made.map_err(failed)?,
            }
            let opened = held.directory(OsStr::new(name)).map_err(failed)?;
            if !opened.is_writable() {
                return Err(JobdirError::NotAllowed(part));
            }
            arriving = opened.identity().ok();
        }
        Ok(arriving)
    }

    /// What an operator may want to know about who can hand in jobs.
    pub(super) fn advice(&self) -> Option<String> {
        let mode = self.part("new").ok()?.mode().ok()?;
        let (who, advice) = match (mode & 0o002, mode & 0o020) {
            (0, 0) => (
                "only the user of the master can hand in try jobs",
                "for several developers give them a group, `chmod 2750` the job directory, and `chmod 2770` \
                 tmp, new and cur in it",
            ),
            (0, _) => return None,
            _ => (
                "everybody on this machine can hand in try jobs, which run what they say",
                "`chmod o-w` it if that is not meant",
            ),
        };
        Some(format!("{}: {who}; {advice}", self.new_dir().display()))
    }

    /// Where jobs arrive.
    pub(super) fn new_dir(&self) -> PathBuf {
        self.path.join("new")
    }

    /// The part `name` of the directory that is held.
    fn part(&self, name: &str) -> Result<Directory, String> {
        let opened = self.lock.held().directory(OsStr::new(name));
        opened.map_err(|error| JobdirError::new(&self.path.join(name), error).to_string())
    }

    /// The names of jobs that have arrived, in order (TJD-04); those that begin with a dot, and
    /// directories, are none (TJD-03).
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

    /// The jobs in `cur/` that were taken and not settled, in order.
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
                "the name of the file is {} bytes long, and may have {LONGEST_NAME}",
                name.len()
            );
            // The reason comes first: after a crash between the two the job is refused again.
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
            Err(error) => {
                let from = self.new_dir().join(name);
                Err(format!("cannot move {} to cur: {error}", from.display()))
            }
        }
    }

    /// Notes that a taken job is handed in for the second time.
    pub(super) fn begin_second(&self, name: &OsStr) -> Result<(), String> {
        self.rename(&hidden(name, false), &hidden(name, true))
    }

    /// Notes that the second time did not count.
    pub(super) fn end_second(&self, name: &OsStr) -> Result<(), String> {
        self.rename(&hidden(name, true), &hidden(name, false))
    }

    /// Reads a job that has been taken.
    ///
    /// # Errors
    /// Why not, for the sender: it is no file, too long, or unreadable.
    pub(super) fn read(&self, name: &OsStr, is_second: bool) -> Result<Vec<u8>, String> {
        let unreadable = |error: io::Error| format!("the master cannot read the file: {error}");
        let no_file = || Err("it is no regular file".to_owned());
        let name = hidden(name, is_second);
        let cur = self.part("cur")?;
        // Looked at first, because opening alone does something to some devices.
        if cur.file_type(&name).map_err(unreadable)? != FileType::RegularFile {
            return no_file();
        }
        // What has been put in its place meanwhile is not followed, and not waited for.
        let file = cur.read(&name).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return no_file();
        }
        let mut bytes = Vec::new();
        file.take(self.max_job_size.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if u64::try_from(bytes.len()).is_ok_and(|len| len > self.max_job_size) {
            return Err(format!(
                "the file is longer than {} bytes (`max_job_size` of the scheduler)",
                self.max_job_size
            ));
        }
        Ok(bytes)
    }

    /// Gives a job that has been taken its lasting name.
    pub(super) fn settle(&self, name: &OsStr, is_second: bool) -> Result<(), String> {
        self.rename(&hidden(name, is_second), name)
    }

    /// Settles a job and puts the reason beside it. The reason comes first: after a crash between
    /// the two the job is refused again.
    pub(super) fn refuse(&self, name: &OsStr, is_second: bool, why: &str) -> Result<(), String> {
        let cur = self.part("cur")?;
        let explained = self.explain(&cur, name, why);
        self.settle(name, is_second)?;
        explained.map_err(|error| unexplained(name, &error))
    }

    /// Written elsewhere and renamed, so that it is whole, and so that no link that lies there is
    /// followed.
    fn explain(&self, cur: &Directory, name: &OsStr, why: &str) -> io::Result<()> {
        let tmp = self.part("tmp").map_err(io::Error::other)?;
        // A name that nobody can have taken before.
        let draft = OsString::from(format!("reason-{:032x}", rand::random::<u128>()));
        let written = || {
            let mut file = tmp.create(&draft, 0o600)?;
            writeln!(file, "{why}")?;
            // Who can list the directory can read the reason.
            let mode = cur.mode()? & 0o444 | 0o600;
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
            let mut reason = name.to_owned();
            reason.push(REFUSED);
            tmp.rename(&draft, cur, &reason)
        };
        written().inspect_err(|_| {
            // It may not be there.
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

/// What became of a job that was to be taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// It is in `cur/`, to be handed in.
    Job,
    /// Its name is too long. It is in `cur/` under the name `cut`, with the reason beside it.
    Refused {
        /// The name that it has now.
        cut: OsString,
        /// The reason.
        why: String,
    },
    /// Somebody else has removed it.
    Gone,
}

/// What a job is called in `cur/` while it is being handed in.
fn hidden(name: &OsStr, is_second: bool) -> OsString {
    let mut hidden = OsString::from(if is_second { ".." } else { "." });
    hidden.push(name);
    hidden
}

/// A shorter name for a name that is too long; different names stay different.
fn cut(name: &OsStr) -> OsString {
    let bytes = name.as_bytes();
    let mut cut = bytes.get(..KEPT_OF_NAME).unwrap_or(bytes).to_vec();
    cut.extend_from_slice(b"~");
    cut.extend_from_slice(cred::md5_hex(bytes).as_bytes());
    OsString::from_vec(cut)
}

fn unexplained(name: &OsStr, error: &io::Error) -> String {
    let name = name.to_string_lossy();
    format!("cannot write the reason for the refusal of {name}: {error}")
}
