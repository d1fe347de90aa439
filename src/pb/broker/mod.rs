//! Calls, answers and references over one connection (PROTOCOL sections 2 and 4).
//!
//! Invariants: a call of the peer is answered at most once, and not at all if it wants no answer;
//! each [`Value::Mine`] that is sent counts one reference and an object without references is
//! forgotten; what the peer may not do ends the connection, and what goes wrong inside a call is
//! answered with an exception.

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

/// Names a call of the peer that may want an answer. Must be answered at most once.
#[derive(Debug, Eq, PartialEq)]
pub struct CallId(Echo);

/// The request number of the peer, which comes back in the answer.
#[derive(Debug, Eq, PartialEq)]
enum Echo {
    /// No answer is wanted.
    Nothing,
    /// What every real peer sends.
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
    /// The bytes are not banana, or more than allowed.
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
    /// An answer to a request that was not made or has its answer.
    #[error("answer to an unknown request")]
    UnknownRequest,
    /// A reference was given back that the peer does not hold.
    #[error("surplus decref of object {0}")]
    SurplusDecref(i64),
    /// The bookkeeping of a cached object, which this program does not have.
    #[error("unknown cached object")]
    UnknownCached,
    /// Shared parts of a message stand for more than allowed.
    #[error("a message expands to more than allowed")]
    ExpandsTooMuch,
    /// Too many calls wait for an answer.
    #[error("too many unanswered calls")]
    UnansweredCalls,
    /// Too many objects are exported.
    #[error("too many exported objects")]
    Exports,
    /// Too many refusals wait to be read by the peer.
    #[error("too many refused messages")]
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
    /// What is sent before the dialect is settled; follows when it is.
    early: Encoder,
    exports: Exports,
    /// Our requests without an answer.
    requests: HashSet<i64>,
    last_request: i64,
    unanswered: usize,
    /// Bytes of refusals since the output was taken.
    refusals: usize,
    /// What is to be reported before anything more is decoded.
    events: VecDeque<Event>,
    fault: Option<ProtocolError>,
}

/// How far the negotiation is.
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
    /// The side that accepted: it offers the dialects at once.
    #[must_use]
    pub fn server(limits: Limits) -> Self {
        let mut broker = Self::new(limits, Phase::Offered);
        broker.output.list(DIALECTS.len());
        for dialect in DIALECTS {
            broker.output.literal(dialect);
        }
        broker
    }

    /// The side that connected: it chooses `pb` when it is offered.
    #[must_use]
    pub fn client(limits: Limits) -> Self {
        Self::new(limits, Phase::AwaitingOffer)
    }

    /// Changes the limits, as after login.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes bytes from the peer, in any chunking. Byte strings of the values that come out are
    /// slices of `data` where they lie in one chunk.
    ///
    /// # Errors
    /// The peer broke the protocol or a limit; the connection must be dropped, and nothing more may
    /// be handed in. Events of the messages before the fault can still be taken.
    pub fn receive(&mut self, data: Bytes) -> Result<(), ProtocolError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.decoder.push(data);
        Ok(())
    }

    /// Goes on with what [`Broker::receive`] took: decodes up to the next event. Decoding happens
    /// here, an event at a time, so that one peer's burst cannot hold up the others (PROMISES
    /// rule 8).
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

    /// Takes what is to be written to the socket, in order; empty when there is nothing.
    pub fn take_output(&mut self) -> Vec<Bytes> {
        self.refusals = 0;
        self.output.take()
    }

    /// How many bytes wait in [`Broker::take_output`].
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// How many bytes were received and wait to be decoded.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.decoder.buffered()
    }

    /// What the message takes in memory of which the beginning was received.
    #[must_use]
    pub const fn partial_bytes(&self) -> usize {
        self.decoder.cost()
    }

    /// What the message took in memory that was decoded last.
    #[must_use]
    pub const fn message_bytes(&self) -> usize {
        self.decoder.last_cost()
    }

    /// How many calls of the peer wait for their answer.
    #[must_use]
    pub const fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// How many objects the peer can call.
    #[must_use]
    pub fn export_count(&self) -> usize {
        self.exports.len()
    }

    /// Makes the object `luid` known, so that it can be sent as [`Value::Mine`] and called. The
    /// owner of the broker numbers its objects 1, 2, 3 …; numbers are not reused. Each time it is
    /// sent counts one reference; at the last `decref` it is forgotten ([`Event::Released`]).
    ///
    /// With more objects than [`Limits::exports`] the connection has a fault.
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

    /// Ends the connection; the first reason is kept.
    fn set_fault(&mut self, fault: ProtocolError) {
        self.fault.get_or_insert(fault);
    }

    /// Where messages go now.
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

/// The dialects that this program knows: with the vocabulary, and without.
const DIALECTS: [&[u8]; 2] = [PB, NONE];
const PB: &[u8] = b"pb";
const NONE: &[u8] = b"none";

/// The version of Perspective Broker that every peer speaks.
const VERSION: i64 = 6;

#[cfg(test)]
mod tests;
