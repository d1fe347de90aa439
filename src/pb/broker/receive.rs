//! Handles messages from the peer.

use std::vec;

use bytes::{Bytes, BytesMut};

use super::{
    Broker, CallId, DIALECTS, Echo, Event, NONE, PB, Phase, ProtocolError, RequestNumber, Target,
    VERSION, parts,
};
use crate::pb::banana::{Encoder, Token, Word};
use crate::pb::jelly::{Refused, Unjellier};
use crate::pb::{Failure, Luid, Value};

type Tokens<'a> = vec::Drain<'a, Token>;

impl Broker {
    /// Decodes and handles one message, which may queue an event. Returns `false` if no message is
    /// complete.
    pub(super) fn decode_message(&mut self) -> Result<bool, ProtocolError> {
        let vocabulary = self.phase == Phase::Settled { vocabulary: true };
        let Some(mut tokens) =
            self.decoder
                .next_or_part(&self.limits, vocabulary, parts::DEPTH, parts::take)?
        else {
            return Ok(false);
        };
        let mut message = tokens.drain(..);
        match self.phase {
            Phase::Settled { .. } => self.on_message(&mut message)?,
            Phase::Offered => self.on_choice(&mut message)?,
            Phase::AwaitingOffer => self.on_offer(&mut message)?,
        }
        drop(message);
        self.decoder.recycle(tokens);
        Ok(true)
    }

    /// The client chose a dialect.
    fn on_choice(&mut self, message: &mut Tokens<'_>) -> Result<(), ProtocolError> {
        let Some(Token::Bytes(dialect)) = message.next() else {
            return Err(ProtocolError::Dialect);
        };
        if !DIALECTS.contains(&&*dialect) {
            return Err(ProtocolError::Dialect);
        }
        self.settle(&dialect);
        Ok(())
    }

    /// The server offers dialects.
    fn on_offer(&mut self, message: &mut Tokens<'_>) -> Result<(), ProtocolError> {
        let Some(Token::List(_)) = message.next() else {
            return Err(ProtocolError::Dialect);
        };
        let is_offered = |dialect: &[u8]| {
            let same = |token: &Token| matches!(token, Token::Bytes(bytes) if bytes == dialect);
            message.as_slice().iter().any(same)
        };
        let dialect = [PB, NONE].into_iter().find(|dialect| is_offered(dialect));
        let dialect = dialect.ok_or(ProtocolError::Dialect)?;
        self.output.literal(dialect);
        self.settle(dialect);
        Ok(())
    }

    fn settle(&mut self, dialect: &[u8]) {
        let vocabulary = dialect == PB;
        self.phase = Phase::Settled { vocabulary };
        self.output.set_vocabulary(vocabulary);
        self.output.list(2);
        self.output.word(Word::VERSION);
        self.output.int(VERSION);
        self.output.append(std::mem::take(&mut self.early));
        self.output.set_vocabulary(vocabulary);
        self.events.push_back(Event::Negotiated);
    }

    fn on_message(&mut self, message: &mut Tokens<'_>) -> Result<(), ProtocolError> {
        let Some(Token::List(len)) = message.next() else {
            return Err(ProtocolError::NotAMessage);
        };
        let Some(Token::Bytes(name)) = message.next() else {
            return Err(ProtocolError::NotAMessage);
        };
        match (&*name, len) {
            (b"message", 7) => self.on_call(message),
            (b"answer", 3) => self.on_answer(message),
            (b"error", 3) => self.on_error(message),
            (b"decref", 2) => self.on_decref(message),
            (b"version", 2) => match message.next() {
                Some(Token::Int(VERSION)) => Ok(()),
                _ => Err(ProtocolError::Version),
            },
            // Old peers answer unknown messages so; we send no such messages.
            (b"didNotUnderstand", _) => Ok(()),
            // This program caches no objects, so every cached object is unknown.
            (b"cachemessage", 7) => {
                let call = self.read_call(message)?;
                self.refuse(&call.echo, &no_such_object());
                Ok(())
            }
            (b"decache" | b"uncache", 2) => Err(ProtocolError::UnknownCached),
            (b"message" | b"cachemessage", _) => Err(ProtocolError::Malformed("message")),
            (b"answer", _) => Err(ProtocolError::Malformed("answer")),
            (b"error", _) => Err(ProtocolError::Malformed("error")),
            (b"decref", _) => Err(ProtocolError::Malformed("decref")),
            (b"version", _) => Err(ProtocolError::Version),
            (b"decache" | b"uncache", _) => Err(ProtocolError::Malformed("decache or uncache")),
            (unknown, _) => {
                self.did_not_understand(unknown);
                Ok(())
            }
        }
    }

    fn on_call(&mut self, message: &mut Tokens<'_>) -> Result<(), ProtocolError> {
        let RawCall {
            echo,
            target,
            method,
        } = self.read_call(message)?;
        let Some(target) = target.filter(|target| self.knows(*target)) else {
            self.refuse(&echo, &no_such_object());
            return Ok(());
        };
        let Some(method) = method else {
            self.refuse(
                &echo,
                &type_error("the name of a method must be a byte string"),
            );
            return Ok(());
        };
        let mut unjellier = Unjellier::new(&self.limits);
        let args = unjellier.value(message);
        let args = args.and_then(|args| Ok((args, unjellier.value(message)?)));
        let refusal = match args {
            Ok((args, kwargs)) => match (into_args(args), into_kwargs(kwargs)) {
                (Some(args), Some(kwargs)) => {
                    if echo != Echo::Nothing {
                        self.unanswered += 1;
                    }
                    if self.unanswered > self.limits.unanswered_calls {
                        return Err(ProtocolError::UnansweredCalls);
                    }
                    let call = CallId(echo);
                    self.events.push_back(Event::Call {
                        call,
                        target,
                        method,
                        args,
                        kwargs,
                    });
                    return Ok(());
                }
                _ => type_error("arguments must be a tuple and a dictionary"),
            },
            Err(refused) => refused.failure()?,
        };
        let theirs = unjellier.into_theirs();
        self.release_all(theirs);
        self.refuse(&echo, &refusal);
        Ok(())
    }

    fn on_answer(&mut self, message: &mut Tokens<'_>) -> Result<(), ProtocolError> {
        let request = self.end_request(message)?;
        let mut unjellier = Unjellier::new(&self.limits);
        let result = match unjellier.value(message) {
            Ok(value) => Ok(value),
            Err(refused) => {
                let theirs = unjellier.into_theirs();
                self.release_all(theirs);
                Err(refused.failure()?)
            }
        };
        self.events.push_back(Event::Answer { request, result });
        Ok(())
    }

    fn on_error(&mut self, message: &mut Tokens<'_>) -> Result<(), ProtocolError> {
        let request = self.end_request(message)?;
        let mut unjellier = Unjellier::new(&self.limits);
        let failure = match unjellier.value(message) {
            Ok(Value::Failure(failure)) => *failure,
            Ok(_) => Failure::new(Failure::PB_ERROR, "the peer's error is not a failure"),
            Err(refused) => refused.failure()?,
        };
        // A failure contains only texts: release the references that came with it.
        let theirs = unjellier.into_theirs();
        self.release_all(theirs);
        self.events.push_back(Event::Answer {
            request,
            result: Err(failure),
        });
        Ok(())
    }

    fn on_decref(&mut self, message: &mut Tokens<'_>) -> Result<(), ProtocolError> {
        let Some(Token::Int(number)) = message.next() else {
            return Err(ProtocolError::Malformed("decref"));
        };
        match self.exports.returned(Luid(number)) {
            None => Err(ProtocolError::SurplusDecref(number)),
            Some(false) => Ok(()),
            Some(true) => {
                self.events.push_back(Event::Released(Luid(number)));
                Ok(())
            }
        }
    }

    /// Reads a call up to its arguments.
    fn read_call(&self, message: &mut Tokens<'_>) -> Result<RawCall, ProtocolError> {
        let echo = self.read_echo(message)?;
        let target = match message.next() {
            Some(Token::Int(luid)) => Some(Target::Object(Luid(luid))),
            Some(Token::Bytes(name)) if *name == *b"root" => Some(Target::Root),
            token => {
                skip(token, message);
                None
            }
        };
        let method = match message.next() {
            Some(Token::Bytes(name)) => Some(name),
            token => {
                skip(token, message);
                None
            }
        };
        let wants_answer = message.next();
        let echo = match &wants_answer {
            None | Some(Token::Int(0) | Token::List(0)) => Echo::Nothing,
            Some(Token::Float(float)) if *float == 0.0 => Echo::Nothing,
            Some(Token::Bytes(bytes)) if bytes.is_empty() => Echo::Nothing,
            Some(_) => echo,
        };
        skip(wants_answer, message);
        Ok(RawCall {
            echo,
            target,
            method,
        })
    }

    /// Reads a request number of the peer, which may be any short value and is kept until the
    /// answer.
    fn read_echo(&self, message: &mut Tokens<'_>) -> Result<Echo, ProtocolError> {
        let mut out = Encoder::default();
        out.set_vocabulary(self.phase == Phase::Settled { vocabulary: true });
        let mut missing = 1_usize;
        while missing > 0 {
            missing -= 1;
            match message.next() {
                Some(Token::Int(number)) if out.is_empty() => return Ok(Echo::Number(number)),
                None => break,
                Some(token) => {
                    if let Token::List(len) = token {
                        missing += len;
                    }
                    out.token(&token);
                }
            }
        }
        if out.len() > ECHO_LIMIT {
            return Err(ProtocolError::Malformed("request number"));
        }
        let mut encoded = BytesMut::with_capacity(out.len());
        out.take()
            .iter()
            .for_each(|part| encoded.extend_from_slice(part));
        Ok(Echo::Encoded(encoded.freeze()))
    }

    /// Reads the number of our request that is being answered.
    fn end_request(&mut self, message: &mut Tokens<'_>) -> Result<RequestNumber, ProtocolError> {
        match message.next() {
            Some(Token::Int(request)) if self.requests.remove(&request) => {
                Ok(RequestNumber(request))
            }
            _ => Err(ProtocolError::UnknownRequest),
        }
    }

    fn knows(&self, target: Target) -> bool {
        match target {
            Target::Root => self.is_server,
            Target::Object(luid) => self.exports.contains(luid),
        }
    }

    fn release_all(&mut self, theirs: Vec<Luid>) {
        theirs.into_iter().for_each(|luid| self.release(luid));
    }

    pub(super) fn count_refusal(&mut self, output_before: usize) {
        self.refusals += self.output.len().saturating_sub(output_before);
        if self.refusals > self.limits.message_bytes {
            self.set_fault(ProtocolError::Refusals);
        }
    }
}

/// A call up to its arguments; invalid parts are absent.
struct RawCall {
    echo: Echo,
    target: Option<Target>,
    method: Option<Bytes>,
}

impl Refused {
    /// The exception for the peer, unless the error ends the connection.
    fn failure(&self) -> Result<Failure, ProtocolError> {
        match self {
            Self::TooLarge => Err(ProtocolError::ExpandsTooMuch),
            Self::Insecure(_) | Self::Malformed(_) => {
                Ok(Failure::new(Failure::INSECURE_JELLY, self.to_string()))
            }
        }
    }
}

/// Skips the rest of an expression that begins with `token`.
fn skip(token: Option<Token>, message: &mut Tokens<'_>) {
    let mut missing = match token {
        Some(Token::List(len)) => len,
        _ => 0,
    };
    while missing > 0 {
        missing -= 1;
        match message.next() {
            Some(Token::List(len)) => missing += len,
            Some(_) => {}
            None => return,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "any other value is wrong")]
fn into_args(args: Value) -> Option<Vec<Value>> {
    match args {
        Value::Tuple(items) | Value::List(items) => Some(items),
        Value::Shared(shared) => shared.as_items().map(<[Value]>::to_vec),
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "any other value is wrong")]
fn into_kwargs(kwargs: Value) -> Option<Vec<(Value, Value)>> {
    match kwargs {
        Value::Dict(pairs) => Some(pairs),
        Value::Shared(shared) => shared.as_dict().map(<[(Value, Value)]>::to_vec),
        _ => None,
    }
}

fn no_such_object() -> Failure {
    Failure::new(Failure::PB_ERROR, "Invalid Object ID")
}

fn type_error(what: &str) -> Failure {
    Failure::new(Failure::TYPE_ERROR, what)
}

/// Maximum number of bytes of a request number of the peer. Real peers send integers.
const ECHO_LIMIT: usize = 256;
