//! Who may log in, and as what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{BuilderName, SchedulerName, SlaveName, SourceName};
use crate::pb::hashed::Hashed;

/// Who may log in at one set of listeners, and as what.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Directory {
    users: BTreeMap<Vec<u8>, (Password, UserKind)>,
}

/// What a user has to know.
#[derive(Clone, Eq, PartialEq)]
pub(super) enum Password {
    Plain(Vec<u8>),
    /// Only the hash is known here (TUP-02).
    Hashed(Hashed),
}

/// What a user is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UserKind {
    /// A build slave.
    Slave(SlaveName),
    /// A sender of changes.
    Change {
        /// The change source.
        source: SourceName,
        /// Files outside are dropped from its changes, those inside lose it.
        prefix: Option<String>,
    },
    /// A developer who submits try jobs.
    Try {
        /// The scheduler that builds them.
        scheduler: SchedulerName,
        /// The name of the user.
        user: String,
        /// The builders that may be tried, in the order of the configuration.
        builders: Arc<[BuilderName]>,
    },
    /// A live status client (STA-02).
    Status {
        /// The name of the user.
        user: String,
    },
    /// Somebody who manages the register of people (WHO-07).
    Users,
}

impl UserKind {
    /// Whether the user is a slave.
    #[must_use]
    pub const fn is_slave(&self) -> bool {
        match self {
            Self::Slave(_) => true,
            Self::Change { .. } | Self::Try { .. } | Self::Status { .. } | Self::Users => false,
        }
    }
}

impl Directory {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or replaces one of the same name.
    pub fn insert(&mut self, user: &str, password: &[u8], kind: UserKind) {
        let password = Password::Plain(password.to_vec());
        self.users.insert(user.into(), (password, kind));
    }

    /// Adds a user whose password is known by its hash only. Clients that do not know how to hash
    /// theirs, which are all but this project's own, cannot log in as this user; as others they
    /// can.
    pub fn insert_hashed(&mut self, user: &str, hash: Hashed, kind: UserKind) {
        let password = Password::Hashed(hash);
        self.users.insert(user.into(), (password, kind));
    }

    pub(super) fn find(&self, user: &[u8]) -> Option<(&Password, &UserKind)> {
        let (password, kind) = self.users.get(user)?;
        Some((password, kind))
    }

    /// The challenge for `user`. Where somebody has a hash, everybody seems to have one.
    pub(super) fn challenge(&self, user: &[u8], random: [u8; 16]) -> Bytes {
        if let Some((Password::Hashed(hash), _)) = self.find(user) {
            return hash.recipe().challenge(random);
        }
        let mut hashes = self
            .users
            .values()
            .filter_map(|(password, _)| match password {
                Password::Hashed(hash) => Some(hash),
                Password::Plain(_) => None,
            });
        match hashes.next() {
            Some(hash) => hash.decoy(user).challenge(random),
            None => Bytes::copy_from_slice(&random),
        }
    }
}

impl Password {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(password) => password,
            Self::Hashed(hash) => hash.text().as_bytes(),
        }
    }
}

impl fmt::Debug for Directory {
    /// Without the passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.users.values().map(|(_, kind)| kind))
            .finish()
    }
}
