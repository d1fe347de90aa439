//! Calls, answers and references over one connection (PROTOCOL sections 2 and 4).

use bytes::Bytes;

use super::{Failure, Limits, Luid, Value};

/// Number of a request of ours.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestNumber(pub i64);

/// Names a call of the peer that may want an answer. Must be answered at most once.
#[derive(Debug, Eq, PartialEq)]
pub struct CallId(
    /* request number, absent when no answer is wanted */ pub(super) Option<Value2>,
);

#[doc(hidden)]
pub type Value2 = i64;

/// An object to call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Target {
    /// The published object `root`.
    Root,
    /// An exported object.
    Object(Luid),
}

/// What the peer did.
#[derive(Debug)]
pub enum Event {
    /// The dialect is settled: requests may be sent.
    Negotiated,
    /// The peer calls one of our objects, which exists.
    Call {
        /// To answer it with.
        call: CallId,
        /// Which of our objects.
        target: Target,
        /// Method name.
        method: Bytes,
        /// Positional arguments.
        args: Vec<Value>,
        /// Keyword arguments.
        kwargs: Vec<(Value, Value)>,
    },
    /// A request of ours has its answer.
    Answer {
        /// Which request.
        request: RequestNumber,
        /// The value or the exception.
        result: Result<Value, Failure>,
    },
    /// The peer has let go of its last reference to one of our objects; it is unknown from now on.
    Released(Luid),
}

/// The peer broke the protocol: drop the connection.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProtocolError {
    // The variants are the implementer's.
}

/// One side of a connection.
#[derive(Debug)]
pub struct Broker {}

impl Broker {
    /// The side that accepted: it offers the dialects at once.
    #[must_use]
    pub fn server(limits: Limits) -> Self {
        let _ = limits;
        todo!()
    }

    /// The side that connected: it chooses `pb` when it is offered.
    #[must_use]
    pub fn client(limits: Limits) -> Self {
        let _ = limits;
        todo!()
    }

    /// Changes the limits, as after login.
    pub fn set_limits(&mut self, limits: Limits) {
        let _ = limits;
        todo!()
    }

    /// Takes bytes from the peer, in any chunking. Byte strings of the values that come out are
    /// slices of `data` where they lie in one chunk.
    ///
    /// # Errors
    /// The peer broke the protocol or a limit; the connection must be dropped, and nothing more may
    /// be handed in. Events of the messages before the fault can still be taken.
    pub fn receive(&mut self, data: Bytes) -> Result<(), ProtocolError> {
        let _ = data;
        todo!()
    }

    /// Goes on with what [`Broker::receive`] took: decodes up to the next event. Decoding happens here, an
    /// event at a time, so that one peer's burst cannot hold up the others (PROMISES rule 8).
    ///
    /// # Errors
    /// As for [`Broker::receive`].
    pub fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        todo!()
    }

    /// Takes what is to be written to the socket, in order; empty when there is nothing.
    pub fn take_output(&mut self) -> Vec<Bytes> {
        todo!()
    }

    /// How many bytes wait in [`Broker::take_output`].
    #[must_use]
    pub fn output_len(&self) -> usize {
        todo!()
    }

    /// Sends a request that wants an answer.
    pub fn call(
        &mut self,
        target: Target,
        method: &str,
        args: &[Value],
        kwargs: &[(Value, Value)],
    ) -> RequestNumber {
        let _ = (target, method, args, kwargs);
        todo!()
    }

    /// Answers a call of the peer.
    pub fn answer(&mut self, call: CallId, value: &Value) {
        let _ = (call, value);
        todo!()
    }

    /// Answers a call of the peer with an exception.
    pub fn fail(&mut self, call: CallId, failure: &Failure) {
        let _ = (call, failure);
        todo!()
    }

    /// Makes the object `luid` known, so that it can be sent as [`Value::Mine`] and called. The owner of
    /// the broker numbers its objects 1, 2, 3 …; numbers are not reused. Each time it is sent counts one
    /// reference; at the last `decref` it is forgotten ([`Event::Released`]).
    pub fn export(&mut self, luid: Luid) {
        let _ = luid;
        todo!()
    }

    /// Lets go of one reference to an object of the peer: one `decref` for each [`Value::Theirs`] that was
    /// received and is not needed any more, never more.
    pub fn release(&mut self, luid: Luid) {
        let _ = luid;
        todo!()
    }
}
