//! The outbox.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};

use crate::model::{LetterFacts, LetterId, LetterState, Timestamp};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// A letter (OUT-01).
#[derive(Clone, Debug, PartialEq)]
pub struct LetterRow {
    /// Its number.
    pub id: LetterId,
    /// Who takes it.
    pub target: String,
    /// Letters of a target with the same order leave one after the other.
    pub order: String,
    /// What it says.
    pub facts: LetterFacts,
    /// The only recipient, if it is one of the letters that another became (MAL-05).
    pub recipient: Option<String>,
    /// When it was written.
    pub made_at: Timestamp,
    /// When it is tried next, if it waits.
    pub next_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// How far it is.
    pub state: LetterState,
    /// When it was delivered, died or was dropped.
    pub ended_at: Option<Timestamp>,
}

/// What waits for a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutboxRow {
    /// The target.
    pub target: String,
    /// Letters that wait.
    pub waiting: u64,
    /// When the oldest of them was written.
    pub oldest: Option<Timestamp>,
    /// Letters that are dead.
    pub dead: u64,
    /// Why the last attempt with one of them failed.
    pub error: Option<String>,
}

/// Which letters are wanted.
#[derive(Clone, Debug, Default)]
pub struct LetterFilter {
    /// Only those in one of these states; empty: all.
    pub states: Vec<LetterState>,
    /// Only those of this target.
    pub target: Option<String>,
    /// Only those that were written from this time on.
    pub since: Option<Timestamp>,
    /// Only those below this number.
    pub before: Option<LetterId>,
}

impl LetterFilter {
    /// The states of all letters, or of those that wait or are dead.
    #[must_use]
    pub fn states_of(is_all: bool) -> Vec<LetterState> {
        match is_all {
            true => Vec::new(),
            false => vec![LetterState::Waiting, LetterState::Dead],
        }
    }
}

impl State {
    /// The newest `limit` letters, the newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn letters(&self, wanted: &LetterFilter, limit: u32) -> Result<Vec<LetterRow>, StoreError> {
        let states: Vec<_> = wanted.states.iter().map(|state| state.number()).collect();
        self.read(|conn| {
            conn.prepare_cached(LETTERS)?
                .query_map(
                    params![
                        Json(&states),
                        wanted.target,
                        wanted.since.map(|since| since.0),
                        wanted.before.map_or(i64::MAX, |before| int(before.0)),
                        limit
                    ],
                    letter_of,
                )?
                .collect()
        })
    }

    /// The letter with this number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn letter(&self, id: LetterId) -> Result<Option<LetterRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(LETTER)?
                .query_row([int(id.0)], letter_of)
                .optional()
        })
    }

    /// The first waiting letters of their orders (OUT-07): of each target the `limit` that are to
    /// be tried first, in this order. What waits behind them is not looked at (OUT-13).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn letters_to_send(&self, limit: u32) -> Result<Vec<LetterRow>, StoreError> {
        self.read(|conn| {
            let mut next = conn.prepare_cached(NEXT_TARGET)?;
            let mut select = conn.prepare_cached(TO_SEND)?;
            let mut letters = Vec::new();
            let mut target = String::new();
            while let Some(name) = next.query_row([&target], |row| row.get(0))? {
                target = name;
                for letter in select.query_map(params![target, limit], letter_of)? {
                    letters.push(letter?);
                }
            }
            letters.sort_by_key(|letter| (letter.next_at, letter.id));
            Ok(letters)
        })
    }

    /// The letters that wait or are dead, by target.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn outbox(&self) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(|conn| {
            let mut targets: BTreeMap<String, OutboxRow> = BTreeMap::new();
            for state in [LetterState::Waiting, LetterState::Dead] {
                let mut select = conn.prepare_cached(OUTBOX)?;
                let mut rows = select.query([state.number()])?;
                while let Some(row) = rows.next()? {
                    let target: String = row.get(0)?;
                    let known = targets.entry(target.clone()).or_default();
                    known.target = target;
                    known.add(state, row)?;
                }
            }
            Ok(targets.into_values().collect())
        })
    }

    /// Whether letters have ended before `before`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_old_letters(&self, before: Timestamp) -> Result<bool, StoreError> {
        self.read(|conn| conn.prepare_cached(OLD)?.exists([before.0]))
    }

    /// The identity of the state, which the keys of letters begin with (OUT-04).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn identity(&self) -> Result<String, StoreError> {
        self.read(|conn| conn.query_row("SELECT identity FROM meta", [], |row| row.get(0)))
    }

    /// The key by which the master signs the links of its mails (MAL-11).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn link_key(&self) -> Result<String, StoreError> {
        self.read(|conn| conn.query_row("SELECT link_key FROM meta", [], |row| row.get(0)))
    }
}

impl OutboxRow {
    fn add(&mut self, state: LetterState, row: &Row<'_>) -> rusqlite::Result<()> {
        let count = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        if state == LetterState::Waiting {
            self.waiting = count;
            self.oldest = row.get::<_, Option<Col<_>>>(2)?.map(|at| at.0);
        } else {
            self.dead = count;
        }
        self.error = row.get::<_, Option<String>>(3)?.or(self.error.take());
        Ok(())
    }
}

fn letter_of(row: &Row<'_>) -> rusqlite::Result<LetterRow> {
    let id: i64 = row.get(0)?;
    let state: i64 = row.get(8)?;
    let mut states = LetterState::ALL.into_iter();
    Ok(LetterRow {
        id: LetterId(u64::try_from(id).unwrap_or(0)),
        target: row.get(1)?,
        order: row.get(2)?,
        facts: row.get::<_, Json<_>>(3)?.0,
        made_at: row.get::<_, Col<_>>(4)?.0,
        next_at: row.get::<_, Col<_>>(5)?.0,
        tries: row.get(6)?,
        error: row.get(7)?,
        state: states
            .find(|known| known.number() == state)
            .unwrap_or(LetterState::Dropped),
        ended_at: row.get::<_, Option<Col<_>>>(9)?.map(|at| at.0),
        recipient: row.get(10)?,
    })
}

macro_rules! letter_columns {
    () => {
        "SELECT id, target, ordering, facts, made_at, next_at, tries, error, state, ended_at,
            recipient
        FROM letter l"
    };
}
pub(super) const LETTERS: &str = concat!(
    letter_columns!(),
    " WHERE id < ?4 AND (?1 = '[]' OR state IN (SELECT value FROM json_each(?1)))
        AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR made_at >= ?3)
    ORDER BY id DESC LIMIT ?5"
);
pub(super) const LETTER: &str = concat!(letter_columns!(), " WHERE id = ?1");
pub(super) const NEXT_TARGET: &str = "SELECT min(target) FROM letter
    WHERE state = 0 AND head = 1 AND target > ?1";
pub(super) const TO_SEND: &str = concat!(
    letter_columns!(),
    " WHERE state = 0 AND head = 1 AND target = ?1 ORDER BY next_at, id LIMIT ?2"
);
pub(super) const OUTBOX: &str = "SELECT target, count(*), min(made_at), max(error) FROM letter WHERE state = ?1 GROUP BY target";
const OLD: &str = "SELECT 1 FROM letter WHERE ended_at < ?1 LIMIT 1";
