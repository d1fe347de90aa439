//! Identities. Numbers grow and are never reused (CHG-03, BST-10, BUI-01); names are shared text.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd,
            Serialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The identity after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
        )]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Shares `text` as a name.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    };
}

number!(
    /// Number of a change, from 1, in order of arrival (CHG-03).
    ChangeNumber
);
number!(
    /// Number of a letter of the outbox, from 1 (OUT-01).
    LetterId
);
number!(
    /// Number of a problem, never used again (PRB-01).
    ProblemNumber
);
number!(
    /// Number of a culprit search, never used again (SRH-01).
    SearchNumber
);
number!(
    /// Number of a build set ("bsid"), from 1 (BST-10).
    SetId
);
number!(
    /// Number of a build request, from 1; breaks ties between equal submit times (BRQ-03).
    RequestId
);
number!(
    /// Number of a build over all builders, from 1.
    BuildId
);
number!(
    /// Number of a build within its builder, from 0, without gaps (BUI-01).
    BuildNumber
);
number!(
    /// Identifies one write to the journal. Tickets are confirmed in the order of the writes.
    Ticket
);

name!(
    /// Name of a builder.
    BuilderName
);
name!(
    /// Name of a build slave.
    SlaveName
);
name!(
    /// Name of a lock.
    LockName
);
name!(
    /// Name of a scheduler.
    SchedulerName
);
name!(
    /// Name of a change source (INT-01).
    SourceName
);

/// Identifies a remote command of a step. Ids are unique within the installation, also after a
/// restart of the master.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CommandId {
    /// The build.
    pub build: BuildId,
    /// The step's position in the build, from 0.
    pub step: u32,
    /// The command's position among those of the step, from 0.
    pub ordinal: u32,
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.build, self.step, self.ordinal)
    }
}
