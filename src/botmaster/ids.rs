//! Identities that live only as long as the process.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// One connection of a slave; the daemon makes them and never uses one twice.
    SessionId
);
id!(
    /// Names somebody who waits for an answer; made by the daemon.
    ReplyId
);
id!(
    /// One attachment of a builder to a slave; made by the core, never used twice (section 13).
    Epoch
);
id!(
    /// One ping; made by the core.
    PingId
);

id!(
    /// One instance of a latent slave; made by the core, never used twice while it runs (section
    /// 15).
    InstanceId
);

id!(
    /// One question to a check of slaves; made by the core.
    CheckId
);

/// One try to start a build, which has no number before the slave has agreed (BLD-11).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct AttemptId(pub(super) u64);

/// The place of a builder among all that this run of the master has had.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct BuilderIx(pub(super) usize);

/// The place of a slave among all that this run of the master has had.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct SlaveIx(pub(super) usize);
