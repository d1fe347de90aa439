//! Output of a connection that waits to be written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Most slices of one write.
const MAX_SLICES: usize = 64;

/// Output in order.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    needs_flush: bool,
}

impl Unsent {
    /// Adds output at the end.
    pub(super) fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.needs_flush = true;
        self.pieces.push_back(piece);
    }

    /// How many bytes wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes what waits; ready when nothing does.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece);
            }
            let filled = slices.get(..self.pieces.len()).unwrap_or(&slices);
            let Poll::Ready(written) = Pin::new(&mut *stream).poll_write_vectored(cx, filled)
            else {
                return Poll::Pending;
            };
            let written = written?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.forget_written(written);
        }
        if self.needs_flush {
            match Pin::new(stream).poll_flush(cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => return Poll::Pending,
            }
            self.needs_flush = false;
            self.pieces.shrink_to(MAX_SLICES);
        }
        Poll::Ready(Ok(()))
    }

    fn forget_written(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(first) = self.pieces.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.pieces.pop_front();
        }
    }
}
