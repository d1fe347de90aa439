//! How a connection reads: into a buffer that all connections of a thread share.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// First size of a read, in bytes, which doubles as long as reads fill it. A block of 16 KiB, which
/// is usual under masters of Buildbot, fits with what is around it.
const FIRST_BYTES: usize = 20 * 1024;
/// Largest size of a read, in bytes.
const MAX_BYTES: usize = 128 * 1024;
/// Size of a read before login, in bytes.
const BYTES_BEFORE_LOGIN: usize = 2 * 1024;

/// The size of the next read.
#[derive(Debug)]
pub(super) struct Reads {
    bytes: usize,
    /// Whether the size follows what the peer sends.
    grows: bool,
}

impl Reads {
    /// Reads of a connection whose peer is trusted with memory.
    pub(super) const LOGGED_IN: Self = Self {
        bytes: FIRST_BYTES,
        grows: true,
    };

    /// Small reads.
    pub(super) const BEFORE_LOGIN: Self = Self {
        bytes: BYTES_BEFORE_LOGIN,
        grows: false,
    };

    /// Reads what has arrived; nothing at the end of the stream.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>> {
        let mut buffer = BUFFER.take();
        let read = self.poll_into(&mut buffer, stream, cx);
        BUFFER.set(buffer);
        read
    }

    /// Reads into a buffer that is empty, and leaves it empty.
    fn poll_into<S: AsyncRead + Unpin>(
        &mut self,
        buffer: &mut BytesMut,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>> {
        buffer.reserve(self.bytes);
        let mut room = (&mut *buffer).limit(self.bytes);
        let read = pin!(stream.read_buf(&mut room)).poll(cx);
        let Poll::Ready(count) = read else {
            if self.grows {
                self.bytes = FIRST_BYTES;
            }
            return Poll::Pending;
        };
        let count = count?;
        if self.grows && count >= self.bytes {
            self.bytes = (self.bytes * 2).min(MAX_BYTES);
        }
        // Less is copied out, so that few bytes do not hold a large buffer.
        if count >= buffer.capacity() / 2 {
            return Poll::Ready(Ok(buffer.split().freeze()));
        }
        let data = Bytes::copy_from_slice(buffer);
        buffer.clear();
        Poll::Ready(Ok(data))
    }
}

thread_local! {
    /// What all connections of a thread read into, one after the other.
    static BUFFER: Cell<BytesMut> = Cell::new(BytesMut::new());
}
