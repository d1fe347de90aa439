//! What a build was made of, for one that is to be like it, and which builds it is made in place
//! of.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::changes::change;
use crate::model::{
    BuildNumber, BuilderName, Patch, PatchBody, RequestId, Results, SetId, SourceStamps,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::stamp::StoredStamp;
use crate::store::state::State;

impl State {
    /// What the requests of a build asked for: the stamps of each, those of the oldest request
    /// first, and the priority of the most urgent one. Changes that are no longer known are missing
    /// from the stamps.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn wishes(
        &self,
        requests: &[RequestId],
    ) -> Result<(Vec<Arc<SourceStamps>>, i32), StoreError> {
        self.read(|conn| {
            let mut wishes = Vec::with_capacity(requests.len());
            for &request in requests {
                wishes.extend(
                    wish(conn, request)?
                        .map(|(at, stamps, priority)| (at, request, stamps, priority)),
                );
            }
            wishes.sort_by_key(|&(at, request, ..)| (at, request));
            let priority = wishes.iter().map(|&(.., priority)| priority).max();
            let stamps = wishes.into_iter().map(|(_, _, one, _)| Arc::new(one));
            Ok((stamps.collect(), priority.unwrap_or_default()))
        })
    }

    /// The diff of the patch of a build set; nothing if the set has no patch, or is gone. Where
    /// that set was to have a copy of a diff that was gone by then, the diff is empty.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn diff(&self, set: SetId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached("SELECT body FROM patch WHERE build_set = ?1")?
                .query_row([int(set.0)], |row| row.get(0))
                .optional()
        })
    }

    /// The builds of `builder` before build `number` that ended as RETRY and were of one of these
    /// requests, in order of number, with what cut each of them short.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builds_before(
        &self,
        builder: &BuilderName,
        number: BuildNumber,
        requests: &[RequestId],
    ) -> Result<Vec<(BuildNumber, String)>, StoreError> {
        self.read(|conn| {
            let of = params![
                builder.as_str(),
                int(number.0),
                Results::Retry.number(),
                Json(requests),
            ];
            conn.prepare_cached(BUILDS_BEFORE)?
                .query_map(of, |row| {
                    let text: Vec<String> = row.get::<_, Json<_>>(1)?.0;
                    let stopped: Option<String> = row.get(2)?;
                    // The first word is that it is to be built again.
                    let why = || text.get(1..).unwrap_or_default().join(" ");
                    Ok((row.get::<_, Col<_>>(0)?.0, stopped.unwrap_or_else(why)))
                })?
                .collect()
        })
    }
}

/// When a request was made, what it asked for and how urgent it was.
fn wish(
    conn: &Connection,
    request: RequestId,
) -> rusqlite::Result<Option<(i64, SourceStamps, i32)>> {
    let found = conn
        .prepare_cached(WISH)?
        .query_row([int(request.0)], |row| {
            let stamp: StoredStamp<'static> = row.get::<_, Json<_>>(0)?.0;
            let patch = match row.get::<_, Option<u32>>(1)? {
                None => None,
                Some(level) => Some(Patch {
                    level,
                    subdir: row.get(2)?,
                    who: row.get(3)?,
                    comment: row.get(4)?,
                    body: PatchBody::Kept(row.get::<_, Col<_>>(5)?.0),
                }),
            };
            Ok((row.get(6)?, stamp, patch, row.get(7)?))
        })
        .optional()?;
    let Some((at, stamp, patch, priority)) = found else {
        return Ok(None);
    };
    let known = |number| Ok(change(conn, number)?.map(Arc::new));
    Ok(Some((at, stamp.read(patch, known)?, priority)))
}

/// Requests that were built once only have none; so that they are not looked for in vain, that is
/// looked at first.
pub(super) const BUILDS_BEFORE: &str = "SELECT b.number, b.text, b.stop_reason FROM build b
    WHERE EXISTS (SELECT 1 FROM json_each(?4) mine JOIN request r ON r.id = mine.value
            WHERE r.start_count > 1)
        AND b.builder = ?1 AND b.number < ?2 AND b.result = ?3
        AND EXISTS (SELECT 1 FROM json_each(b.requests) its JOIN json_each(?4) mine
            ON mine.value = its.value)
    ORDER BY b.number";

pub(super) const WISH: &str =
    "SELECT s.stamp, p.level, p.subdir, p.who, p.comment, s.id, r.submitted_at, s.priority
    FROM request r JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE r.id = ?1";
