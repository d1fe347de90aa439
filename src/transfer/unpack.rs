//! Unpacking an archive from a slave, which is not trusted.
//!
//! Refused are: absolute names and names with `..`; links that lead out of the tree; devices and
//! pipes; more than the limits allow. Names go through directories that are held open, so that a
//! link in the archive is never followed.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::rc::Rc;

use rustix::fs::{FileType, Timespec, Timestamps, fchmod, futimens};
use tar::{Archive, Entry, EntryType};

use super::problem::Problem;
use crate::directory::{Directory, permissions};

/// Unpacks `archive`, of `packed` bytes, into `tree`.
///
/// # Errors
/// The archive is damaged, holds something that is refused, or the master cannot write. Something
/// may have been unpacked.
pub(super) fn unpack(archive: impl Read, tree: &Directory, packed: u64) -> Result<(), Problem> {
    let allowance = Rc::new(Cell::new(0));
    let metered = Metered {
        inner: archive,
        allowance: Rc::clone(&allowance),
    };
    let broken = || Problem::io("unpack the archive of the slave");
    let mut archive = Archive::new(metered);
    let mut entries = archive.entries().map_err(broken())?;
    let mut unpacker = Unpacker {
        root: tree.itself().map_err(broken())?,
        open: Vec::new(),
        entries: 0,
        left: packed.saturating_mul(MOST_TIMES).max(ALWAYS_BYTES),
        buffer: vec![0; BUFFER],
    };
    loop {
        allowance.set(HEADER_BYTES);
        let Some(entry) = entries.next() else {
            return Ok(());
        };
        unpacker.entry(entry.map_err(broken())?, &allowance)?;
    }
}

/// Reads no more than is allowed: headers of any length must not fill the memory.
struct Metered<R> {
    inner: R,
    allowance: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.get();
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::other("an entry has a header that is too long"));
        }
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let read = self.inner.read(buffer)?;
        let used = u64::try_from(read).unwrap_or(u64::MAX);
        self.allowance.set(left.saturating_sub(used));
        Ok(read)
    }
}

struct Unpacker {
    root: Directory,
    /// The directories from the root to that of the last entry.
    open: Vec<(OsString, Directory)>,
    entries: u64,
    /// Bytes that may still be unpacked.
    left: u64,
    buffer: Vec<u8>,
}

impl Unpacker {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other kind, known or not, is refused"
    )]
    fn entry(
        &mut self,
        mut entry: Entry<'_, impl Read>,
        allowance: &Cell<u64>,
    ) -> Result<(), Problem> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            let problem = format!("the archive has more than {MAX_ENTRIES} entries");
            return Err(Problem::Refused(problem));
        }
        let path = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&path).into_owned();
        let parts = parts(&path, &shown)?;
        let mode = entry.header().mode().unwrap_or(0o600) & 0o777;
        let kind = match entry.header().entry_type() {
            // Very old archives mark a directory by its name.
            EntryType::Regular if path.ends_with(b"/") => EntryType::Directory,
            kind => kind,
        };
        let write = |error| Problem::io(format!("unpack {shown:?}"))(error);
        match kind {
            EntryType::XGlobalHeader => Ok(()),
            EntryType::Directory => {
                let dir = self.enter(&parts).map_err(write)?;
                let mode = permissions(mode | 0o700);
                fchmod(dir, mode).map_err(|error| write(error.into()))
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let size = entry.size();
                let Some(left) = self.left.checked_sub(size) else {
                    return Err(Problem::Refused(
                        "the archive unpacks to far more than its own size".to_owned(),
                    ));
                };
                self.left = left;
                allowance.set(size.saturating_add(HEADER_BYTES));
                let mtime = entry.header().mtime().ok();
                let (dir, name) = self.parent(&parts, &shown)?;
                clear(dir, name).map_err(write)?;
                let file = dir.create(name, 0o600).map_err(write)?;
                copy(&mut entry, &file, size, &mut self.buffer).map_err(write)?;
                settle(&file, mode, mtime).map_err(write)
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                if !stays_inside(&target, parts.len()) {
                    let target = String::from_utf8_lossy(&target);
                    return Err(Problem::Refused(format!(
                        "the link {shown:?} in the archive leads out of it, to {target:?}"
                    )));
                }
                let (dir, name) = self.parent(&parts, &shown)?;
                clear(dir, name).map_err(write)?;
                dir.symlink(OsStr::from_bytes(&target), name).map_err(write)
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                self.hard_link(&target, &parts, &shown)
            }
            other => Err(Problem::Refused(format!(
                "{shown:?} in the archive is neither a file, a directory nor a link (type {:?})",
                char::from(other.as_byte())
            ))),
        }
    }

    /// Makes another name of a file that was unpacked before.
    fn hard_link(&mut self, target: &[u8], to: &[OsString], shown: &str) -> Result<(), Problem> {
        let write = |error| Problem::io(format!("unpack {shown:?}"))(error);
        let from = parts(target, &String::from_utf8_lossy(target))?;
        let (dir, name) = self.parent(&from, shown)?;
        // Another name of a link would lead elsewhere from another directory.
        if dir.file_type(name).map_err(write)? != FileType::RegularFile {
            let problem = format!("{shown:?} in the archive is a link to what is not a file");
            return Err(Problem::Refused(problem));
        }
        let from = dir.itself().map_err(write)?;
        let name = name.to_owned();
        let (dir, new_name) = self.parent(to, shown)?;
        clear(dir, new_name).map_err(write)?;
        from.link(&name, dir, new_name).map_err(write)
    }

    /// The directory of an entry, which is created, and the name of the entry in it.
    fn parent<'p>(
        &mut self,
        parts: &'p [OsString],
        shown: &str,
    ) -> Result<(&Directory, &'p OsStr), Problem> {
        let Some((name, dirs)) = parts.split_last() else {
            let problem = "the archive is of a file, not of a directory".to_owned();
            return Err(Problem::Refused(problem));
        };
        let open = Problem::io(format!("unpack {shown:?}"));
        Ok((self.enter(dirs).map_err(open)?, name))
    }

    /// Opens a directory of the tree, and creates it if necessary.
    fn enter(&mut self, parts: &[OsString]) -> io::Result<&Directory> {
        let open = self.open.iter().map(|(name, _)| name);
        let common = open.zip(parts).take_while(|(a, b)| a == b).count();
        self.open.truncate(common);
        for name in parts.iter().skip(common) {
            let dir = self.open.last().map_or(&self.root, |(_, dir)| dir);
            dir.make(name)?;
            let dir = dir.directory(name)?;
            self.open.push((name.clone(), dir));
        }
        Ok(self.open.last().map_or(&self.root, |(_, dir)| dir))
    }
}

/// The parts of a name in an archive, which must stay in the tree.
fn parts(path: &[u8], shown: &str) -> Result<Vec<OsString>, Problem> {
    let refuse = |why: &str| Err(Problem::Refused(format!("{shown:?} in the archive {why}")));
    // Python calls the directory itself "/".
    if path.starts_with(b"/") && path != b"/" {
        return refuse("is an absolute path");
    }
    let mut parts = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return refuse("leads out of the directory"),
            _ if part.contains(&0) => return refuse("is not a path"),
            _ => parts.push(OsStr::from_bytes(part).to_owned()),
        }
    }
    if parts.len() > MAX_DEPTH {
        return refuse(&format!("is more than {MAX_DEPTH} directories deep"));
    }
    Ok(parts)
}

/// Whether a link whose path has `depth` parts stays in the tree. Its path goes through real
/// directories, so `..` at the beginning of the target goes up as many of them. A later `..` could
/// follow another link, and is refused.
fn stays_inside(target: &[u8], depth: usize) -> bool {
    if target.is_empty() || target.starts_with(b"/") || target.contains(&0) {
        return false;
    }
    let mut up = 0;
    let mut is_down = false;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if is_down => return false,
            b".." => up += 1,
            _ => is_down = true,
        }
    }
    up < depth
}

/// Removes an earlier entry of the same name, unless it is a directory.
fn clear(dir: &Directory, name: &OsStr) -> io::Result<()> {
    match dir.remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn copy(from: &mut impl Read, mut to: &File, size: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut left = size;
    while left > 0 {
        let read = from.read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(buffer.get(..read).unwrap_or_default())?;
        left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Gives a file its permissions and its time.
fn settle(file: &File, mode: u32, mtime: Option<u64>) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    if let Some(seconds) = mtime.and_then(|seconds| i64::try_from(seconds).ok()) {
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        futimens(
            file,
            &Timestamps {
                last_access: time,
                last_modification: time,
            },
        )?;
    }
    Ok(())
}

/// Most bytes that the header of one entry may take, with its long name and its extensions.
const HEADER_BYTES: u64 = 1024 * 1024;
/// Most entries of an archive.
const MAX_ENTRIES: u64 = 1_000_000;
/// How many times the size of the archive its files may have.
const MOST_TIMES: u64 = 200;
/// Bytes of files that even the smallest archive may have.
const ALWAYS_BYTES: u64 = 1024 * 1024 * 1024;
/// Most parts of a name. Deeper trees could not be removed again.
const MAX_DEPTH: usize = 60;
/// Bytes copied at once.
const BUFFER: usize = 128 * 1024;

#[cfg(test)]
mod tests;
