//! Change sources, the deliveries that were taken, and the identities of changes.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{ChangeNumber, Delivery, Digest, SourceName, SourceReport, Timestamp};
use crate::store::StoreError;
use crate::store::column::Col;
use crate::store::state::State;

/// The newest change of an identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownIdentity {
    /// The change.
    pub change: ChangeNumber,
    /// The source that brought it.
    pub source: SourceName,
    /// When it arrived.
    pub at: Timestamp,
}

impl State {
    /// What is on record of all change sources that ever had something to say.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn source_reports(&self) -> Result<BTreeMap<SourceName, SourceReport>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(REPORTS)?
                .query_map([], report)?
                .collect()
        })
    }

    /// Where the source `name` goes on from, as it was last offered.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn source_cursor(&self, name: &SourceName) -> Result<Option<String>, StoreError> {
        self.read(|conn| {
            let cursor = conn
                .prepare_cached(CURSOR)?
                .query_row([name.as_str()], |row| row.get(0))
                .optional()?;
            Ok(cursor.flatten())
        })
    }

    /// Whether `delivery` of `source` was taken, as far as that is remembered (INT-03).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_delivery(
        &self,
        source: &SourceName,
        delivery: Delivery,
    ) -> Result<bool, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(DELIVERY)?
                .exists(params![source.as_str(), delivery.0.0])
        })
    }

    /// The change that is known by the identity with this sum (INT-04).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn known_identity(&self, identity: Digest) -> Result<Option<KnownIdentity>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(IDENTITY)?
                .query_row([identity.0], |row| {
                    Ok(KnownIdentity {
                        change: row.get::<_, Col<_>>(0)?.0,
                        source: row.get::<_, Col<_>>(1)?.0,
                        at: row.get::<_, Col<_>>(2)?.0,
                    })
                })
                .optional()
        })
    }

    /// Whether a delivery was taken before this time.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_old_deliveries(&self, before: Timestamp) -> Result<bool, StoreError> {
        self.read(|conn| conn.prepare_cached(OLD_DELIVERY)?.exists([before.0]))
    }
}

/// The fingerprints of all identities and deliveries.
pub(in crate::store) fn fingerprints(conn: &Connection) -> rusqlite::Result<Vec<u64>> {
    conn.prepare(SUMS)?
        .query_map([], |row| Ok(Digest(row.get(0)?).fingerprint()))?
        .collect()
}

fn report(row: &Row<'_>) -> rusqlite::Result<(SourceName, SourceReport)> {
    let time = |at| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<Col<_>>>(at)?.map(|at| at.0))
    };
    let count = |at| -> rusqlite::Result<u64> {
        Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default())
    };
    let report = SourceReport {
        last_attempt: time(1)?,
        last_success: time(2)?,
        next_attempt: time(3)?,
        last_error: row.get(4)?,
        last_error_at: time(5)?,
        note: row.get(6)?,
        errors: count(7)?,
        failing: count(8)?,
        taken: count(9)?,
        known: count(10)?,
        dropped: count(11)?,
        redelivered: count(12)?,
        cursor: row.get(13)?,
    };
    Ok((row.get::<_, Col<_>>(0)?.0, report))
}

const REPORTS: &str =
    "SELECT name, tried_at, succeeded_at, next_at, error, error_at, note, errors, failing, taken,
        known, dropped, redelivered, cursor
    FROM change_source ORDER BY name";
pub(in crate::store) const CURSOR: &str = "SELECT cursor FROM change_source WHERE name = ?1";
pub(in crate::store) const DELIVERY: &str = "SELECT 1 FROM delivery WHERE source = ?1 AND sum = ?2";
pub(in crate::store) const IDENTITY: &str =
    "SELECT change, source, at FROM change_identity WHERE sum = ?1";
pub(in crate::store) const OLD_DELIVERY: &str = "SELECT 1 FROM delivery WHERE at < ?1";
const SUMS: &str = "SELECT sum FROM change_identity UNION ALL SELECT sum FROM delivery";
