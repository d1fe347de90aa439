//! Acts over the API that were done.

use rusqlite::{OptionalExtension, params};

use crate::model::{DoneAct, Timestamp};
use crate::store::column::{Col, Json};
use crate::store::{State, StoreError};

/// How long acts are kept, in microseconds: a day.
pub(in crate::store) const KEPT_ACTS: i64 = 24 * 3600 * 1_000_000;

impl State {
    /// The act that `caller` has asked for with `key` within the day before `now`, if one is on
    /// record.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn done_act(
        &self,
        caller: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<DoneAct>, StoreError> {
        let oldest = now.0.saturating_sub(KEPT_ACTS);
        self.read(|conn| {
            conn.prepare_cached(DONE_ACT)?
                .query_row(params![caller, key, oldest], |row| {
                    Ok(DoneAct {
                        caller: caller.to_owned(),
                        key: key.to_owned(),
                        fingerprint: row.get(0)?,
                        at: row.get::<_, Col<_>>(1)?.0,
                        result: row.get::<_, Json<_>>(2)?.0,
                    })
                })
                .optional()
        })
    }
}

pub(super) const DONE_ACT: &str =
    "SELECT fingerprint, at, result FROM done_act WHERE caller = ?1 AND key = ?2 AND at > ?3";
