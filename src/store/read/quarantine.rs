//! Tests in quarantine (FLK-07).

use rusqlite::{Row, params};

use crate::model::{BuilderName, Quarantine, TestName, Timestamp};
use crate::store::StoreError;
use crate::store::column::Col;
use crate::store::state::State;

impl State {
    /// The tests that are in quarantine, also those whose time is over, by their names.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn quarantine(&self) -> Result<Vec<Quarantine>, StoreError> {
        self.read(|conn| conn.prepare_cached(ALL)?.query_map([], row_of)?.collect())
    }

    /// The quarantine in which a test of a builder is at `now`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn quarantine_of(
        &self,
        test: &TestName,
        builder: &BuilderName,
        now: Timestamp,
    ) -> Result<Option<Quarantine>, StoreError> {
        self.read(|conn| {
            let of = params![test.as_stored(), builder.as_str(), now.0];
            let mut select = conn.prepare_cached(OF_TEST)?;
            select.query_map(of, row_of)?.next().transpose()
        })
    }
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<Quarantine> {
    let builder = row.get_ref(1)?.as_str()?;
    Ok(Quarantine {
        test: TestName::from_stored(row.get_ref(0)?.as_str()?),
        builder: (!builder.is_empty()).then(|| builder.into()),
        owner: row.get(2)?,
        reason: row.get(3)?,
        until: row.get::<_, Col<_>>(4)?.0,
        by: row.get(5)?,
        at: row.get::<_, Col<_>>(6)?.0,
    })
}

pub(super) const ALL: &str = "SELECT name, builder, owner, reason, until, set_by, set_at
    FROM quarantine ORDER BY name, builder";
pub(super) const OF_TEST: &str = "SELECT name, builder, owner, reason, until, set_by, set_at
    FROM quarantine WHERE name = ?1 AND builder IN ('', ?2) AND until > ?3 LIMIT 1";
