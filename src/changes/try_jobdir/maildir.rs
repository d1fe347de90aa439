//! The directory itself: files are listed, moved, read and explained. All of it may wait for the disk.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, FlockOperation, OFlags};
use rustix::io::Errno;

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

/// What the reason for a refusal is called, behind the name of the job.
const REFUSED: &str = ".refused";

/// Longest name of a job, in bytes: what is put before and behind it must fit as well.
const LONGEST_NAME: usize = 240;

/// A job directory.
#[derive(Debug)]
pub(super) struct Maildir {
    path: PathBuf,
    max_job_size: u64,
    lock: Lock,
}

/// The lock on a directory, for whoever watches it.
#[derive(Clone, Debug)]
pub struct Lock(Arc<File>);

impl Lock {
    /// Locks it; or shares a lock that somebody has on it who is about to go, and whose watching must have ended before
    /// that of another begins.
    fn take(path: &Path, leaving: &mut Vec<Self>) -> Result<Self, JobdirError> {
        let failed = |source: io::Error| JobdirError::Io {
            path: path.to_owned(),
            source,
        };
        let dir = match File::open(path) {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(JobdirError::NotAllowed(path.to_owned()));
            }
            Err(error) => return Err(failed(error)),
        };
        let own = dir.metadata().map_err(failed)?;
        let is_same = |other: &Self| {
            let its = other.0.metadata();
            its.is_ok_and(|its| (its.dev(), its.ino()) == (own.dev(), own.ino()))
        };
        if let Some(at) = leaving.iter().position(is_same) {
            return Ok(leaving.swap_remove(at));
        }
        // Some network file systems have no locks; then there is none.
        if rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive)
            == Err(Errno::WOULDBLOCK)
        {
            return Err(JobdirError::InUse(path.to_owned()));
        }
        Ok(Self(Arc::new(dir)))
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
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(JobdirError::NoDirectory(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(JobdirError::Missing(path.to_owned()))
        }
        Err(source) => Err(JobdirError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

impl Maildir {
    pub(super) fn open(
        path: PathBuf,
        max_job_size: u64,
        leaving: &mut Vec<Lock>,
    ) -> Result<Self, JobdirError> {
        check_exists(&path)?;
        let lock = Lock::take(&path, leaving)?;
        for name in ["tmp", "new", "cur"] {
            let part = path.join(name);
            match fs::create_dir(&part) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(JobdirError::NotAllowed(path));
                }
                Err(source) => return Err(JobdirError::Io { path: part, source }),
            }
            if !part.is_dir() {
                return Err(JobdirError::NoDirectory(part));
            }
            let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
            if rustix::fs::access(&part, all).is_err() {
                return Err(JobdirError::NotAllowed(part));
            }
        }
        Ok(Self {
            path,
            max_job_size,
            lock,
        })
    }

    /// The lock on it.
    pub(super) const fn lock(&self) -> &Lock {
        &self.lock
    }

    /// What an operator may want to know about who can hand in jobs.
    pub(super) fn advice(&self) -> Option<String> {
        let new = self.new_dir();
        let mode = fs::metadata(&new).ok()?.permissions().mode();
        let (who, advice) = match (mode & 0o002, mode & 0o020) {
            (0, 0) => (
                "only the user of the master can hand in try jobs",
                "for several developers give them a group and `chmod 2770` its tmp, new and cur",
            ),
            (0, _) => return None,
            _ => (
                "everybody on this machine can hand in try jobs, which run what they say",
                "`chmod o-w` it if that is not meant",
            ),
        };
        Some(format!("{}: {who}; {advice}", new.display()))
    }

    /// Where jobs arrive.
    pub(super) fn new_dir(&self) -> PathBuf {
        self.path.join("new")
    }

    /// The names of jobs that have arrived, in order (TJD-04); those that begin with a dot, and directories, are none (TJD-03).
    pub(super) fn names(&self) -> Result<Vec<OsString>, String> {
        let dir = self.new_dir();
        let mut names = Vec::new();
        for entry in list(&dir)? {
            let name = entry.file_name();
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_dir && !name.as_bytes().starts_with(b".") {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The jobs in `cur/` that were taken and not settled, in order.
    pub(super) fn unsettled(&self) -> Result<Vec<Unsettled>, String> {
        let mut found = Vec::new();
        for entry in list(&self.path.join("cur"))? {
            let name = entry.file_name();
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

    /// Moves a job from `new/` to `cur/`; false if it is gone.
    pub(super) fn take(&self, name: &OsStr) -> Result<bool, String> {
        let from = self.new_dir().join(name);
        if name.len() > LONGEST_NAME {
            return Err(format!(
                "the name of the job {} is longer than {LONGEST_NAME} bytes: it stays where it is",
                from.display()
            ));
        }
        match fs::rename(&from, self.taken(name, false)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => Ok(false),
            Err(error) => Err(format!("cannot move {} to cur: {error}", from.display())),
        }
    }

    /// Notes that a taken job is handed in for the second time.
    pub(super) fn begin_second(&self, name: &OsStr) -> Result<(), String> {
        rename(&self.taken(name, false), &self.taken(name, true))
    }

    /// Notes that the second time did not count.
    pub(super) fn end_second(&self, name: &OsStr) -> Result<(), String> {
        rename(&self.taken(name, true), &self.taken(name, false))
    }

    /// Reads a job that has been taken.
    ///
    /// # Errors
    /// Why not, for the sender: it is no file, too long, or unreadable.
    pub(super) fn read(&self, name: &OsStr, is_second: bool) -> Result<Vec<u8>, String> {
        let unreadable = |error: io::Error| format!("the master cannot read the file: {error}");
        let no_file = || Err("it is no regular file".to_owned());
        let path = self.taken(name, is_second);
        // Looked at first, because opening alone does something to some devices.
        if !fs::symlink_metadata(&path).map_err(unreadable)?.is_file() {
            return no_file();
        }
        // What has been put in its place meanwhile is not followed, and not waited for.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(&path)
            .map_err(unreadable)?;
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
        rename(
            &self.taken(name, is_second),
            &self.path.join("cur").join(name),
        )
    }

    /// Settles a job and puts the reason beside it. The reason comes first: after a crash between the two the job
    /// is refused again.
    pub(super) fn refuse(&self, name: &OsStr, is_second: bool, why: &str) -> Result<(), String> {
        let explained = self.explain(name, why);
        self.settle(name, is_second)?;
        explained.map_err(|error| {
            let name = name.to_string_lossy();
            format!("cannot write the reason for the refusal of {name}: {error}")
        })
    }

    /// Written elsewhere and renamed, so that it is whole, and so that no link that lies there is followed.
    fn explain(&self, name: &OsStr, why: &str) -> io::Result<()> {
        let cur = self.path.join("cur");
        let mut reason = name.to_owned();
        reason.push(REFUSED);
        let draft = self.path.join("tmp").join(&reason);
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&draft)?;
        writeln!(file, "{why}")?;
        // Who can list the directory can read the reason.
        let mode = fs::metadata(&cur)?.permissions().mode() & 0o444 | 0o600;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        fs::rename(&draft, cur.join(&reason))
    }

    /// Where a job is while it is being handed in.
    fn taken(&self, name: &OsStr, is_second: bool) -> PathBuf {
        let mut hidden = OsString::from(if is_second { ".." } else { "." });
        hidden.push(name);
        self.path.join("cur").join(hidden)
    }
}

fn list(dir: &Path) -> Result<Vec<fs::DirEntry>, String> {
    fs::read_dir(dir)
        .and_then(Iterator::collect)
        .map_err(|error| format!("cannot list {}: {error}", dir.display()))
}

fn rename(from: &Path, to: &Path) -> Result<(), String> {
    fs::rename(from, to).map_err(|error| {
        format!(
            "cannot rename {} to {}: {error}",
            from.display(),
            to.display()
        )
    })
}
