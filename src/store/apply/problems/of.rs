//! The build whose answers are taken.

use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use crate::model::journal::BuildFinish;
use crate::model::{BuildId, BuildNumber, ChangeNumber, Line};
use crate::store::apply::ended::EndedBuild;
use crate::store::column::{Col, int};

/// A build that ends, and where it is on which line.
pub(super) struct Of<'a> {
    pub(super) conn: &'a Connection,
    pub(super) end: &'a BuildFinish,
    pub(super) build: &'a EndedBuild,
    pub(super) line: &'a Line,
    /// The line, as it is stored.
    pub(super) tree: Value,
    pub(super) point: ChangeNumber,
}

impl Of<'_> {
    /// The number of a build.
    pub(super) fn number_of(&self, build: BuildId) -> rusqlite::Result<Option<BuildNumber>> {
        let mut select = self.conn.prepare_cached(NUMBER)?;
        let number = select.query_row([int(build.0)], |row| Ok(row.get::<_, Col<_>>(0)?.0));
        number.optional()
    }
}

const NUMBER: &str = "SELECT number FROM build WHERE id = ?1";
