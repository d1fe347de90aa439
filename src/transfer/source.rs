//! A file or text that a slave reads.

use std::fs::File;
use std::io::Read as _;

use bytes::Bytes;

use super::place::{MasterFiles, MasterPath};
use super::problem::Problem;

/// A file or text that a slave reads.
#[derive(Debug)]
pub struct Source(Content);

#[derive(Debug)]
enum Content {
    File(File, String),
    Rest(Bytes),
}

impl Source {
    /// A file of the master. A file that changes while it is read arrives as it is read.
    ///
    /// # Errors
    /// The path leads out of its directory, or is not a readable file.
    pub fn file(files: &MasterFiles, path: &MasterPath) -> Result<Self, Problem> {
        let file = files.open(path)?;
        Ok(Self(Content::File(file, path.shown())))
    }

    /// A text.
    #[must_use]
    pub const fn bytes(content: Bytes) -> Self {
        Self(Content::Rest(content))
    }

    pub(super) fn read(&mut self, most: usize) -> Result<Bytes, Problem> {
        match &mut self.0 {
            Content::Rest(rest) => Ok(rest.split_to(most.min(rest.len()))),
            Content::File(file, path) => {
                let mut block = Vec::with_capacity(most);
                let limit = u64::try_from(most).unwrap_or(u64::MAX);
                let read = file.by_ref().take(limit).read_to_end(&mut block);
                read.map_err(Problem::io(format!("read {path}")))?;
                Ok(block.into())
            }
        }
    }
}
