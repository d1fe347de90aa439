//! What builds were made of, and which build came before another on the same line.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};

use super::builds::BuildRow;
use crate::model::{
    BuildNumber, BuilderName, ChangeNumber, Earlier, Line, Origin, RequestId, Results, SetId,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::stamp::StoredStamp;
use crate::store::state::State;

impl State {
    /// What a build was made of; absent if its build sets were removed.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn origin(&self, build: &BuildRow) -> Result<Option<Origin>, StoreError> {
        let origin = self.read(|conn| origin_of_requests(conn, &build.requests))?;
        Ok(origin.map(|origin| Origin {
            newest: build.changes.last().copied(),
            ..origin
        }))
    }
}

/// What a build with these requests was made of, without its changes; absent if its build sets were
/// removed.
pub(in crate::store) fn origin_of_requests(
    conn: &Connection,
    requests: &[RequestId],
) -> rusqlite::Result<Option<Origin>> {
    // The requests of one build are of one tree, and a try has a build of its own.
    for &request in requests {
        let found = conn
            .prepare_cached(ORIGIN)?
            .query_row([int(request.0)], |row| origin_of(row, 0))
            .optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The last build before `number` on `line` that says something and whose sources are not newer
/// than `newest`, and its result. Looks at the history of the builder until it is found.
pub(in crate::store) fn result_before(
    conn: &Connection,
    builder: &BuilderName,
    number: BuildNumber,
    (line, newest): (&Line, Option<ChangeNumber>),
) -> rusqlite::Result<Option<(BuildNumber, Results)>> {
    let mut select = conn.prepare_cached(EVIDENCE)?;
    let mut rows = select.query(params![builder.as_str(), int(number.0)])?;
    while let Some(row) = rows.next()? {
        let its_newest = row.get::<_, Option<Col<ChangeNumber>>>(1)?.map(|n| n.0);
        let is_newer = newest.is_some() && its_newest > newest;
        if !is_newer && origin_of(row, 2)?.line == *line {
            return Ok(Some((
                row.get::<_, Col<_>>(4)?.0,
                row.get::<_, Col<_>>(0)?.0,
            )));
        }
    }
    Ok(None)
}

/// Builds that are looked at for the previous one of a build.
const LOOKED_BACK: u32 = 100;

/// The builds before `number` on `line` that have ended and were not tries, the latest first; of
/// the last [`LOOKED_BACK`] builds of the builder (MAL-03).
pub(in crate::store) fn results_before(
    conn: &Connection,
    builder: &BuilderName,
    number: BuildNumber,
    line: &Line,
) -> rusqlite::Result<Vec<Earlier>> {
    let mut earlier = Vec::new();
    let mut select = conn.prepare_cached(EARLIER)?;
    let mut rows = select.query(params![builder.as_str(), int(number.0), LOOKED_BACK])?;
    while let Some(row) = rows.next()? {
        let origin = origin_of(row, 2)?;
        if origin.line == *line && !origin.is_try {
            earlier.push(Earlier {
                result: row.get::<_, Col<_>>(0)?.0,
                newest: row.get::<_, Option<Col<_>>>(1)?.map(|newest| newest.0),
            });
        }
    }
    Ok(earlier)
}

/// The sets of requests, each once, in the order of the requests.
pub(in crate::store) fn sets_of_requests(
    conn: &Connection,
    requests: &[RequestId],
) -> rusqlite::Result<Vec<SetId>> {
    let mut select = conn.prepare_cached("SELECT build_set FROM request WHERE id = ?1")?;
    let mut sets = Vec::new();
    for request in requests {
        let set = select.query_row([int(request.0)], |row| Ok(row.get::<_, Col<SetId>>(0)?.0));
        if let Some(set) = set.optional()?.filter(|set| !sets.contains(set)) {
            sets.push(set);
        }
    }
    Ok(sets)
}

/// A tree as it is stored: its parts, and the trees of further codebases.
pub(in crate::store) fn tree(line: &Line) -> Value {
    let mut parts = vec![
        json!(line.branch),
        json!(line.repository),
        json!(line.project),
        json!(line.codebase),
    ];
    parts.extend(line.more.iter().map(tree));
    Value::Array(parts)
}

/// A line of which this is the stored tree.
pub(super) fn line_of(tree: &Value) -> Option<Line> {
    let text = |at: usize| tree.get(at).and_then(Value::as_str).map(str::to_owned);
    let more = tree.as_array()?.iter().skip(4);
    Some(Line {
        branch: text(0),
        repository: text(1)?,
        project: text(2)?,
        codebase: text(3)?,
        more: more.map(line_of).collect::<Option<_>>()?,
    })
}

/// Reads a stamp and whether it has a patch, from the column `at` on.
pub(super) fn origin_of(row: &Row<'_>, at: usize) -> rusqlite::Result<Origin> {
    let mut stamp: StoredStamp<'static> = row.get::<_, Json<_>>(at)?.0;
    Ok(Origin {
        revision: stamp.revision.take().map(Into::into),
        more_revisions: stamp.more_revisions(),
        newest: stamp.changes().max(),
        line: stamp.line(),
        is_try: row.get(at + 1)?,
    })
}

pub(super) const ORIGIN: &str = "SELECT s.stamp, p.build_set IS NOT NULL
    FROM request r JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE r.id = ?1";
/// Results other than success, warnings and failure say nothing; nor does a try, or a build of a
/// search.
pub(super) const EVIDENCE: &str =
    "SELECT b.result, b.changes ->> '$[#-1]', s.stamp, p.build_set IS NOT NULL, b.number
    FROM build b JOIN request r ON r.id = b.requests ->> 0 JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE b.builder = ?1 AND b.number < ?2 AND b.result IN (0, 1, 2) AND p.build_set IS NULL
        AND NOT EXISTS (SELECT 1 FROM search_ask a WHERE a.request = r.id)
    ORDER BY b.number DESC";
pub(super) const EARLIER: &str =
    "SELECT b.result, b.changes ->> '$[#-1]', s.stamp, p.build_set IS NOT NULL
    FROM build b JOIN request r ON r.id = b.requests ->> 0 JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE b.builder = ?1 AND b.number < ?2 AND b.result IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM search_ask a WHERE a.request = r.id)
    ORDER BY b.number DESC LIMIT ?3";
