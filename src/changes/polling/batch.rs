//! What a poller gives: changes with the place in the repository up to which they go.

use serde::Serialize;

use super::tool::PollError;
use crate::config::PollerConfig;
use crate::model::{NewChange, Offer, STANDS_FOR, Timestamp};

pub(in crate::changes) use crate::protocol::change::{
    MAX_COMMENTS_BYTES as LONGEST_MESSAGE, MAX_NAME_BYTES as LONGEST_NAME, MOST_FILES,
};

/// Changes of one transaction, with the cursor that is stored with them (INT-02).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::changes) struct Batch {
    /// Oldest first, at most [`MOST_CHANGES`].
    pub(in crate::changes) changes: Vec<NewChange>,
    /// What to continue from, as JSON.
    pub(in crate::changes) cursor: String,
    /// What was noticed that is not a change.
    pub(in crate::changes) notes: Vec<String>,
}

impl Batch {
    /// Changes with a cursor, and what was noticed.
    ///
    /// # Errors
    /// The cursor cannot be JSON.
    pub(in crate::changes) fn new(
        changes: Vec<NewChange>,
        cursor: &impl Serialize,
        notes: Vec<String>,
    ) -> Result<Self, PollError> {
        let cursor = serde_json::to_string(cursor);
        Ok(Self {
            changes,
            cursor: cursor.map_err(|error| PollError::new(error.to_string()))?,
            notes,
        })
    }
}

/// Most changes of one transaction (INT-05).
pub(in crate::changes) const MOST_CHANGES: usize = Offer::MOST_CHANGES;
/// Most changes of one poll (INT-05).
pub(in crate::changes) const MOST_OF_A_POLL: u64 = 10_000;
/// A change with the settings of its poller. `made_at` is in seconds since 1970.
pub(in crate::changes) fn change(
    poller: &PollerConfig,
    revision: Option<String>,
    made_at: Option<i64>,
) -> NewChange {
    let made_at = made_at.map(Timestamp::from_secs);
    let revlink = match &revision {
        Some(revision) => poller.revlink.replace("%s", revision),
        None => String::new(),
    };
    NewChange {
        revision,
        made_at,
        when: made_at.filter(|_| poller.commit_times),
        project: poller.project.clone(),
        codebase: poller.codebase.clone(),
        category: poller.category.clone(),
        revlink,
        ..NewChange::default()
    }
}

/// The text of a message, within its limit.
pub(in crate::changes) fn message(poller: &PollerConfig, bytes: &[u8]) -> String {
    let text = poller.encoding.decode(bytes);
    let text = text.trim_end();
    text.get(..text.floor_char_boundary(LONGEST_MESSAGE))
        .unwrap_or_default()
        .to_owned()
}

/// Has a change say that it stands for a number of older commits too (INT-05).
pub(in crate::changes) fn stand_for(change: &mut NewChange, older: u64) {
    if older == 0 {
        return;
    }
    let sentence = format!("\n\n(This change stands for {older} older commits as well.)");
    change.comments.push_str(&sentence);
    // The files of the older commits are unknown.
    change.files_left_out += 1;
    change.properties.set(STANDS_FOR, older, "Change");
}
