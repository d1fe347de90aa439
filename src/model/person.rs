//! People: users of the master, the names that they have elsewhere, and how they log in (WHO-01).

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actions, ObjectPatterns, Timestamp};

/// A person in the register.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name of the person, which no other person has.
    pub name: String,
    /// What is known of the person.
    #[serde(default)]
    pub attributes: BTreeSet<Attribute>,
    /// The roles of the person, which permissions name.
    #[serde(default)]
    pub roles: BTreeSet<String>,
}

/// Something known of a person, such as an address.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The kind of attribute.
    pub kind: AttributeKind,
    /// The value.
    pub value: String,
}

/// Kinds of attributes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeKind {
    /// The author text of changes in git.
    Git,
    /// The author text of changes in Subversion.
    Svn,
    /// The author text of changes in Mercurial.
    Hg,
    /// The author text of changes in Bazaar.
    Bzr,
    /// The author text of changes in CVS.
    Cvs,
    /// The author text of changes in Darcs.
    Darcs,
    /// The author text of changes in Perforce.
    P4,
    /// The author text of changes in Monotone.
    Mtn,
    /// The author text of changes in GNU Arch.
    Tla,
    /// The author text of changes in any version control system.
    Any,
    /// A mail address.
    Email,
    /// A nick on IRC.
    Irc,
    /// A Jabber address.
    Jid,
    /// The identity at an OIDC provider.
    Login,
    /// The time zone of the person.
    Zone,
    /// The language of the person.
    Language,
    /// The hours at which the person gets no messages.
    QuietHours,
    /// How the person gets messages.
    Notify,
}

impl AttributeKind {
    /// All kinds.
    pub const ALL: [Self; 18] = [
        Self::Git,
        Self::Svn,
        Self::Hg,
        Self::Bzr,
        Self::Cvs,
        Self::Darcs,
        Self::P4,
        Self::Mtn,
        Self::Tla,
        Self::Any,
        Self::Email,
        Self::Irc,
        Self::Jid,
        Self::Login,
        Self::Zone,
        Self::Language,
        Self::QuietHours,
        Self::Notify,
    ];

    /// The name of the kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Svn => "svn",
            Self::Hg => "hg",
            Self::Bzr => "bzr",
            Self::Cvs => "cvs",
            Self::Darcs => "darcs",
            Self::P4 => "p4",
            Self::Mtn => "mtn",
            Self::Tla => "tla",
            Self::Any => "any",
            Self::Email => "email",
            Self::Irc => "irc",
            Self::Jid => "jid",
            Self::Login => "login",
            Self::Zone => "zone",
            Self::Language => "language",
            Self::QuietHours => "quiet_hours",
            Self::Notify => "notify",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether a value identifies a person, so that two people cannot have it.
    #[must_use]
    pub const fn identifies(self) -> bool {
        !self.is_own()
    }

    /// Whether the person sets the value: it concerns nobody else.
    #[must_use]
    pub const fn is_own(self) -> bool {
        matches!(
            self,
            Self::Zone | Self::Language | Self::QuietHours | Self::Notify
        )
    }
}

impl fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A person who is on duty by hand (ESC-10).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// The name of the rota.
    pub rota: String,
    /// The name of the person.
    pub person: String,
    /// When the duty ends.
    pub until: Timestamp,
}

/// The argon2id hash of a password.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The number of an API token.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct TokenId(pub u64);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The limits of a token: whoever uses it may do only what both the person and the token may
/// (LGN-02).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRights {
    /// What may be done with the token.
    pub may: Actions,
    /// The things that the token is limited to.
    #[serde(default)]
    pub on: ObjectPatterns,
}

/// An API token, without its secret.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TokenRecord {
    /// The number of the token.
    pub id: TokenId,
    /// SHA-256 of the token, in hexadecimal digits.
    pub hash: String,
    /// The person whom the token is for.
    pub person: String,
    /// What the token is for, in the words of whoever made it.
    pub label: String,
    /// The limits of the token.
    pub rights: TokenRights,
    /// When the token was made.
    pub made_at: Timestamp,
    /// When the token expires.
    pub ends_at: Timestamp,
}

/// A session of a person who has logged in on the web, without its secret (LGN-05).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SessionRecord {
    /// SHA-256 of the secret in the cookie, in hexadecimal digits.
    pub hash: String,
    /// The person.
    pub person: String,
    /// Roles that the login gave, besides those of the register.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<String>,
    /// The address of the browser at the login.
    pub address: String,
    /// When the person logged in.
    pub begun_at: Timestamp,
    /// When the session ends, however much it is used.
    pub ends_at: Timestamp,
}
