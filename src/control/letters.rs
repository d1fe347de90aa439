//! What people do with the outbox (OUT-12).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::Control;
use crate::model::{LetterId, LetterOp, LetterState, Op, Timestamp};
use crate::store::read::LetterFilter;
use crate::store::{State, StoreError};
use crate::text::and_more;

/// Letters that one act can be about.
const MOST: u32 = 10_000;

/// What is done with letters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LetterDeed {
    /// They are tried again at once, also if they are dead.
    Retry,
    /// They are not sent.
    Drop,
}

/// What somebody wants done with letters of the outbox.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LetterAct {
    /// What is done.
    pub deed: LetterDeed,
    /// The letters.
    #[serde(default)]
    pub letters: Vec<LetterId>,
    /// Besides, all of this target that wait or are dead.
    #[serde(default)]
    pub target: Option<String>,
    /// Of those, only the ones that were written from this time on.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl LetterAct {
    /// What is asked for, in words for the log.
    pub(super) fn act(&self) -> String {
        let deed = match self.deed {
            LetterDeed::Retry => "asked to retry",
            LetterDeed::Drop => "asked to drop",
        };
        match &self.target {
            Some(target) => format!("{deed} the letters to {}", target.escape_debug()),
            None => format!("{deed} letters {}", and_more(&self.letters, 10)),
        }
    }
}

impl Control {
    /// Told when somebody has changed what waits in the outbox.
    #[must_use]
    pub const fn letters_changed(&self) -> &Arc<Notify> {
        &self.letters
    }

    /// Does something with letters; gives how many that are.
    ///
    /// # Errors
    /// One of them does not exist, or is over; the others are left alone, too.
    pub(super) async fn letters(&self, act: LetterAct) -> Result<usize, String> {
        let deed = act.deed;
        let find = move |state: &State| find(state, &act);
        let found = self
            .reader()
            .read(find)
            .await
            .map_err(|error| error.to_string())?;
        let letters = found?;
        let (count, at) = (letters.len(), self.clock().wall());
        if count > 0 {
            let op = match deed {
                LetterDeed::Retry => LetterOp::Retried { letters, at },
                LetterDeed::Drop => LetterOp::Dropped { letters, at },
            };
            let op = Op::Letter(Box::new(op));
            self.writer.write_and_wait(vec![op]).await;
            self.letters.notify_one();
        }
        Ok(count)
    }
}

/// The letters that an act is about.
fn find(state: &State, act: &LetterAct) -> Result<Result<Vec<LetterId>, String>, StoreError> {
    let mut letters = act.letters.clone();
    for &letter in &act.letters {
        match state.letter(letter)?.map(|letter| letter.state) {
            Some(LetterState::Waiting | LetterState::Dead) => {}
            Some(over) => return Ok(Err(format!("letter {letter} was {}", over.as_str()))),
            None => {
                let why = format!("there is no letter {letter}; `buildmaster outbox` lists them");
                return Ok(Err(why));
            }
        }
    }
    if let Some(target) = &act.target {
        let wanted = LetterFilter {
            states: vec![LetterState::Waiting, LetterState::Dead],
            target: Some(target.clone()),
            since: act.since,
            before: None,
        };
        letters.extend(state.letters(&wanted, MOST)?.iter().map(|letter| letter.id));
    }
    Ok(Ok(letters))
}
