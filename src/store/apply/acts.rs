//! Acts over the API that are done once for each key.

use rusqlite::{Connection, params};

use crate::model::{DoneAct, Timestamp};
use crate::store::column::Json;
use crate::store::read::KEPT_ACTS;

/// Puts an act on record, and forgets those that are too old to be asked for again.
pub(super) fn done(conn: &Connection, act: &DoneAct) -> rusqlite::Result<usize> {
    let oldest = Timestamp(act.at.0.saturating_sub(KEPT_ACTS));
    conn.prepare_cached("DELETE FROM done_act WHERE at < ?1")?
        .execute([oldest.0])?;
    conn.prepare_cached(
        "INSERT INTO done_act (caller, key, fingerprint, at, result) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (caller, key) DO UPDATE SET fingerprint = excluded.fingerprint,
             at = excluded.at, result = excluded.result",
    )?
    .execute(params![
        act.caller,
        act.key,
        act.fingerprint,
        act.at.0,
        Json(&act.result)
    ])
}
