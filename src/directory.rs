//! A directory that is held open as a descriptor.
//!
//! Every call looks its path up again, so a user who may write to a directory of the path can
//! insert a symbolic link between two calls. A held directory stays the same directory after
//! renames. Its entries are accessed by plain names, and links are never followed.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat, accessat, fstat, linkat, mkdirat,
    openat, readlinkat, renameat, renameat_with, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

/// A directory that is held open. A directory that is writable but not readable can be held too,
/// but not listed, locked or synced.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
}

/// The identity of a directory, independent of its name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
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
    /// The directory does not exist, or the path is a link of another user.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::follow(CWD, path)
    }

    fn follow(at: BorrowedFd<'_>, path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let found = openat(at, &path, PLACE | OFlags::NOFOLLOW | CLOSED, NO_MODE)?;
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

    /// Opens the subdirectory `name`.
    ///
    /// # Errors
    /// The entry does not exist, or is not a directory, for example a link.
    pub fn directory(&self, name: &OsStr) -> io::Result<Self> {
        let name_in_c = plain(name)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | CLOSED;
        let opened = match openat(&self.fd, &name_in_c, flags, NO_MODE) {
            Err(Errno::ACCESS) => openat(&self.fd, &name_in_c, flags | PLACE, NO_MODE),
            opened => opened,
        };
        match opened {
            Ok(fd) => Ok(Self { fd }),
            Err(error) => Err(self.explain(name, error)),
        }
    }

    /// Opens the directory at `path`, which leads downwards, through no link; with one system call
    /// where the system has one for it.
    ///
    /// # Errors
    /// It does not exist, a part of `path` is a link, or it cannot be read. Which part it is, is
    /// said by [`Directory::directory`] for one after the other.
    pub fn descend(&self, path: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{ResolveFlags, openat2};
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let flags = OFlags::DIRECTORY | CLOSED;
            match openat2(&self.fd, path, flags, NO_MODE, resolve) {
                Ok(fd) => return Ok(Self { fd }),
                // Unknown to an old kernel, or not allowed in a container.
                Err(Errno::NOSYS | Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        path.iter()
            .try_fold(self.itself()?, |above, name| above.directory(name))
    }

    /// Opens the subdirectory `name`. A link of this name is followed if it belongs to the user of
    /// this process or to root.
    ///
    /// # Errors
    /// As for [`Directory::open`].
    pub fn configured(&self, name: &OsStr) -> io::Result<Self> {
        plain(name)?;
        Self::follow(self.fd.as_fd(), Path::new(name))
    }

    /// Duplicates the descriptor of this directory.
    ///
    /// # Errors
    /// This process has no free descriptors.
    pub fn itself(&self) -> io::Result<Self> {
        let fd = self.fd.try_clone()?;
        Ok(Self { fd })
    }

    /// Creates the directory `name`, unless an entry of this name exists.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub fn make(&self, name: &OsStr) -> io::Result<()> {
        match self.make_new(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    /// Creates the directory `name`.
    ///
    /// # Errors
    /// An entry of this name exists, or the directory cannot be created.
    pub fn make_new(&self, name: &OsStr) -> io::Result<()> {
        mkdirat(&self.fd, plain(name)?, Mode::from_raw_mode(0o777)).map_err(Into::into)
    }

    /// Creates the new file `name` for writing.
    ///
    /// # Errors
    /// An entry of this name exists, or the file cannot be created.
    pub fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.file(name, flags, mode)
    }

    /// Opens the file `name` for appending.
    ///
    /// # Errors
    /// The file does not exist, is a link, or cannot be written.
    pub fn append(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, OFlags::WRONLY | OFlags::APPEND, 0)
    }

    /// Opens the file `name` for reading and writing.
    ///
    /// # Errors
    /// The file does not exist, is a link, or cannot be written.
    pub fn update(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, OFlags::RDWR, 0)
    }

    /// Opens the file `name` for reading. Does not block on a pipe or device.
    ///
    /// # Errors
    /// The file does not exist, is a link, or cannot be read.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, OFlags::RDONLY | OFlags::NONBLOCK, 0)
    }

    fn file(&self, name: &OsStr, flags: OFlags, mode: u32) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | CLOSED;
        match openat(&self.fd, plain(name)?, flags, permissions(mode)) {
            Ok(fd) => Ok(File::from(fd)),
            Err(error) => Err(self.explain(name, error)),
        }
    }

    /// Lists the entries without `.` and `..`. Links have the type of a link.
    ///
    /// # Errors
    /// The directory cannot be listed.
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
                // Some file systems do not report the type here.
                kind = self.file_type(&name).unwrap_or(kind);
            }
            entries.push((name, kind));
        }
        Ok(entries)
    }

    /// The type of the entry `name`.
    ///
    /// # Errors
    /// The entry does not exist.
    pub fn file_type(&self, name: &OsStr) -> io::Result<FileType> {
        let stat = statat(&self.fd, plain(name)?, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(file_type(&stat))
    }

    /// Renames `name` to `new_name` in `to`, and replaces an existing entry.
    ///
    /// # Errors
    /// The entry does not exist, or cannot be renamed.
    pub fn rename(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.fd, plain(name)?, &to.fd, plain(new_name)?)?)
    }

    /// Creates the symbolic link `name` to `target`, which is not checked.
    ///
    /// # Errors
    /// An entry of this name exists, or the link cannot be created.
    pub fn symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        Ok(symlinkat(target, &self.fd, plain(name)?)?)
    }

    /// Gives the file `name` another name in `to`. A symbolic link is not followed.
    ///
    /// # Errors
    /// The file does not exist, an entry of the new name exists, or it cannot be created.
    pub fn link(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        let flags = AtFlags::empty();
        Ok(linkat(
            &self.fd,
            plain(name)?,
            &to.fd,
            plain(new_name)?,
            flags,
        )?)
    }

    /// Renames `name` to the first of `name.1`, `name.2` and so on that does not exist.
    ///
    /// # Errors
    /// The entry does not exist, or cannot be renamed.
    pub fn set_aside(&self, name: &OsStr) -> io::Result<()> {
        let mut number = 1_u32;
        loop {
            let mut aside = name.to_owned();
            aside.push(format!(".{number}"));
            let flags = RenameFlags::NOREPLACE;
            match renameat_with(&self.fd, plain(name)?, &self.fd, &aside, flags) {
                Err(Errno::EXIST) => number += 1,
                Err(Errno::INVAL | Errno::NOSYS) => {
                    // This file system cannot rename without replacing.
                    match self.file_type(&aside) {
                        Ok(_) => number += 1,
                        Err(_) => return self.rename(name, self, &aside),
                    }
                }
                done => return Ok(done?),
            }
        }
    }

    /// Removes `name`, which must not be a directory.
    ///
    /// # Errors
    /// The entry does not exist, is a directory, or cannot be removed.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.fd, plain(name)?, AtFlags::empty())?)
    }

    /// Removes `name` with all its content. A link itself is removed, not its target.
    ///
    /// # Errors
    /// The entry does not exist, or something in it cannot be removed.
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

    /// Whether this process may list the directory and create and remove files in it.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        use rustix::fs::Access;

        let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        accessat(&self.fd, ".", all, AtFlags::empty()).is_ok()
    }

    /// The permission bits of the directory.
    ///
    /// # Errors
    /// The system cannot read the directory.
    pub fn mode(&self) -> io::Result<u32> {
        Ok(wide(fstat(&self.fd)?.st_mode) & 0o7777)
    }

    /// The numeric id of the directory's owner.
    ///
    /// # Errors
    /// The system cannot read the directory.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(fstat(&self.fd)?.st_uid)
    }

    /// The identity of this directory.
    ///
    /// # Errors
    /// The system cannot read the directory.
    pub fn identity(&self) -> io::Result<Identity> {
        let stat = fstat(&self.fd)?;
        Ok(Identity {
            device: number(stat.st_dev),
            inode: number(stat.st_ino),
        })
    }

    /// Syncs new and renamed entries to the disk, if the directory is readable.
    ///
    /// # Errors
    /// The entries cannot be synced.
    pub fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.fd) {
            Ok(()) | Err(Errno::BADF) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Turns the various errors for a link in the path into one clear error.
    fn explain(&self, name: &OsStr, error: Errno) -> io::Error {
        let may_be_link = matches!(error, Errno::LOOP | Errno::NOTDIR);
        match self.file_type(name) {
            Ok(FileType::Symlink) if may_be_link => {
                is_link("symbolic links are not followed".to_owned())
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

/// Whether a symbolic link in the path caused `error`.
#[must_use]
pub fn is_about_link(error: &io::Error) -> bool {
    error.kind() == LINK
}

fn is_link(why: String) -> io::Error {
    io::Error::new(LINK, why)
}

/// Permission bits in the type that the system has for them.
#[must_use]
pub fn permissions(bits: u32) -> Mode {
    fn narrow<T: Default + TryFrom<u32>>(bits: u32) -> T {
        T::try_from(bits).unwrap_or_default()
    }
    Mode::from_raw_mode(narrow(bits & 0o7777))
}

/// Mode bits, of which systems have 16 or 32.
fn wide(bits: impl Into<u32>) -> u32 {
    bits.into()
}

/// A number that names something, of which systems have various types.
fn number(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Checks that `name` names an entry of its directory and nothing else.
fn plain(name: &OsStr) -> io::Result<CString> {
    let bytes = name.as_bytes();
    if bytes.contains(&b'/') || [&b""[..], b".", b".."].contains(&bytes) {
        let why = format!("{} is not a plain file name", name.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(CString::new(bytes)?)
}

/// The kind of errors about links; errors of the system have other kinds.
const LINK: io::ErrorKind = io::ErrorKind::Unsupported;
/// Child processes do not inherit descriptors with this flag.
const CLOSED: OFlags = OFlags::CLOEXEC;
const NO_MODE: Mode = Mode::empty();
/// Opens a place to look at, which need not be readable where the system can do that. Elsewhere the
/// last part of a path cannot be a link.
#[cfg(target_os = "linux")]
const PLACE: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const PLACE: OFlags = OFlags::RDONLY;
/// Maximum number of links to follow for a configured path; the system follows 40.
const MAX_LINKS: usize = 8;
/// Maximum depth of directories to remove; each level holds a descriptor.
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
