//! Calls, answers and references over one connection (PROTOCOL sections 2 and 4).
//!
//! Invariants: a call of the peer is answered at most once, and never if the peer wants no answer.
//! Each sent [`Value::Mine`] counts one reference, and an object without references is forgotten. A
//! violation of the protocol ends the connection; an error inside a call is answered with an
//! exception.

mod exports;
mod parts;
mod receive;
mod send;

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;

use self::exports::Exports;
use super::banana::{BananaError, Decoder, Encoder};
use super::{Failure, Limits, Luid, Value};

/// Number of a request of ours.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestNumber(pub i64);

/// Identifies a call of the peer. Must be answered at most once.
#[derive(Debug, Eq, PartialEq)]
pub struct CallId(Echo);

/// The request number of the peer, for the answer.
#[derive(Debug, Eq, PartialEq)]
enum Echo {
    /// No answer is wanted.
    Nothing,
    /// An integer, as every real peer sends.
    Number(i64),
    /// Anything else, encoded.
    Encoded(Bytes),
}

/// An object to call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Target {
    /// The published object `root`.
    Root,
    /// An exported object.
    Object(Luid),
}

/// An event from the peer.
#[derive(Debug)]
pub enum Event {
    /// The dialect is settled: requests may be sent.
    Negotiated,
    /// The peer calls one of our objects, which exists.
    Call {
        /// The handle for the answer.
        call: CallId,
        /// The called object.
        target: Target,
        /// Method name.
        method: Bytes,
        /// Positional arguments.
        args: Vec<Value>,
        /// Keyword arguments.
        kwargs: Vec<(Value, Value)>,
    },
    /// The answer to one of our requests.
    Answer {
        /// The request.
        request: RequestNumber,
        /// The value or the exception.
        result: Result<Value, Failure>,
    },
    /// The peer has released its last reference to one of our objects, which is now unknown.
    Released(Luid),
}

/// The peer broke the protocol: drop the connection.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProtocolError {
    /// The bytes are not banana or exceed a limit.
    #[error(transparent)]
    Banana(#[from] BananaError),
    /// The peers have no dialect in common, or the peer does not negotiate.
    #[error("no common dialect")]
    Dialect,
    /// The peer speaks another version of Perspective Broker.
    #[error("unsupported version of Perspective Broker")]
    Version,
    /// Something other than a list beginning with a message's name.
    #[error("not a message")]
    NotAMessage,
    /// A message with wrong contents.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// An answer to an unknown or already answered request.
    #[error("answer to an unknown request")]
    UnknownRequest,
    /// The peer released a reference that it does not hold.
    #[error("surplus decref of object {0}")]
    SurplusDecref(i64),
    /// A message about a cached object; this program has none.
    #[error("unknown cached object")]
    UnknownCached,
    /// Shared parts expand a message beyond the limit.
    #[error("a message expands to more than allowed")]
    ExpandsTooMuch,
    /// Too many unanswered calls.
    #[error("too many unanswered calls")]
    UnansweredCalls,
    /// Too many objects are exported.
    #[error("too many exported objects")]
    Exports,
    /// Too many unread rejections.
    #[error("too many rejected messages")]
    Refusals,
}

/// One side of a connection.
#[derive(Debug)]
pub struct Broker {
    limits: Limits,
    phase: Phase,
    /// Whether `root` is published here.
    is_server: bool,
    decoder: Decoder,
    output: Encoder,
    /// Messages to send once the dialect is settled.
    early: Encoder,
    exports: Exports,
    /// Our unanswered requests.
    requests: HashSet<i64>,
    last_request: i64,
    unanswered: usize,
    /// Bytes of rejections since the output was taken.
    refusals: usize,
    /// Events to return before decoding continues.
    events: VecDeque<Event>,
    fault: Option<ProtocolError>,
}

/// The state of the negotiation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// We offered dialects and the client chooses.
    Offered,
    /// The server will offer dialects.
    AwaitingOffer,
    /// Settled; whether with the vocabulary.
    Settled { vocabulary: bool },
}

impl Broker {
    /// Creates the side that accepted the connection, which offers the dialects at once.
    #[must_use]
    pub fn server(limits: Limits) -> Self {
        let mut broker = Self::new(limits, Phase::Offered);
        broker.output.list(DIALECTS.len());
        for dialect in DIALECTS {
            broker.output.literal(dialect);
        }
        broker
    }

    /// Creates the side that connected, which chooses `pb` when offered.
    #[must_use]
    pub fn client(limits: Limits) -> Self {
        Self::new(limits, Phase::AwaitingOffer)
    }

    /// Changes the limits, for example after the login.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Adds bytes from the peer, in any chunking. Byte strings in decoded values are slices of
    /// `data` if they lie in one chunk.
    ///
    /// # Errors The peer violated the protocol or a limit. Drop the connection and add no more
    /// bytes. Earlier events can still be taken.
    pub fn receive(&mut self, data: Bytes) -> Result<(), ProtocolError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.decoder.push(data);
        Ok(())
    }

    /// Decodes the bytes from [`Broker::receive`] up to the next event. Decoding happens here, one
    /// event at a time, so a burst from one peer cannot delay the others (PROMISES rule 8).
    ///
    /// # Errors
    /// As for [`Broker::receive`].
    pub fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(fault) = &self.fault {
                return Err(fault.clone());
            }
            match self.decode_message() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(fault) => self.fault = Some(fault),
            }
        }
    }

    /// Takes the output for the socket, in order; empty if there is none.
    pub fn take_output(&mut self) -> Vec<Bytes> {
        self.refusals = 0;
        self.output.take()
    }

    /// Number of bytes that [`Broker::take_output`] would return.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Number of received bytes that have not been decoded.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.decoder.buffered()
    }

    /// Memory size of the incomplete message.
    #[must_use]
    pub const fn partial_bytes(&self) -> usize {
        self.decoder.cost()
    }

    /// Memory size of the last decoded message.
    #[must_use]
    pub const fn message_bytes(&self) -> usize {
        self.decoder.last_cost()
    }

    /// Number of unanswered calls of the peer.
    #[must_use]
    pub const fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Number of objects that the peer can call.
    #[must_use]
    pub fn export_count(&self) -> usize {
        self.exports.len()
    }

    /// Exports the object `luid`, so that it can be sent as [`Value::Mine`] and called. The owner
    /// of the broker numbers its objects 1, 2, 3 and so on, and never reuses a number. Each time
    /// the object is sent counts one reference. At the last `decref` the object is forgotten
    /// ([`Event::Released`]).
    ///
    /// Exceeding [`Limits::exports`] ends the connection.
    pub fn export(&mut self, luid: Luid) {
        self.exports.add(luid);
        self.check_exports();
    }

    fn new(limits: Limits, phase: Phase) -> Self {
        Self {
            limits,
            phase,
            is_server: phase == Phase::Offered,
            decoder: Decoder::default(),
            output: Encoder::default(),
            early: Encoder::default(),
            exports: Exports::default(),
            requests: HashSet::new(),
            last_request: 0,
            unanswered: 0,
            refusals: 0,
            events: VecDeque::new(),
            fault: None,
        }
    }

    fn check_exports(&mut self) {
        if self.exports.len() > self.limits.exports {
            self.set_fault(ProtocolError::Exports);
        }
    }

    /// Ends the connection. The first reason is kept.
    fn set_fault(&mut self, fault: ProtocolError) {
        self.fault.get_or_insert(fault);
    }

    /// The encoder for messages in the current state.
    fn out(&mut self) -> &mut Encoder {
        match self.phase {
            Phase::Offered | Phase::AwaitingOffer => &mut self.early,
            Phase::Settled { .. } => &mut self.output,
        }
    }
}

impl CallId {
    /// Whether the peer wants an answer.
    #[must_use]
    pub fn wants_answer(&self) -> bool {
        self.0 != Echo::Nothing
    }
}

/// The known dialects: with and without the vocabulary.
const DIALECTS: [&[u8]; 2] = [PB, NONE];
const PB: &[u8] = b"pb";
const NONE: &[u8] = b"none";

/// The version of Perspective Broker that every peer speaks.
const VERSION: i64 = 6;

#[cfg(test)]
mod tests;
