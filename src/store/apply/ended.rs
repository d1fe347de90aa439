//! A build that ends.

use rusqlite::{Connection, OptionalExtension};

use crate::model::{BuildId, BuildNumber, BuilderName, ChangeNumber, RequestId, SlaveName};
use crate::store::column::{Col, Json, int};

/// A build that ends, and whether there is reason to look closer. All of it is one look, for most
/// builds need no other.
pub(super) struct EndedBuild {
    /// Its builder.
    pub(super) builder: BuilderName,
    /// Its number.
    pub(super) number: BuildNumber,
    /// Its slave.
    pub(super) slave: SlaveName,
    /// The newest change that it was built of.
    pub(super) newest: Option<ChangeNumber>,
    /// Its requests.
    pub(super) requests: Vec<RequestId>,
    /// Whether there are reports of its tests.
    pub(super) has_reports: bool,
    /// Whether a culprit search has asked for it: it says nothing about today.
    pub(super) is_of_search: bool,
    /// Whether a problem of the infrastructure is open, or one of the builds before it said
    /// nothing.
    pub(super) is_infrastructure_uneasy: bool,
}

impl EndedBuild {
    /// Absent if the build is unknown.
    pub(super) fn read(conn: &Connection, build: BuildId) -> rusqlite::Result<Option<Self>> {
        conn.prepare_cached(BUILD)?
            .query_row([int(build.0)], |row| {
                Ok(Self {
                    builder: row.get::<_, Col<_>>(0)?.0,
                    number: row.get::<_, Col<_>>(1)?.0,
                    newest: row.get::<_, Option<Col<_>>>(2)?.map(|n| n.0),
                    requests: row.get::<_, Json<_>>(3)?.0,
                    slave: row.get::<_, Col<_>>(4)?.0,
                    has_reports: row.get(5)?,
                    is_of_search: row.get(6)?,
                    is_infrastructure_uneasy: row.get(7)?,
                })
            })
            .optional()
    }
}

const BUILD: &str = "SELECT builder, number, changes ->> '$[#-1]', requests, slave,
        EXISTS (SELECT 1 FROM test_report WHERE build = ?1),
        EXISTS (SELECT 1 FROM search_ask WHERE request = build.requests ->> '$[0]'),
        EXISTS (SELECT 1 FROM problem INDEXED BY problem_of_infrastructure
            WHERE kind > 0 AND state = 0)
        OR EXISTS (SELECT 1 FROM build INDEXED BY build_silent
            WHERE silent > 0 AND id > ?1 - 20 AND id < ?1)
    FROM build WHERE id = ?1";
