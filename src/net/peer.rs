//! The handle to the other side of a connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::file_buffer::FileBuffer;
use super::{Room, Tasks};
use crate::pb::{CallId, Failure, Luid, Target, Value};

/// Most characters of a [`CallError::headline`].
const LONGEST_HEADLINE: usize = 300;

/// Calls objects of the other side and exports objects to it. Cheap to clone. The connection is
/// closed when the last clone is gone and every call of the peer that was taken has its reply.
#[derive(Clone, Debug)]
pub struct Peer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What the connection is to do, in order. Unbounded, so that replies and requests need not
    /// wait; the connection takes from it at all times, and is dropped when too much of it is not
    /// taken by the peer.
    outgoing: mpsc::UnboundedSender<Outgoing>,
    last_luid: AtomicI64,
    lost: watch::Receiver<Option<Lost>>,
    /// Whether the connection is not read, as what it brought waits for something here.
    is_held_up: Arc<AtomicBool>,
    address: Box<str>,
    heard: Arc<Heard>,
    tasks: Tasks,
}

/// When something was heard last over a connection.
#[derive(Debug)]
pub(super) struct Heard {
    begun: Instant,
    /// Milliseconds after that.
    last: AtomicU64,
}

impl Heard {
    /// Something was heard just now.
    pub(super) fn note(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }
}

/// Why a call has no value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The peer raised an exception.
    #[error("{0}")]
    Remote(Failure),
    /// The connection is gone.
    #[error("connection lost")]
    Lost,
}

impl CallError {
    /// What went wrong in one line of bounded length: exceptions are texts of the peer.
    #[must_use]
    pub fn headline(&self) -> String {
        headline(&self.to_string())
    }
}

/// What a peer has a part in, in one line of bounded length.
#[must_use]
pub fn headline(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(LONGEST_HEADLINE).collect()
}

/// The answer to a call, to be awaited or not.
#[derive(Debug)]
pub struct Answer(oneshot::Receiver<Result<Value, Failure>>);

impl Future for Answer {
    type Output = Result<Value, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answered| match answered {
                Ok(result) => result.map_err(CallError::Remote),
                Err(_connection_dropped_it) => Err(CallError::Lost),
            })
    }
}

/// The connection is gone, and why.
#[derive(Clone, Debug)]
pub struct Lost(pub String);

/// A call to an object that we export. Must be replied to; dropping the reply answers `None`.
#[derive(Debug)]
pub struct IncomingCall {
    /// What [`Peer::export_to`] was told of the object; 0 for others.
    pub tag: u64,
    /// Method name.
    pub method: Bytes,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: Vec<(Value, Value)>,
    /// Blocks that were written before it and answered by the connection; see
    /// `Peer::export_file`.
    pub blocks: Vec<Bytes>,
    /// To answer it with.
    pub reply: Reply,
    /// The memory that it takes, to be dropped when it is done with.
    pub room: Option<Room>,
}

/// The answer that an [`IncomingCall`] waits for.
#[derive(Debug)]
pub struct Reply {
    call: Option<CallId>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
}

/// The connection's end of a [`Peer`].
#[derive(Debug)]
pub(super) struct Asked {
    /// What it is to do.
    pub(super) outgoing: mpsc::UnboundedReceiver<Outgoing>,
    /// For the calls that it receives.
    pub(super) replies: Replies,
    /// To say that something was heard.
    pub(super) heard: Arc<Heard>,
    /// To say that it is not read.
    pub(super) is_held_up: Arc<AtomicBool>,
    /// To say that it is gone.
    pub(super) tell_lost: watch::Sender<Option<Lost>>,
}

/// Makes the replies for the calls that a connection receives, without keeping it open.
#[derive(Debug)]
pub(super) struct Replies(mpsc::WeakUnboundedSender<Outgoing>);

impl Replies {
    /// Something to reply with to `call`; or the call again if nobody holds the connection any
    /// more.
    pub(super) fn reply(&self, call: CallId) -> Result<Reply, CallId> {
        match self.0.upgrade() {
            Some(outgoing) => Ok(Reply {
                call: Some(call),
                outgoing,
            }),
            None => Err(call),
        }
    }
}

/// Where the calls of an exported object go.
#[derive(Debug)]
pub(super) struct Exported {
    /// Absent if nobody needs to hear of them. Boxed, because a channel keeps room for 32 of them
    /// even when it is empty.
    pub(super) calls: Option<mpsc::Sender<Box<IncomingCall>>>,
    /// By which the hearer knows the object.
    pub(super) tag: u64,
    /// What the connection keeps of a file that is written or read.
    pub(super) file: Option<Box<FileBuffer>>,
}

/// What a connection is asked to do. Small, because a queue keeps room for 32 of them even when it
/// is empty.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Send a request.
    Call(Box<Request>),
    /// Make an object known; without a channel its calls are answered with `None`.
    Export(Luid, Exported),
    /// The object has no owner any more, but the peer may still know it.
    Retire(Luid),
    /// Let go of an object of the peer.
    Release(Luid),
    /// Answer a call.
    Answer(Box<(CallId, Value)>),
    /// Answer a call with an exception.
    Fail(Box<(CallId, Failure)>),
    /// Answer a call that reads.
    Read(Box<ReadAnswer>),
    /// Close after what was asked before.
    Close(String),
}

/// The answer to a call that reads.
#[derive(Debug)]
pub(super) struct ReadAnswer {
    pub(super) call: CallId,
    pub(super) file: Luid,
    /// Most bytes of the answer.
    pub(super) most: usize,
    /// Those bytes, and what the file has after them.
    pub(super) data: Bytes,
}

/// A call of ours.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) target: Target,
    pub(super) method: &'static str,
    pub(super) args: Vec<Value>,
    pub(super) kwargs: Vec<(Value, Value)>,
    pub(super) answer: oneshot::Sender<Result<Value, Failure>>,
}

impl Peer {
    /// A handle and its other end.
    pub(super) fn new(address: &str, tasks: &Tasks) -> (Self, Asked) {
        let (outgoing, asked) = mpsc::unbounded_channel();
        let (tell_lost, lost) = watch::channel(None);
        let heard = Arc::new(Heard {
            begun: Instant::now(),
            last: AtomicU64::new(0),
        });
        let is_held_up = Arc::new(AtomicBool::new(false));
        let shared = Shared {
            heard: Arc::clone(&heard),
            outgoing,
            last_luid: AtomicI64::new(0),
            lost,
            is_held_up: Arc::clone(&is_held_up),
            address: address.into(),
            tasks: tasks.clone(),
        };
        let replies = Replies(shared.outgoing.downgrade());
        let peer = Self {
            shared: Arc::new(shared),
        };
        let asked = Asked {
            outgoing: asked,
            replies,
            heard,
            is_held_up,
            tell_lost,
        };
        (peer, asked)
    }

    /// Calls a method and waits for the answer. The request is sent when this function is called,
    /// whether or not the answer is awaited, in the order of the calls.
    ///
    /// # Errors
    /// The peer's exception, or the connection is gone.
    pub fn call(
        &self,
        target: Target,
        method: &'static str,
        args: Vec<Value>,
        kwargs: Vec<(Value, Value)>,
    ) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.ask(Outgoing::Call(Box::new(Request {
            target,
            method,
            args,
            kwargs,
            answer,
        })));
        Answer(answered)
    }

    /// Exports a new object. Its calls arrive on the channel, which holds `capacity`; the channel
    /// ends when the peer has let go of the object or the connection is gone. Send the number as
    /// [`Value::Mine`].
    #[must_use]
    pub fn export(&self, capacity: usize) -> (Luid, mpsc::Receiver<Box<IncomingCall>>) {
        let (sender, calls) = mpsc::channel(capacity);
        (self.export_to(&sender, 0), calls)
    }

    /// Exports a new object whose calls arrive on `calls`, where they are told from those of others
    /// by `tag`. The peer may let go of it at any time, of which the channel does not hear.
    #[must_use]
    pub fn export_to(&self, calls: &mpsc::Sender<Box<IncomingCall>>, tag: u64) -> Luid {
        self.export_as(Exported {
            calls: Some(calls.clone()),
            tag,
            file: None,
        })
    }

    /// Exports a new object, as [`Peer::export`] does, which stands for a file. The connection
    /// answers most calls that write small blocks, and hands the blocks over with a later call; it
    /// also answers calls that read what [`Reply::read`] brought too much of. See [`FileBuffer`].
    #[must_use]
    pub(super) fn export_file(&self, capacity: usize) -> (Luid, mpsc::Receiver<Box<IncomingCall>>) {
        let (sender, calls) = mpsc::channel(capacity);
        let luid = self.export_as(Exported {
            calls: Some(sender),
            tag: 0,
            file: Some(Box::default()),
        });
        (luid, calls)
    }

    /// Exports a new object that nobody needs to hear calls of: each is answered with `None`.
    #[must_use]
    pub fn export_inert(&self) -> Luid {
        self.export_as(Exported {
            calls: None,
            tag: 0,
            file: None,
        })
    }

    fn export_as(&self, exported: Exported) -> Luid {
        let luid = self.next_luid();
        self.ask(Outgoing::Export(luid, exported));
        luid
    }

    /// Gives up the channel of an exported object; the peer may go on to know it, and calls are
    /// answered with `None`.
    pub fn retire(&self, object: Luid) {
        self.ask(Outgoing::Retire(object));
    }

    /// Lets go of an object of the peer (one `decref`).
    pub fn release(&self, object: Luid) {
        self.ask(Outgoing::Release(object));
    }

    /// Drops the connection after what is already queued was written (for at most a second).
    pub fn close(&self, why: &str) {
        self.ask(Outgoing::Close(why.to_owned()));
    }

    /// Waits until the connection is gone.
    pub async fn lost(&self) -> Lost {
        let mut lost = self.shared.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_else(|| Lost(String::new())),
            Err(_task_gone) => Lost("the connection's task ended".to_owned()),
        }
    }

    /// Whether the connection is not read at present, as what it brought waits for something here,
    /// such as room on the disk. Answers of the peer may be waiting then.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        self.shared.is_held_up.load(Ordering::Relaxed)
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.shared.outgoing.is_closed()
    }

    /// The other side's address, for logs.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// How long ago something was heard over the connection, or it began, or the peer closed it.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        let heard = &self.shared.heard;
        let last = Duration::from_millis(heard.last.load(Ordering::Relaxed));
        heard.begun.elapsed().saturating_sub(last)
    }

    /// Where the tasks of this connection run.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    /// The number of a new object of ours.
    pub(super) fn next_luid(&self) -> Luid {
        Luid(self.shared.last_luid.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Something to reply with to `call`.
    pub(super) fn reply(&self, call: CallId) -> Reply {
        Reply {
            call: Some(call),
            outgoing: self.shared.outgoing.clone(),
        }
    }

    /// A connection that is gone takes nothing: its callers hear of it by their dropped answers.
    fn ask(&self, what: Outgoing) {
        drop(self.shared.outgoing.send(what));
    }
}

impl Reply {
    /// Answers with a value.
    pub fn value(mut self, value: Value) {
        if let Some(call) = self.call.take() {
            drop(
                self.outgoing
                    .send(Outgoing::Answer(Box::new((call, value)))),
            );
        }
    }

    /// Answers with an exception.
    pub fn fail(mut self, failure: Failure) {
        if let Some(call) = self.call.take() {
            drop(
                self.outgoing
                    .send(Outgoing::Fail(Box::new((call, failure)))),
            );
        }
    }

    /// Answers a call that reads at most `most` bytes of the object `file` with the beginning of
    /// `data`. The rest answers later calls.
    pub(super) fn read(mut self, file: Luid, most: usize, data: Bytes) {
        if let Some(call) = self.call.take() {
            let answer = ReadAnswer {
                call,
                file,
                most,
                data,
            };
            drop(self.outgoing.send(Outgoing::Read(Box::new(answer))));
        }
    }

    /// Does not answer, but closes the connection.
    pub(super) fn close(mut self, why: &str) {
        self.call = None;
        drop(self.outgoing.send(Outgoing::Close(why.to_owned())));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            drop(
                self.outgoing
                    .send(Outgoing::Answer(Box::new((call, Value::None)))),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_is_one_line_of_bounded_length() {
        let said = |text: &str| CallError::Remote(Failure::new("E", text)).headline();
        assert_eq!(said("no\nroom\x1b[2J"), "E: no room [2J");
        let most = "x".repeat(LONGEST_HEADLINE - 3);
        assert_eq!(said(&most), format!("E: {most}"));
        assert_eq!(said(&format!("{most}y")), format!("E: {most}"));
    }
}
