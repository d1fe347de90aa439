//! Reading logs, also while they are being written.

use std::io::{self, Write};
use std::path::Path;

use super::Channel;

/// A log on disk.
#[derive(Debug)]
pub struct LogReader {}

impl LogReader {
    /// Opens the log at `path` (with the base directory, without suffix).
    ///
    /// # Errors
    /// There is no such log, or it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let _ = path;
        todo!()
    }

    /// Copies the bytes of `channels` to `out`, in order, up to the present end of the index.
    ///
    /// # Errors
    /// Reading or writing failed.
    pub fn copy_to(&mut self, channels: &[Channel], out: &mut dyn Write) -> io::Result<u64> {
        let _ = (channels, out);
        todo!()
    }
}
