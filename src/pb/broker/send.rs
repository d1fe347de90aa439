//! Sends messages to the peer.

use super::{Broker, CallId, Echo, RequestNumber, Target};
use crate::pb::banana::{Encoder, Word};
use crate::pb::broker::Event;
use crate::pb::jelly::{Jellier, Unsendable};
use crate::pb::{Failure, Luid, Value};

impl Broker {
    /// Sends a request that wants an answer. If the request cannot be sent, for example because a
    /// string is too long, the peer gets nothing, and the answer is a failure of class
    /// [`Failure::BANANA_ERROR`].
    pub fn call(
        &mut self,
        target: Target,
        method: &str,
        args: &[Value],
        kwargs: &[(Value, Value)],
    ) -> RequestNumber {
        self.last_request += 1;
        let request = self.last_request;
        let written = self.write(|out| {
            out.list(7);
            out.word(Word::MESSAGE);
            out.int(request);
            match target {
                Target::Root => out.literal(b"root"),
                Target::Object(Luid(luid)) => out.int(luid),
            }
            out.slice(method.as_bytes());
            out.int(1);
            let mut jellier = Jellier::new(out);
            jellier.tuple(args)?;
            jellier.dictionary(kwargs)?;
            Ok(jellier.into_mine())
        });
        match written {
            Ok(()) => {
                self.requests.insert(request);
            }
            Err(unsendable) => self.events.push_back(Event::Answer {
                request: RequestNumber(request),
                result: Err(unsendable.failure()),
            }),
        }
        RequestNumber(request)
    }

    /// Answers a call of the peer. If the value cannot be sent, the call fails with class
    /// [`Failure::BANANA_ERROR`].
    pub fn answer(&mut self, call: CallId, value: &Value) {
        let Some(echo) = self.end_call(call) else {
            return;
        };
        let written = self.write(|out| {
            out.list(3);
            out.word(Word::ANSWER);
            echo.write(out);
            let mut jellier = Jellier::new(out);
            jellier.value(value)?;
            Ok(jellier.into_mine())
        });
        if let Err(unsendable) = written {
            self.write_failure(&echo, &unsendable.failure());
        }
    }

    /// Answers a call of the peer with an exception.
    pub fn fail(&mut self, call: CallId, failure: &Failure) {
        if let Some(echo) = self.end_call(call) {
            self.write_failure(&echo, failure);
        }
    }

    /// Releases one reference to an object of the peer. Call this exactly once for each received
    /// [`Value::Theirs`] that is no longer needed.
    pub fn release(&mut self, luid: Luid) {
        let out = self.out();
        out.list(2);
        out.word(Word::DECREF);
        out.int(luid.0);
    }

    /// Answers a call that the broker handles itself.
    pub(super) fn refuse(&mut self, echo: &Echo, failure: &Failure) {
        if *echo == Echo::Nothing {
            return;
        }
        let before = self.output.len();
        self.write_failure(echo, failure);
        self.count_refusal(before);
    }

    /// Answers a message that does not exist, as Twisted does.
    pub(super) fn did_not_understand(&mut self, name: &[u8]) {
        let before = self.output.len();
        let out = self.out();
        out.list(2);
        out.literal(b"didNotUnderstand");
        out.slice(name);
        self.count_refusal(before);
    }

    /// Marks the call as answered; `None` if the peer wants no answer.
    fn end_call(&mut self, CallId(echo): CallId) -> Option<Echo> {
        if echo == Echo::Nothing {
            return None;
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        Some(echo)
    }

    fn write_failure(&mut self, echo: &Echo, failure: &Failure) {
        let out = self.out();
        out.list(3);
        out.word(Word::ERROR);
        echo.write(out);
        Jellier::new(out).failure(failure);
    }

    /// Writes a whole message and counts its references, or writes nothing.
    fn write(
        &mut self,
        message: impl FnOnce(&mut Encoder) -> Result<Vec<Luid>, Unsendable>,
    ) -> Result<(), Unsendable> {
        let out = self.out();
        let mark = out.mark();
        match message(out) {
            Ok(mine) => {
                if !mine.is_empty() {
                    mine.into_iter().for_each(|luid| self.exports.sent(luid));
                    self.check_exports();
                }
                Ok(())
            }
            Err(unsendable) => {
                out.rewind(mark);
                Err(unsendable)
            }
        }
    }
}

impl Echo {
    fn write(&self, out: &mut Encoder) {
        match self {
            Self::Nothing => {}
            Self::Number(number) => out.int(*number),
            Self::Encoded(bytes) => out.encoded(bytes),
        }
    }
}

impl Unsendable {
    fn failure(self) -> Failure {
        Failure::new(Failure::BANANA_ERROR, self.to_string())
    }
}
