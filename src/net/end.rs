//! Why connections end.

use std::io;

use super::budget::NoRoom;
use super::login::{Gate, LOGIN_BYTES, LOGIN_TIME};
use crate::pb::broker::ProtocolError;
use crate::pb::foreign::Foreign;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("closed by the peer")]
    Eof,
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] ProtocolError),
    #[error("{0}")]
    Closed(String),
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error("the peer does not read: {0} bytes unsent")]
    Unsent(usize),
    #[error("{}", .0.what)]
    Foreign(Foreign),
    #[error("no login within {} s", LOGIN_TIME.as_secs())]
    TooSlow,
    #[error("more than {LOGIN_BYTES} bytes before login")]
    TooMuch,
    #[error("no login yet, and others want to connect")]
    Evicted,
    #[error("idle, and others want to connect")]
    MadeRoom,
}

impl End {
    /// Whether a peer that had logged in did something that it must not.
    pub(super) const fn is_fault(&self) -> bool {
        match self {
            Self::Protocol(_) | Self::NoRoom(_) | Self::Unsent(_) => true,
            Self::Eof
            | Self::Io(_)
            | Self::Closed(_)
            | Self::Foreign(_)
            | Self::TooSlow
            | Self::TooMuch
            | Self::Evicted
            | Self::MadeRoom => false,
        }
    }

    /// Keeps in mind why a client was refused that has not logged in. One that went away by itself
    /// was not.
    pub(super) fn note_refusal(&self, gate: &mut Gate) {
        let (user, why) = match self {
            Self::Foreign(foreign) => (foreign.user.clone(), foreign.what.clone()),
            Self::Protocol(_)
            | Self::NoRoom(_)
            | Self::Unsent(_)
            | Self::TooMuch
            | Self::Evicted => (None, self.to_string()),
            Self::Eof | Self::Io(_) | Self::TooSlow => match (gate.finish_beginning(), self) {
                (Some(foreign), _) => (foreign.user, foreign.what),
                (None, Self::TooSlow) => (None, self.to_string()),
                (None, _) => return,
            },
            Self::Closed(_) | Self::MadeRoom => return,
        };
        gate.note_refusal(user.as_deref().map(str::as_bytes), &why);
    }
}
