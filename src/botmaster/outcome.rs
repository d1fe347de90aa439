//! What one machine has come to that the others are to hear of.

use super::ids::{AttemptId, BuilderIx, SessionId, SlaveIx};
use crate::model::BuildId;

/// Something that a change inside one machine means for others. Outcomes are passed on in order,
/// after the call that had them.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The builder has one more of these.
    Joined(BuilderIx, Counted),
    /// The builder has one less of these.
    Left(BuilderIx, Counted),
    /// The slave has a connection, over which it is being attached.
    Connected(SlaveIx),
    /// The slave is attached to its builders.
    Attached(SlaveIx),
    /// The connection of the slave is gone.
    Disconnected {
        slave: SlaveIx,
        was_attached: bool,
        why: String,
    },
    /// The slave of a build has answered the ping before its start.
    Pinged(AttemptId),
    /// The connection of a build's slave is gone, or the builder is not attached to it any more.
    BuildLost { attempt: AttemptId, why: String },
    /// A build cannot be started.
    StartInVain { attempt: AttemptId, why: String },
    /// The instance of the slave ends, and its connection has ended.
    InstanceEnds { slave: SlaveIx, why: String },
}

/// Something to do when all outcomes are passed on and all that has changed is settled.
#[derive(Debug)]
pub(super) enum Act {
    /// Take in a connection of the slave.
    Admit {
        slave: SlaveIx,
        session: SessionId,
        address: String,
    },
    /// A build waits no longer for what it has triggered; `what` became of it.
    Leave { build: BuildId, what: &'static str },
    /// Close the connection of the slave.
    Drop { slave: SlaveIx, why: &'static str },
}

/// What the big state of a builder follows from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Counted {
    /// A slave that is attached (not attaching).
    Slave,
    /// A latent slave, started or not.
    Latent,
    /// A build that starts or runs: the building list.
    Build,
}
