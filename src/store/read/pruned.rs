//! What was pruned (MAS-08): numbers that were used and are not there any more.

use rusqlite::{Connection, params};

use crate::model::{BuildId, BuildNumber, BuilderName, ChangeNumber, RequestId, SetId};
use crate::store::StoreError;
use crate::store::column::int;
use crate::store::state::State;

impl State {
    /// Whether there was a build of this number, if there is none.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn was_build(
        &self,
        builder: &BuilderName,
        number: BuildNumber,
    ) -> Result<bool, StoreError> {
        self.read(|conn| {
            conn.prepare_cached("SELECT 1 FROM spent_builds WHERE builder = ?1 AND next > ?2")?
                .exists(params![builder.as_str(), int(number.0)])
        })
    }

    /// Whether there was a change of this number, if there is none.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn was_change(&self, number: ChangeNumber) -> Result<bool, StoreError> {
        self.read(|conn| was(conn, "change", number.0))
    }

    /// Whether there was a request of this number, if there is none.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn was_request(&self, request: RequestId) -> Result<bool, StoreError> {
        self.read(|conn| was(conn, "request", request.0))
    }

    /// Whether there was a build set of this number, if there is none.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn was_set(&self, set: SetId) -> Result<bool, StoreError> {
        self.read(|conn| was(conn, "build_set", set.0))
    }

    /// Whether any build sets were pruned.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn were_sets(&self) -> Result<bool, StoreError> {
        self.was_set(SetId(1))
    }

    /// Whether the logs of a build were pruned.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn are_logs_gone(&self, build: BuildId) -> Result<bool, StoreError> {
        self.read(|conn| {
            conn.prepare_cached("SELECT 1 FROM build WHERE id = ?1 AND logs_pruned")?
                .exists([int(build.0)])
        })
    }
}

fn was(conn: &Connection, kind: &str, number: u64) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM spent WHERE kind = ?1 AND next > ?2")?
        .exists(params![kind, int(number)])
}
