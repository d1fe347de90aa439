//! A directory that is held open as a descriptor.
//!
//! A path is looked up again by each call that is given it, so whoever may write to one of its
//! directories can put a symbolic link there between two calls. A held directory stays the same
//! directory whatever is renamed around it, and everything in it is reached by a plain name that is
//! never followed if it is a link.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat, accessat, fstat, mkdirat, openat,
    readlinkat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

/// A directory that is held open. One that may be written to and not read can be held too; then it
/// cannot be listed, locked or brought to the disk.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
}

/// Which directory it is, whatever it is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Directory {
    /// Opens the directory at `path`, which the configuration or the command line names. If the
    /// last part of `path` is a symbolic link, it is followed only if it belongs to the user of
    /// this process or to root.
    ///
    /// # Errors
    /// There is no such directory, or somebody else's link is in its place.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::follow(CWD, path)
    }

    fn follow(at: BorrowedFd<'_>, path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let found = openat(at, &path, OFlags::PATH | OFlags::NOFOLLOW | CLOSED, NO_MODE)?;
            let stat = fstat(&found)?;
            if file_type(&stat) != FileType::Symlink {
                let fd = openat(&found, ".", OFlags::DIRECTORY | CLOSED, NO_MODE);
                return match fd {
                    Ok(fd) => Ok(Self { fd }),
                    Err(Errno::ACCESS) if file_type(&stat) == FileType::Directory => {
                        Ok(Self { fd: found })
                    }
                    Err(error) => Err(error.into()),
                };
            }
            if ![0, rustix::process::geteuid().as_raw()].contains(&stat.st_uid) {
                return Err(is_link(format!(
                    "{} is a symbolic link of another user",
                    path.display()
                )));
            }
            let target = readlinkat(&found, "", Vec::new())?;
            let target = OsString::from_vec(target.into_bytes());
            path = path.parent().unwrap_or(Path::new("")).join(target);
        }
        Err(Errno::LOOP.into())
    }

    /// The directory `name` in this one.
    ///
    /// # Errors
    /// It is not there, or is no directory but perhaps a link.
    pub fn directory(&self, name: &OsStr) -> io::Result<Self> {
        let name_in_c = plain(name)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | CLOSED;
        let opened = match openat(&self.fd, &name_in_c, flags, NO_MODE) {
            Err(Errno::ACCESS) => openat(&self.fd, &name_in_c, flags | OFlags::PATH, NO_MODE),
            opened => opened,
        };
        match opened {
            Ok(fd) => Ok(Self { fd }),
            Err(error) => Err(self.explain(name, error)),
        }
    }

    /// The directory `name` in this one, or the one that a link of this name leads to if the link
    /// belongs to the user of this process or to root.
    ///
    /// # Errors
    /// As for [`Directory::open`].
    pub fn configured(&self, name: &OsStr) -> io::Result<Self> {
        plain(name)?;
        Self::follow(self.fd.as_fd(), Path::new(name))
    }

    /// The same directory once more.
    ///
    /// # Errors
    /// This process has no more descriptors.
    pub fn itself(&self) -> io::Result<Self> {
        let fd = self.fd.try_clone()?;
        Ok(Self { fd })
    }

    /// Makes the directory `name`, unless something of that name is there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(&self, name: &OsStr) -> io::Result<()> {
        match mkdirat(&self.fd, plain(name)?, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the file `name`, which must not be there, for writing.
    ///
    /// # Errors
    /// Something of that name is there, or the file cannot be made.
    pub fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.file(name, flags, mode)
    }

    /// Opens the file `name` to append to it.
    ///
    /// # Errors
    /// It is not there, is a link, or cannot be written.
    pub fn append(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, OFlags::WRONLY | OFlags::APPEND, 0)
    }

    /// Opens the file `name` for reading, and waits for nobody if it is none.
    ///
    /// # Errors
    /// It is not there, is a link, or cannot be read.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, OFlags::RDONLY | OFlags::NONBLOCK, 0)
    }

    fn file(&self, name: &OsStr, flags: OFlags, mode: u32) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | CLOSED;
        match openat(&self.fd, plain(name)?, flags, Mode::from_raw_mode(mode)) {
            Ok(fd) => Ok(File::from(fd)),
            Err(error) => Err(self.explain(name, error)),
        }
    }

    /// What is in it, without `.` and `..`; the type of a link is that of a link.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn list(&self) -> io::Result<Vec<(OsString, FileType)>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
            if name == "." || name == ".." {
                continue;
            }
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                // Some file systems do not tell it here.
                kind = self.file_type(&name).unwrap_or(kind);
            }
            entries.push((name, kind));
        }
        Ok(entries)
    }

    /// What `name` is.
    ///
    /// # Errors
    /// It is not there.
    pub fn file_type(&self, name: &OsStr) -> io::Result<FileType> {
        let stat = statat(&self.fd, plain(name)?, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(file_type(&stat))
    }

    /// Renames `name` to `new_name` in `to`, in place of what is there.
    ///
    /// # Errors
    /// It is not there, or cannot be renamed.
    pub fn rename(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.fd, plain(name)?, &to.fd, plain(new_name)?)?)
    }

    /// Renames `name` to the first of `name.1`, `name.2` and so on that is not there.
    ///
    /// # Errors
    /// It is not there, or cannot be renamed.
    pub fn set_aside(&self, name: &OsStr) -> io::Result<()> {
        let mut number = 1_u32;
        loop {
            let mut aside = name.to_owned();
            aside.push(format!(".{number}"));
            let flags = RenameFlags::NOREPLACE;
            match renameat_with(&self.fd, plain(name)?, &self.fd, &aside, flags) {
                Err(Errno::EXIST) => number += 1,
                Err(Errno::INVAL | Errno::NOSYS) => {
                    // This file system cannot refuse to replace.
                    match self.file_type(&aside) {
                        Ok(_) => number += 1,
                        Err(_) => return self.rename(name, self, &aside),
                    }
                }
                done => return Ok(done?),
            }
        }
    }

    /// Removes `name`, which is no directory.
    ///
    /// # Errors
    /// It is not there, is a directory, or cannot be removed.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.fd, plain(name)?, AtFlags::empty())?)
    }

    /// Removes `name` with all that is in it. Of a link, the link alone is removed.
    ///
    /// # Errors
    /// It is not there, or something cannot be removed.
    pub fn remove_all(&self, name: &OsStr) -> io::Result<()> {
        self.remove_tree(name, 0)
    }

    fn remove_tree(&self, name: &OsStr, depth: usize) -> io::Result<()> {
        if self.file_type(name)? != FileType::Directory {
            return self.remove_file(name);
        }
        if depth >= MAX_DEPTH {
            return Err(Errno::NAMETOOLONG.into());
        }
        let dir = self.directory(name)?;
        for (name, _) in dir.list()? {
            match dir.remove_tree(&name, depth + 1) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(unlinkat(&self.fd, plain(name)?, AtFlags::REMOVEDIR)?)
    }

    /// Whether this process may list it, and make and remove files in it.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        use rustix::fs::Access;

        let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        accessat(&self.fd, ".", all, AtFlags::empty()).is_ok()
    }

    /// Its permissions.
    ///
    /// # Errors
    /// The system does not tell them.
    pub fn mode(&self) -> io::Result<u32> {
        Ok(fstat(&self.fd)?.st_mode & 0o7777)
    }

    /// The user to whom it belongs.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(fstat(&self.fd)?.st_uid)
    }

    /// Which directory it is.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn identity(&self) -> io::Result<Identity> {
        let stat = fstat(&self.fd)?;
        Ok(Identity {
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }

    /// Brings new and renamed entries to the disk, if the directory may be read.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.fd) {
            Ok(()) | Err(Errno::BADF) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Says that a link is in the way, which the system reports in several ways.
    fn explain(&self, name: &OsStr, error: Errno) -> io::Error {
        let may_be_link = matches!(error, Errno::LOOP | Errno::NOTDIR);
        match self.file_type(name) {
            Ok(FileType::Symlink) if may_be_link => {
                is_link("it is a symbolic link, which is not followed".to_owned())
            }
            _ => error.into(),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether `error` says that a symbolic link was in the way.
#[must_use]
pub fn is_about_link(error: &io::Error) -> bool {
    error.kind() == LINK
}

fn is_link(why: String) -> io::Error {
    io::Error::new(LINK, why)
}

fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// A name that stays in its directory.
fn plain(name: &OsStr) -> io::Result<CString> {
    let bytes = name.as_bytes();
    if bytes.contains(&b'/') || [&b""[..], b".", b".."].contains(&bytes) {
        let why = format!("{} is not a plain file name", name.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(CString::new(bytes)?)
}

/// The kind of error that says that a link was in the way; the system's own errors have others.
const LINK: io::ErrorKind = io::ErrorKind::Unsupported;
/// Not inherited by programs that are started.
const CLOSED: OFlags = OFlags::CLOEXEC;
const NO_MODE: Mode = Mode::empty();
/// Links to links that are followed for a configured path; the system follows 40.
const MAX_LINKS: usize = 8;
/// Directories in directories that are removed; each holds a descriptor meanwhile.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn name(name: &str) -> &OsStr {
        OsStr::new(name)
    }

    #[test]
    fn a_held_directory_stays_the_same_when_a_link_takes_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("jobs/cur")).unwrap();
        fs::create_dir(at("base")).unwrap();
        let jobs = Directory::open(&at("jobs")).unwrap();
        let cur = jobs.directory(name("cur")).unwrap();
        fs::rename(at("jobs/cur"), at("jobs/was")).unwrap();
        symlink("../base", at("jobs/cur")).unwrap();

        drop(cur.create(name("file"), 0o600).unwrap());

        assert!(at("jobs/was/file").exists());
        assert!(!at("base/file").exists());
        let error = jobs.directory(name("cur")).unwrap_err();
        assert!(is_about_link(&error), "{error:?}");
    }

    #[test]
    fn files_are_not_reached_through_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious"), "x").unwrap();
        symlink("precious", dir.path().join("link")).unwrap();
        let held = Directory::open(dir.path()).unwrap();
        for error in [
            held.read(name("link")).unwrap_err(),
            held.append(name("link")).unwrap_err(),
        ] {
            assert!(is_about_link(&error), "{error:?}");
        }
        let error = held.create(name("link"), 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let held = Directory::open(dir.path()).unwrap();
        for bad in ["", ".", "..", "a/b", "/etc"] {
            let error = held.read(name(bad)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{bad:?}");
        }
    }

    #[test]
    fn removing_a_tree_leaves_alone_what_its_links_point_to() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("tree/a/b")).unwrap();
        fs::create_dir(at("elsewhere")).unwrap();
        fs::write(at("elsewhere/precious"), "x").unwrap();
        symlink("../../elsewhere", at("tree/a/link")).unwrap();
        symlink("elsewhere", at("link")).unwrap();
        let held = Directory::open(dir.path()).unwrap();
        held.remove_all(name("tree")).unwrap();
        held.remove_all(name("link")).unwrap();
        assert!(!at("tree").exists() && at("link").symlink_metadata().is_err());
        assert!(at("elsewhere/precious").exists());
    }

    #[test]
    fn what_is_set_aside_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let held = Directory::open(dir.path()).unwrap();
        for text in ["first", "second"] {
            fs::write(dir.path().join("log"), text).unwrap();
            held.set_aside(name("log")).unwrap();
        }
        let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(
            (read("log.1"), read("log.2")),
            ("first".into(), "second".into())
        );
    }

    #[test]
    fn a_configured_path_may_end_in_a_link_of_our_own() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("real")).unwrap();
        symlink("real", at("link")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let identity = |name| Directory::open(&at(name)).and_then(|dir| dir.identity());
        assert_eq!(identity("link").unwrap(), identity("real").unwrap());
        let held = Directory::open(dir.path()).unwrap();
        let configured = held.configured(name("link")).unwrap();
        assert_eq!(configured.identity().unwrap(), identity("real").unwrap());
        identity("loop").unwrap_err();
        fs::write(at("file"), "").unwrap();
        let error = identity("file").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn a_link_of_another_user_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink(".", &link).unwrap();
        // Only root can give files away.
        if std::os::unix::fs::lchown(&link, Some(65_534), None).is_ok() {
            let error = Directory::open(&link).unwrap_err();
            assert!(is_about_link(&error), "{error:?}");
        }
    }
}
