//! The challenge-response login (PROTOCOL section 7).

use bytes::Bytes;

use super::{Broker, CallId, Event, Luid, Value};

/// The response to `challenge`: MD5(MD5(password) ‖ challenge).
#[must_use]
pub fn response(password: &[u8], challenge: &[u8]) -> [u8; 16] {
    let _ = (password, challenge);
    todo!()
}

/// The server's side before a login: answers `login` with a challenge and turns `respond` into an
/// [`Attempt`]. Every other call is answered with the exception that real masters use.
#[derive(Debug)]
pub struct Portal {}

/// A login that wants a decision.
#[derive(Debug)]
pub struct Attempt {
    /// Who says to be there.
    pub user: Bytes,
    /// What the client wants to be called back on: a slave's bot, or [`Value::None`].
    pub mind: Value,
    /// To answer with the avatar, or to fail with [`super::Failure::unauthorized`].
    pub call: CallId,
    challenge: [u8; 16],
    response: Bytes,
}

impl Portal {
    /// A portal whose challenger objects take the numbers from `first` on.
    #[must_use]
    pub fn new() -> Self {
        todo!()
    }

    /// Handles `event` of a connection that is not logged in. `challenge` are 16 random bytes and `luid` a fresh object
    /// number, for use if the event is a `login` (then `luid` has been exported; otherwise it is unused).
    pub fn handle(
        &mut self,
        broker: &mut Broker,
        event: Event,
        challenge: [u8; 16],
        luid: Luid,
    ) -> Option<Attempt> {
        let _ = (broker, event, challenge, luid);
        todo!()
    }
}

impl Default for Portal {
    fn default() -> Self {
        Self::new()
    }
}

impl Attempt {
    /// Whether the client knows `password`, in constant time.
    #[must_use]
    pub fn knows(&self, password: &[u8]) -> bool {
        let _ = (password, &self.challenge, &self.response);
        todo!()
    }
}
