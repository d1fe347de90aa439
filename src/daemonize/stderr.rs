//! Standard error as the log of a program.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;

/// Standard error with a time limit: if the reader has stopped reading, writing fails after a short
/// wait.
#[derive(Debug)]
pub struct Stderr {
    /// Whether it is a file, which takes all bytes at once.
    is_file: bool,
    /// Whether the reader has stopped reading; later writes then do not wait.
    is_stalled: bool,
}

impl Default for Stderr {
    fn default() -> Self {
        let is_file = rustix::fs::fstat(io::stderr())
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_file());
        Self {
            is_file,
            is_stalled: false,
        }
    }
}

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let stderr = io::stderr().lock();
        if self.is_file {
            return Ok(rustix::io::write(&stderr, text)?);
        }
        let patience = if self.is_stalled {
            Duration::ZERO
        } else {
            READER_PATIENCE
        };
        self.is_stalled = !takes_bytes(stderr.as_fd(), patience)?;
        if self.is_stalled {
            let why = "the reader of this log has stopped reading";
            return Err(io::Error::new(ErrorKind::WouldBlock, why));
        }
        let at_once = text.get(..PIPE_BYTES).unwrap_or(text);
        Ok(rustix::io::write(&stderr, at_once)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether bytes can be written without blocking, now or within `patience`.
fn takes_bytes(fd: BorrowedFd<'_>, patience: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
    match poll(&mut fds, Some(&patience)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Maximum wait for a full pipe or a halted terminal.
const READER_PATIENCE: Duration = Duration::from_millis(100);
/// Number of bytes that a writable pipe accepts at once (`PIPE_BUF`).
const PIPE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_takes_no_more_when_it_is_full() {
        let (reader, mut writer) = io::pipe().unwrap();
        assert!(takes_bytes(writer.as_fd(), Duration::ZERO).unwrap());
        while takes_bytes(writer.as_fd(), Duration::ZERO).unwrap() {
            writer.write_all(&[b'x'; PIPE_BYTES]).unwrap();
        }
        drop(reader);
        assert!(takes_bytes(writer.as_fd(), Duration::ZERO).unwrap());
        let error = writer.write(b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
