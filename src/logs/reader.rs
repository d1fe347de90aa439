//! Reading logs, also while they are being written.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Channel;
use super::index::Entry;
use super::place;
use super::writer::{DATA, INDEX, with_suffix};
use crate::directory::Directory;

/// A log on disk.
#[derive(Debug)]
pub struct LogReader {
    data: File,
    index: File,
    /// Where the next run is in the index.
    next_run: u64,
    /// Where its bytes are.
    position: u64,
}

impl LogReader {
    /// Opens the log at `path`, which is relative to `basedir` and without suffix.
    ///
    /// # Errors
    /// There is no such log, or it cannot be read.
    pub fn open(basedir: &Path, path: &str) -> io::Result<Self> {
        let path = Path::new(path);
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(place::outside());
        };
        let dir = place::open(&Directory::open(basedir)?, dir, false)?;
        Ok(Self {
            data: dir.read(&with_suffix(name, DATA))?,
            index: dir.read(&with_suffix(name, INDEX))?,
            next_run: 0,
            position: 0,
        })
    }

    /// Copies the bytes of `channels` to `out`, in order, up to the present end of the index;
    /// called again it goes on from there. Returns how many bytes were copied.
    ///
    /// # Errors
    /// Reading or writing failed, or the log has fewer bytes than its index says: those that are
    /// there have been copied then.
    pub fn copy_to(&mut self, channels: &[Channel], out: &mut dyn Write) -> io::Result<u64> {
        let is_wanted = |channel| channels.contains(&channel).then_some(());
        self.copy_by(is_wanted, &mut |(), bytes| out.write_all(bytes))
    }

    /// Hands out all bytes with their channels, in order, as [`LogReader::copy_to`] does.
    ///
    /// # Errors
    /// As for [`LogReader::copy_to`].
    pub fn copy_each(
        &mut self,
        out: &mut dyn FnMut(Channel, &[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        self.copy_by(Some, out)
    }

    /// Hands out the bytes of the channels that have a key; neighbours of one key are read
    /// together.
    fn copy_by<K: Copy + PartialEq>(
        &mut self,
        key_of: impl Fn(Channel) -> Option<K>,
        out: &mut dyn FnMut(K, &[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut copied = 0;
        let mut index = vec![0; INDEX_BUFFER];
        let mut buffer = vec![0; DATA_BUFFER];
        loop {
            let filled = read_at(&self.index, &mut index, self.next_run)?;
            let mut rest = &index[..filled];
            let mut wanted: Option<(K, u64, u64)> = None;
            while let Some((entry, taken)) =
                Entry::decode(rest).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?
            {
                rest = &rest[taken..];
                let Entry::Run(run) = entry else { continue };
                let key = key_of(run.channel);
                if let Some(stretch) = wanted.take_if(|(last, ..)| Some(*last) != key) {
                    copied += self.copy(stretch, &mut buffer, out)?;
                }
                if let Some(key) = key {
                    let (_, _, length) = wanted.get_or_insert((key, self.position, 0));
                    *length = length.saturating_add(run.length);
                }
                self.position = self.position.saturating_add(run.length);
            }
            if let Some(stretch) = wanted {
                copied += self.copy(stretch, &mut buffer, out)?;
            }
            let used = filled - rest.len();
            if used == 0 {
                return Ok(copied);
            }
            self.next_run += u64::try_from(used).expect("a buffer is small");
        }
    }

    /// How many bytes of `channels` there are up to the present end of the index. Only the index is
    /// read.
    ///
    /// # Errors
    /// Reading failed.
    pub fn count(&self, channels: &[Channel]) -> io::Result<u64> {
        let (mut count, mut from) = (0_u64, 0);
        let mut index = vec![0; INDEX_BUFFER];
        loop {
            let filled = read_at(&self.index, &mut index, from)?;
            let mut rest = &index[..filled];
            while let Some((entry, taken)) =
                Entry::decode(rest).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?
            {
                rest = &rest[taken..];
                let Entry::Run(run) = entry else { continue };
                if channels.contains(&run.channel) {
                    count = count.saturating_add(run.length);
                }
            }
            let used = filled - rest.len();
            if used == 0 {
                return Ok(count);
            }
            from += u64::try_from(used).expect("a buffer is small");
        }
    }

    /// Looks whether the log has all the bytes that its index says; returns how many bytes it has.
    ///
    /// # Errors
    /// Reading failed, or bytes are missing.
    pub fn check(&self) -> io::Result<u64> {
        let (indexed, there) = (self.count(&Channel::ALL)?, self.data.metadata()?.len());
        if there < indexed {
            let why = format!("it has {there} bytes, and its index is of {indexed}");
            return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
        }
        Ok(there)
    }

    fn copy<K: Copy>(
        &self,
        (key, mut position, length): (K, u64, u64),
        buffer: &mut [u8],
        out: &mut dyn FnMut(K, &[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut left = length;
        while left > 0 {
            let want = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let got = read_at(&self.data, &mut buffer[..want], position)?;
            if got == 0 {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "the end of the log is missing",
                ));
            }
            out(key, &buffer[..got])?;
            let got = u64::try_from(got).expect("a buffer is small");
            position += got;
            left -= got;
        }
        Ok(length)
    }
}

fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, position) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

const INDEX_BUFFER: usize = 8 * 1024;
const DATA_BUFFER: usize = 64 * 1024;
