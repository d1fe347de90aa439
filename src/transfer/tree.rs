//! A directory that arrives from a slave as an archive.
//!
//! The archive and the files in it are in a directory with a temporary name, beside the place that
//! the tree is for. When all is unpacked, the tree gets its place by renaming: at once if nothing
//! is there, else file by file into what is there, as Buildbot does.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};

use bytes::Bytes;
use rustix::fs::FileType;

use super::draft;
use super::place::{MasterFiles, MasterPath, Place};
use super::problem::Problem;
use super::sink::{admit, write_all};
use super::unpack::unpack;
use crate::directory::Directory;
use crate::model::Compression;

/// A directory that arrives from a slave. It gets its place when it is whole; dropped before,
/// nothing is left of it.
#[derive(Debug)]
pub struct TreeSink {
    place: Place,
    /// Holds the archive and the tree.
    staging: Directory,
    draft: OsString,
    archive: File,
    compress: Compression,
    max_bytes: Option<u64>,
    received: u64,
    is_unpacked: bool,
}

impl TreeSink {
    /// Begins a directory whose archive has at most `max_bytes`.
    ///
    /// # Errors
    /// The path leads out of its directory, or the master cannot write there.
    pub fn begin(
        files: &MasterFiles,
        path: &MasterPath,
        max_bytes: Option<u64>,
        compress: Compression,
    ) -> Result<Self, Problem> {
        let place = files.place(path)?;
        let create = || Problem::io(format!("create a directory beside {}", place.path));
        let (draft, staging) = draft::directory(&place.dir).map_err(create())?;
        let archive = match create_archive(&staging) {
            Ok(archive) => archive,
            Err(error) => {
                place.dir.remove_all(&draft).unwrap_or_default();
                return Err(create()(error));
            }
        };
        Ok(Self {
            place,
            staging,
            draft,
            archive,
            compress,
            max_bytes,
            received: 0,
            is_unpacked: false,
        })
    }

    pub(super) fn write(&mut self, blocks: &[Bytes]) -> Result<(), Problem> {
        self.received = admit(self.received, blocks, self.max_bytes)?;
        let write = Problem::io(format!("write the archive for {}", self.place.path));
        write_all(&self.archive, blocks).map_err(write)
    }

    pub(super) fn unpack(&mut self) -> Result<(), Problem> {
        if self.is_unpacked {
            return Ok(());
        }
        let open = || Problem::io(format!("unpack {}", self.place.path));
        self.archive.rewind().map_err(open())?;
        let tree = OsStr::new(TREE);
        self.staging.make(tree).map_err(open())?;
        let tree = self.staging.directory(tree).map_err(open())?;
        let file = BufReader::with_capacity(BUFFER, &self.archive);
        let archive: Box<dyn Read> = match self.compress {
            Compression::None => Box::new(file),
            Compression::Gz => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
            Compression::Bz2 => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        };
        unpack(archive, &tree, self.received)?;
        self.staging
            .remove_file(OsStr::new(ARCHIVE))
            .map_err(open())?;
        self.is_unpacked = true;
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), Problem> {
        if !self.is_unpacked {
            return Err(Problem::Incomplete("directory"));
        }
        let Place { dir, name, path } = &self.place;
        merge((&self.staging, OsStr::new(TREE)), (dir, name), path)
    }
}

impl Drop for TreeSink {
    fn drop(&mut self) {
        // It is removed later if that fails now.
        self.place.dir.remove_all(&self.draft).unwrap_or_default();
    }
}

fn create_archive(staging: &Directory) -> io::Result<File> {
    let name = OsStr::new(ARCHIVE);
    drop(staging.create(name, 0o600)?);
    staging.update(name)
}

/// An entry of a directory.
type Entry<'a> = (&'a Directory, &'a OsStr);

/// Renames `from` to `to`, or what is in the directory `from` into the directory `to` if that is
/// there. Files and links are replaced.
fn merge((from, name): Entry<'_>, (to, new_name): Entry<'_>, path: &str) -> Result<(), Problem> {
    let place = || Problem::io(format!("write {path}"));
    let is_dir = from.file_type(name).map_err(place())? == FileType::Directory;
    let there = match to.file_type(new_name) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(place()(error)),
    };
    match (is_dir, there) {
        (_, None) => from.rename(name, to, new_name).map_err(place()),
        (true, Some(FileType::Directory)) => {
            let from = from.directory(name).map_err(place())?;
            let to = to.directory(new_name).map_err(place())?;
            for (name, _) in from.list().map_err(place())? {
                let path = format!("{path}/{}", name.display());
                merge((&from, &name), (&to, &name), &path)?;
            }
            Ok(())
        }
        (true, Some(_)) => Err(Problem::Refused(format!(
            "{path} is not a directory on the master, and cannot become one"
        ))),
        (false, Some(FileType::Directory)) => Err(Problem::Refused(format!(
            "{path} is a directory on the master, and cannot become a file"
        ))),
        (false, Some(_)) => from.rename(name, to, new_name).map_err(place()),
    }
}

const ARCHIVE: &str = "archive";
const TREE: &str = "tree";
/// Bytes read from an archive at once.
const BUFFER: usize = 128 * 1024;
