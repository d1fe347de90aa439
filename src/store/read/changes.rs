//! Changes, what the schedulers made of them, and what they are built in.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::requests::{RequestRow, request_columns, request_of};
use super::sets::{SetRow, sets};
use crate::model::{Change, ChangeNumber, Decision, NewChange, SchedulerName, SetId};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

impl State {
    /// The newest `limit` changes, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn changes(&self, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(CHANGES)?
                .query_map([limit], change_of)?
                .collect()
        })
    }

    /// The newest `limit` changes below `before`, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn changes_before(
        &self,
        before: ChangeNumber,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(CHANGES_BEFORE)?
                .query_map(params![int(before.0), limit], change_of)?
                .collect()
        })
    }

    /// The first `limit` changes, in order of revision, whose revision begins with `beginning`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn changes_of_revision(
        &self,
        beginning: &str,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError> {
        self.read(|conn| {
            let end = format!("{beginning}{}", char::MAX);
            conn.prepare_cached(CHANGES_OF_REVISION)?
                .query_map(params![beginning, end, limit], change_of)?
                .collect()
        })
    }

    /// The newest `limit` of the newest 5000 changes that have `text` in their comments, their
    /// author or their files.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn search_changes(&self, text: &str, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.read(|conn| {
            let mut pattern = String::from("%");
            for c in text.chars() {
                if matches!(c, '%' | '_' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
            pattern.push('%');
            conn.prepare_cached(SEARCH_CHANGES)?
                .query_map(params![pattern, limit], change_of)?
                .collect()
        })
    }

    /// The change with this number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn change(&self, number: ChangeNumber) -> Result<Option<Change>, StoreError> {
        self.read(|conn| change(conn, number))
    }

    /// What each scheduler made of a change, in the order of the configuration of then; absent if
    /// that was not written down.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn decisions(
        &self,
        change: ChangeNumber,
    ) -> Result<Option<Vec<(SchedulerName, Decision)>>, StoreError> {
        self.read(|conn| {
            let runs: Option<Vec<(Decision, Vec<SchedulerName>)>> = conn
                .prepare_cached(DECISIONS)?
                .query_row([int(change.0)], |row| Ok(row.get::<_, Json<_>>(0)?.0))
                .optional()?;
            let one_by_one = |(decision, names): (Decision, Vec<SchedulerName>)| {
                names.into_iter().map(move |name| (name, decision.clone()))
            };
            Ok(runs.map(|runs| runs.into_iter().flat_map(one_by_one).collect()))
        })
    }

    /// The requests of all sets that a change is in, in the order of sets and requests.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn requests_of_change(&self, change: ChangeNumber) -> Result<Vec<RequestRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(REQUESTS_OF_CHANGE)?
                .query_map([int(change.0)], request_of)?
                .collect()
        })
    }

    /// The sets that a change is in, in order of number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sets_of_change(&self, change: ChangeNumber) -> Result<Vec<SetRow>, StoreError> {
        self.read(|conn| {
            let ids: Vec<SetId> = conn
                .prepare_cached(SETS_OF_CHANGE)?
                .query_map([int(change.0)], |row| Ok(row.get::<_, Col<_>>(0)?.0))?
                .collect::<rusqlite::Result<_>>()?;
            sets(conn, ids)
        })
    }
}

/// The change with this number.
pub(in crate::store) fn change(
    conn: &Connection,
    number: ChangeNumber,
) -> rusqlite::Result<Option<Change>> {
    conn.prepare_cached(CHANGE)?
        .query_row([int(number.0)], change_of)
        .optional()
}

pub(super) fn change_of(row: &Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        number: row.get::<_, Col<_>>(0)?.0,
        arrived_at: row.get::<_, Col<_>>(1)?.0,
        when: row.get::<_, Col<_>>(2)?.0,
        content: NewChange {
            when: row.get::<_, Option<Col<_>>>(3)?.map(|t| t.0),
            who: row.get(4)?,
            comments: row.get(5)?,
            revision: row.get(6)?,
            branch: row.get(7)?,
            project: row.get(8)?,
            repository: row.get(9)?,
            codebase: row.get(10)?,
            category: row.get(11)?,
            revlink: row.get(12)?,
            src: row.get(13)?,
            files: row.get::<_, Json<_>>(14)?.0,
            properties: row.get::<_, Json<_>>(15)?.0,
            files_left_out: row.get::<_, i64>(16)?.try_into().unwrap_or_default(),
            made_at: row.get::<_, Option<Col<_>>>(17)?.map(|t| t.0),
            notes: row.get::<_, Json<_>>(18)?.0,
            is_skipped: row.get(19)?,
        },
    })
}

/// What [`change_of`] reads.
macro_rules! change_columns {
    () => {
        "SELECT number, arrived_at, made_at, said_when, who, comments, revision,
        branch, project, repository, codebase, category, revlink, src, files, properties,
        files_left_out, committed_at, notes, skipped
    FROM change"
    };
}
pub(super) const CHANGES: &str = concat!(change_columns!(), " ORDER BY number DESC LIMIT ?1");
pub(super) const CHANGES_BEFORE: &str = concat!(
    change_columns!(),
    " WHERE number < ?1 ORDER BY number DESC LIMIT ?2"
);
pub(super) const CHANGES_OF_REVISION: &str = concat!(
    change_columns!(),
    " WHERE revision >= ?1 AND revision < ?2 ORDER BY revision, number LIMIT ?3"
);
pub(super) const SEARCH_CHANGES: &str = concat!(
    change_columns!(),
    " WHERE number > (SELECT coalesce(max(number), 0) FROM change) - 5000
        AND (comments LIKE ?1 ESCAPE '\\' OR who LIKE ?1 ESCAPE '\\' OR files LIKE ?1 ESCAPE '\\')
    ORDER BY number DESC LIMIT ?2"
);
pub(super) const CHANGE: &str = concat!(change_columns!(), " WHERE number = ?1");
pub(super) const DECISIONS: &str = "SELECT schedulers FROM decision WHERE change = ?1";
pub(super) const REQUESTS_OF_CHANGE: &str = concat!(
    request_columns!(),
    "
    FROM change_in_set c JOIN build_set s ON s.id = c.build_set
        JOIN request r ON r.build_set = s.id
    WHERE c.change = ?1 ORDER BY c.build_set, r.id"
);
pub(super) const SETS_OF_CHANGE: &str =
    "SELECT build_set FROM change_in_set WHERE change = ?1 ORDER BY build_set";
