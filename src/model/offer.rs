//! Offers: what a source of changes hands to the master, and what the master makes of it (GRD-01,
//! section 8.1 of what comes in).
//!
//! An [`Offer`] is on its way from a source to the door of the core. There each change of it is
//! looked up by its [`Identity`]; what the core gets is an [`AdmittedOffer`], which says of each
//! change whether it is new. The core makes one transaction of it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::{AuditRecord, ChangeNumber, NewChange, SourceName, Timestamp};

/// Changes that a source submits together. All of it is taken, or nothing (INT-02).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// The source, by its name in the configuration.
    pub source: SourceName,
    /// What the source numbers its deliveries by; each is taken once (INT-03).
    pub delivery: Option<Delivery>,
    /// Where the source goes on from, as JSON text; replaces the former. Stored with the changes.
    pub cursor: Option<String>,
    /// The changes, the oldest first; at most [`Offer::MOST_CHANGES`].
    pub changes: Vec<NewChange>,
    /// Whether changes that are known already count as new (INT-06).
    pub again: bool,
}

impl Offer {
    /// Maximum number of changes of one offer, and so of one transaction (INT-05).
    pub const MOST_CHANGES: usize = 200;
}

/// What became of an offer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferAnswer {
    /// The same delivery was taken before; nothing has changed (INT-03).
    Redelivered,
    /// The changes are on disk: those that were new, and those that were known. Changes that a
    /// filter of the source dropped are left out (INT-07).
    Taken(Vec<TakenChange>),
}

/// A change of an offer that is on disk.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TakenChange {
    /// Its number.
    pub number: ChangeNumber,
    /// Whether the offer brought it; otherwise another one had brought it before (INT-04).
    pub is_new: bool,
}

/// A SHA-256 sum; 64 hexadecimal digits as text.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest(pub [u8; 32]);

/// The identity of a delivery of a source: the sum of what distinguishes it, such as the signed
/// bytes of a hook or the `Message-ID` of a mail.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Delivery(pub Digest);

/// By what a change is known, if its revision names one tree for ever (INT-04).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The repository, by its name in the register if it has one.
    pub repository: String,
    /// The branch. The default branch and an empty name are two (CHG-02).
    pub branch: Option<String>,
    /// The revision, in the one spelling of its version control system.
    pub revision: String,
}

/// An offer as the core gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct AdmittedOffer {
    /// The source.
    pub source: SourceName,
    /// The delivery.
    pub delivery: Option<Delivery>,
    /// The new cursor.
    pub cursor: Option<String>,
    /// The changes, the oldest first.
    pub changes: Vec<AdmittedChange>,
    /// Number of changes that a filter of the source dropped (INT-07).
    pub dropped: u64,
    /// The entry for the audit log, written if a change is new (MAY-05).
    pub audit: Option<Box<AuditRecord>>,
}

impl AdmittedOffer {
    /// An offer of one change that is new.
    #[must_use]
    pub fn of_one(change: NewChange) -> Self {
        Self {
            source: SourceName::default(),
            delivery: None,
            cursor: None,
            changes: vec![AdmittedChange::new(change, None)],
            dropped: 0,
            audit: None,
        }
    }
}

/// A change of an offer, looked up by its identity.
#[derive(Clone, Debug, PartialEq)]
pub enum AdmittedChange {
    /// It is not on record.
    New {
        /// The change.
        change: Box<NewChange>,
        /// The sum of its identity, if it has one.
        identity: Option<Digest>,
    },
    /// It is on record under this number.
    Known(ChangeNumber),
    /// It is the same as an earlier change of this offer, which has this position.
    Repeated(usize),
}

impl AdmittedChange {
    /// A change that is not on record.
    #[must_use]
    pub fn new(change: NewChange, identity: Option<Digest>) -> Self {
        Self::New {
            change: Box::new(change),
            identity,
        }
    }
}

/// An offer that was taken, for the journal. Its changes are in the same transaction.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OfferTaken {
    /// The source.
    pub source: SourceName,
    /// The delivery, which is not taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// The new cursor; absent keeps the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The identities of the new changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<(Digest, ChangeNumber)>,
    /// Number of new changes.
    pub taken: u64,
    /// Number of changes that were known.
    pub known: u64,
    /// Number of changes that a filter of the source dropped.
    pub dropped: u64,
    /// Time of the event.
    pub at: Timestamp,
}

/// What a source reports of an attempt to get something (INT-01).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct SourceAttempt {
    /// The source.
    pub source: SourceName,
    /// When it was made.
    pub at: Timestamp,
    /// When the next one is made, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Why it failed; absent: it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What people should know although the attempt succeeded, such as a branch that does not
    /// exist; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What is on record of a source (INT-01). Survives restarts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceReport {
    /// When the source last tried to get something, or was last sent something.
    pub last_attempt: Option<Timestamp>,
    /// When that last succeeded.
    pub last_success: Option<Timestamp>,
    /// When the source tries next; absent if it is only sent things.
    pub next_attempt: Option<Timestamp>,
    /// The last error, also if attempts have succeeded since.
    pub last_error: Option<String>,
    /// When the last error occurred.
    pub last_error_at: Option<Timestamp>,
    /// What the last attempt that succeeded noted.
    pub note: Option<String>,
    /// Number of errors so far.
    pub errors: u64,
    /// Number of errors since the last success.
    pub failing: u64,
    /// Number of changes that were new.
    pub taken: u64,
    /// Number of changes that were known.
    pub known: u64,
    /// Number of changes that a filter dropped.
    pub dropped: u64,
    /// Number of deliveries that were taken before.
    pub redelivered: u64,
    /// Where the source goes on from.
    pub cursor: Option<String>,
}

impl SourceReport {
    /// Whether the last attempt failed.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.failing > 0
    }
}

impl Identity {
    /// The sum by which it is on record.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Lengths keep the parts apart; the default branch has none.
        let mut sum = Sha256::new();
        let mut add = |text: &str| {
            sum.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            sum.update(text.as_bytes());
        };
        add(&self.repository);
        add(&self.revision);
        if let Some(branch) = &self.branch {
            add(branch);
        }
        Digest(sum.finalize().into())
    }
}

impl Delivery {
    /// The delivery that consists of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Digest::of(bytes))
    }
}

impl Digest {
    /// The sum of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its first 64 bits: enough to know what is certainly not on record.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("a sum has 64 hexadecimal digits");
        if text.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_parts_of_an_identity_are_kept_apart() {
        let of = |repository: &str, branch: Option<&str>, revision: &str| {
            let identity = Identity {
                repository: repository.to_owned(),
                branch: branch.map(str::to_owned),
                revision: revision.to_owned(),
            };
            identity.digest()
        };
        let all = [
            of("r", None, "a"),
            of("r", Some(""), "a"),
            of("ra", None, ""),
            of("", None, "ra"),
            of("r", Some("a"), ""),
        ];
        for (n, one) in all.iter().enumerate() {
            assert!(!all[..n].contains(one));
        }
        assert_eq!(of("r", Some("b"), "a"), of("r", Some("b"), "a"));
    }

    #[test]
    fn a_sum_is_read_as_it_is_written() {
        let sum = Digest::of(b"x");
        let text = serde_json::to_string(&sum).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), sum);
        for wrong in ["\"ab\"".to_owned(), format!("\"{}\"", "g".repeat(64))] {
            assert!(serde_json::from_str::<Digest>(&wrong).is_err());
        }
    }
}
