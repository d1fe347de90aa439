//! What people have said of a problem.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::model::{Remark, RemarkKind, Timestamp};
use crate::verdict::{Hands, Held};

/// What holds of a problem by what people have said (PRB-16, PRB-20 to PRB-22).
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct InHands {
    /// Who sees to it, until when.
    pub claims: Vec<Holding>,
    /// Who hears nothing of it, by their own wish.
    pub mutes: Vec<Holding>,
    /// Nobody hears of it; null if that is not so.
    pub mute_of_all: Option<Holding>,
    /// It need not be mended, and why; null if that is not so.
    pub dismissal: Option<Holding>,
    /// Who is guilty because somebody has said so.
    pub named_guilty: Vec<Holding>,
    /// Who is not guilty because somebody has said so.
    pub cleared: Vec<Holding>,
    /// Who has said that it is not theirs, and is suspected no more.
    pub not_mine: Vec<Holding>,
    /// The ticket that follows it elsewhere: its text is the address.
    pub ticket: Option<Holding>,
}

/// Something that somebody has said, and that holds.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Holding {
    /// The person whom it is about; empty if it is about nobody.
    pub person: String,
    /// Who has said it.
    pub by: String,
    /// Since when.
    #[serde(serialize_with = "json::time")]
    pub since: Timestamp,
    /// When it is over; null: with the problem.
    #[serde(serialize_with = "json::time_if_any")]
    pub until: Option<Timestamp>,
    /// The reason, or the address of the ticket.
    pub text: String,
}

/// Something that somebody has said of a problem, at its time.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ProblemRemark {
    /// When.
    #[serde(serialize_with = "json::time")]
    pub at: Timestamp,
    /// Who has said it.
    pub by: String,
    /// What.
    pub kind: RemarkKind,
    /// The person whom it is about; empty if it is about nobody.
    pub person: String,
    /// When it is over; null: with the problem.
    #[serde(serialize_with = "json::time_if_any")]
    pub until: Option<Timestamp>,
    /// The reason, the note, or the address of the ticket.
    pub text: String,
}

impl From<Hands> for InHands {
    fn from(hands: Hands) -> Self {
        let one = |held: Option<Held>| held.map(|held| Holding::new(String::new(), held));
        Self {
            claims: holdings(hands.claims),
            mutes: holdings(hands.mutes),
            mute_of_all: one(hands.mute_of_all),
            dismissal: one(hands.dismissal),
            named_guilty: holdings(hands.guilty),
            cleared: holdings(hands.cleared),
            not_mine: holdings(hands.freed),
            ticket: one(hands.ticket),
        }
    }
}

fn holdings(held: BTreeMap<String, Held>) -> Vec<Holding> {
    let all = held.into_iter();
    all.map(|(person, held)| Holding::new(person, held))
        .collect()
}

impl Holding {
    fn new(person: String, held: Held) -> Self {
        let Held {
            by,
            since,
            until,
            text,
        } = held;
        Self {
            person,
            by,
            since,
            until,
            text,
        }
    }
}

impl From<Remark> for ProblemRemark {
    fn from(remark: Remark) -> Self {
        Self {
            at: remark.at,
            by: remark.by,
            kind: remark.kind,
            person: remark.person,
            until: remark.until,
            text: remark.text,
        }
    }
}

impl ProblemRemark {
    /// What was said, in words without the text: `claimed by ann`, `muted for all by bob`.
    #[must_use]
    pub fn words(&self) -> String {
        let (by, person) = (&self.by, &self.person);
        let done = |what: &str| match person == by || person.is_empty() {
            true => format!("{what} by {by}"),
            false => format!("{what} for {person} by {by}"),
        };
        match self.kind {
            RemarkKind::Claim => done("claimed"),
            RemarkKind::Release => done("released"),
            RemarkKind::Mute => done("muted"),
            RemarkKind::Unmute => done("unmuted"),
            RemarkKind::MuteAll => done("muted for all"),
            RemarkKind::UnmuteAll => done("unmuted for all"),
            RemarkKind::Dismiss => done("dismissed"),
            RemarkKind::Reopen => done("taken up again"),
            RemarkKind::Guilty => format!("{person} named guilty by {by}"),
            RemarkKind::NotGuilty => format!("{person} cleared by {by}"),
            RemarkKind::NotMine if person == by => format!("{by} says: not mine"),
            RemarkKind::NotMine => format!("{by} says: not {person}"),
            RemarkKind::Note => done("note"),
            RemarkKind::Ticket if self.text.is_empty() => done("ticket removed"),
            RemarkKind::Ticket => done("ticket linked"),
        }
    }
}
