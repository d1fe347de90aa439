//! What a build was made of, for one that is to be like it.

use rusqlite::{Connection, OptionalExtension};

use super::super::apply::StoredStamp;
use super::super::column::{Json, int};
use crate::model::{Patch, RequestId, SourceStamp};

/// The stamp that a request asked for, with its patch and without its changes.
///
/// # Errors
/// The state cannot be read.
pub fn stamp_of_request(
    conn: &Connection,
    request: RequestId,
) -> rusqlite::Result<Option<SourceStamp>> {
    conn.prepare_cached(STAMP_OF_REQUEST)?
        .query_row([int(request.0)], |row| {
            let stamp: StoredStamp<'static> = row.get::<_, Json<_>>(0)?.0;
            let patch = match row.get::<_, Option<u32>>(1)? {
                None => None,
                Some(level) => Some(Patch {
                    level,
                    subdir: row.get(2)?,
                    who: row.get(3)?,
                    comment: row.get(4)?,
                    body: row.get(5)?,
                }),
            };
            Ok(SourceStamp {
                branch: stamp.branch.map(Into::into),
                revision: stamp.revision.map(Into::into),
                patch,
                changes: Vec::new(),
                project: stamp.project.into(),
                repository: stamp.repository.into(),
                codebase: stamp.codebase.into(),
            })
        })
        .optional()
}

pub(super) const STAMP_OF_REQUEST: &str =
    "SELECT s.stamp, p.level, p.subdir, p.who, p.comment, p.body
    FROM request r JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE r.id = ?1";
