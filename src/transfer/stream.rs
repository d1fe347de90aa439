//! A file of a slave that is read while it arrives.

use std::fmt;

use bytes::Bytes;

use super::problem::Problem;
use super::sink::admit;

/// What the bytes of a file are handed to.
type Take = Box<dyn FnMut(&[u8]) + Send>;

/// Takes the bytes of a file as they arrive. Nothing is written on the master.
pub struct Stream {
    take: Take,
    max_bytes: u64,
    received: u64,
    is_closed: bool,
}

impl Stream {
    /// Hands a file of at most `max_bytes` to `take`.
    pub fn new(max_bytes: u64, take: impl FnMut(&[u8]) + Send + 'static) -> Self {
        Self {
            take: Box::new(take),
            max_bytes,
            received: 0,
            is_closed: false,
        }
    }

    pub(super) fn write(&mut self, blocks: &[Bytes]) -> Result<(), Problem> {
        self.received = admit(self.received, blocks, Some(self.max_bytes))?;
        blocks.iter().for_each(|block| (self.take)(block));
        Ok(())
    }

    pub(super) const fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) const fn finish(&self) -> Result<(), Problem> {
        if self.is_closed {
            Ok(())
        } else {
            Err(Problem::Incomplete("file"))
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
