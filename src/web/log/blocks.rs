//! Bodies of answers that are made block by block.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{debug, info_span};

use super::Streams;
use crate::web::limits::Taken;

/// What makes the blocks of a body. It may block.
pub(super) trait Blocks: Send + 'static {
    /// The next block. `is_closed` says that the log did not grow any more before this call, and
    /// `is_quiet` that it has not grown for as long as [`Blocks::patience`] says.
    fn next(&mut self, is_closed: bool, is_quiet: bool) -> io::Result<Block>;

    /// How many bytes of the log it knows.
    fn seen_bytes(&self) -> u64;

    /// How long it waits at the end of a log before it is asked again; absent: until the log grows.
    fn patience(&self) -> Option<Duration> {
        None
    }
}

/// A piece of a body.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Block {
    /// The bytes to send; may be empty.
    pub(super) bytes: Vec<u8>,
    /// What comes after it.
    pub(super) then: Then,
}

/// What comes after a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Then {
    /// More, at once.
    More,
    /// More, when the log has grown.
    Wait,
    /// Nothing.
    End,
}

/// The body that `blocks` make from the log at `path`.
pub(super) fn body(streams: &Streams, path: &str, place: Taken, blocks: Box<dyn Blocks>) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    let feed = Feed {
        streams: streams.clone(),
        path: path.to_owned(),
        sender,
    };
    let span = info_span!("log", path);
    streams.tasks.spawn(span, async move {
        if let Err(error) = feed.run(blocks).await {
            debug!("a log was not sent to its end: {error}");
            feed.sender.send(Err(error)).await.unwrap_or_default();
        }
        drop(place);
    });
    through(receiver)
}

/// The body whose blocks come through a channel.
pub(in crate::web) fn through(receiver: mpsc::Receiver<io::Result<Bytes>>) -> Body {
    Body::new(Received(receiver))
}

/// Sends blocks.
struct Feed {
    streams: Streams,
    path: String,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Feed {
    /// Sends blocks until their end, until the reader goes away, or until the master stops.
    async fn run(&self, mut blocks: Box<dyn Blocks>) -> io::Result<()> {
        let growing = &self.streams.growing;
        let mut is_quiet = false;
        loop {
            let is_closed = !growing.has(&self.path);
            let work = crate::blocking::run(move || {
                let block = blocks.next(is_closed, is_quiet);
                (blocks, block)
            });
            let (back, block) = work.await.map_err(io::Error::other)?;
            blocks = back;
            let Block { bytes, then } = block?;
            if !bytes.is_empty() && self.sender.send(Ok(bytes.into())).await.is_err() {
                return Ok(());
            }
            match then {
                Then::More => is_quiet = false,
                Then::End => return Ok(()),
                Then::Wait => match self.wait(blocks.seen_bytes(), blocks.patience()).await {
                    Some(quiet) => is_quiet = quiet,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Waits for growth. Returns whether there was none for long; nothing if the stream shall end.
    async fn wait(&self, seen_bytes: u64, patience: Option<Duration>) -> Option<bool> {
        let patience = async {
            match patience {
                Some(patience) => sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        let growing = &self.streams.growing;
        tokio::select! {
            // The ends of the stream come first: a log that grows fast must not hide them.
            biased;
            () = self.streams.tasks.stopping() => return None,
            () = self.sender.closed() => return None,
            _ = growing.beyond(&self.path, seen_bytes) => {}
            () = patience => return Some(true),
        }
        // What grows byte by byte is not sent byte by byte.
        sleep(PACE).await;
        Some(false)
    }
}

/// The blocks that come through a channel.
struct Received(mpsc::Receiver<io::Result<Bytes>>);

impl HttpBody for Received {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let received = self.0.poll_recv(context);
        received.map(|block| block.map(|block| block.map(Frame::data)))
    }
}

/// The shortest time between two blocks of a log that grows: 20 blocks a second.
const PACE: Duration = Duration::from_millis(50);
