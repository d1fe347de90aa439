//! The handle to the other side of a connection.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::pb::{Failure, Luid, Target, Value};

/// Calls objects of the other side and exports objects to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer {}

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

/// The connection is gone, and why.
#[derive(Clone, Debug)]
pub struct Lost(pub String);

/// A call to an object that we export. Must be replied to; dropping the reply answers `None`.
#[derive(Debug)]
pub struct IncomingCall {
    /// Method name.
    pub method: Bytes,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: Vec<(Value, Value)>,
    /// To answer it with.
    pub reply: Reply,
}

/// The answer that an [`IncomingCall`] waits for.
#[derive(Debug)]
pub struct Reply {}

impl Reply {
    /// Answers with a value.
    pub fn value(self, value: Value) {
        let _ = value;
        todo!()
    }

    /// Answers with an exception.
    pub fn fail(self, failure: Failure) {
        let _ = failure;
        todo!()
    }
}

impl Peer {
    /// Calls a method and waits for the answer. The request is sent in the order of the calls to this function.
    /// Cancel-safe in that a dropped call is still sent and its answer is ignored.
    ///
    /// # Errors
    /// The peer's exception, or the connection is gone.
    pub async fn call(
        &self,
        target: Target,
        method: &'static str,
        args: Vec<Value>,
        kwargs: Vec<(Value, Value)>,
    ) -> Result<Value, CallError> {
        let _ = (target, method, args, kwargs);
        std::future::ready(()).await;
        todo!()
    }

    /// Exports a new object. Its calls arrive on the channel, which holds `capacity`; the channel ends when the
    /// peer has let go of the object or the connection is gone. Send the number as [`Value::Mine`].
    #[must_use]
    pub fn export(&self, capacity: usize) -> (Luid, mpsc::Receiver<IncomingCall>) {
        let _ = capacity;
        todo!()
    }

    /// Lets go of an object of the peer (one `decref`).
    pub fn release(&self, object: Luid) {
        let _ = object;
        todo!()
    }

    /// Drops the connection after what is already queued was written (for at most a second).
    pub fn close(&self, why: &str) {
        let _ = why;
        todo!()
    }

    /// Waits until the connection is gone.
    pub async fn lost(&self) -> Lost {
        std::future::ready(()).await;
        todo!()
    }

    /// The other side's address, for logs.
    #[must_use]
    pub fn address(&self) -> &str {
        todo!()
    }
}
