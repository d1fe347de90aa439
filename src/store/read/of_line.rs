//! What builds were made of, and which build came before which on the same line.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::builds::BuildRow;
use crate::model::{BuildNumber, BuilderName, ChangeNumber, Judgement, Line, Origin, Results};
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
        self.read(|conn| {
            // The requests of one build are of one tree, and a try has a build of its own.
            for &request in &build.requests {
                let found = conn
                    .prepare_cached(ORIGIN)?
                    .query_row([int(request.0)], |row| origin_of(row, 0))
                    .optional()?;
                if let Some(origin) = found {
                    return Ok(Some(Origin {
                        newest: build.changes.last().copied(),
                        ..origin
                    }));
                }
            }
            Ok(None)
        })
    }

    /// How each of `builds`, which have these origins, compares with the last one before it that
    /// finished on its line (PRB-23); nothing of those that run, of tries, and of results that say
    /// nothing.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn judgements(
        &self,
        builds: &[(BuildRow, Option<Origin>)],
    ) -> Result<Vec<Option<Judgement>>, StoreError> {
        self.read(|conn| {
            let mut judged = vec![None; builds.len()];
            let mut by_builder: BTreeMap<&BuilderName, Vec<Open<'_>>> = BTreeMap::new();
            for (place, (build, origin)) in builds.iter().enumerate() {
                let Some(origin) = origin.as_ref().filter(|origin| !origin.is_try) else {
                    continue;
                };
                if let Some(result) = build
                    .result
                    .filter(|&result| Judgement::is_evidence(result))
                {
                    judged[place] = Judgement::of(result, None);
                    by_builder.entry(&build.builder).or_default().push(Open {
                        place,
                        number: build.number,
                        newest: origin.newest,
                        line: &origin.line,
                        result,
                    });
                }
            }
            for (builder, open) in by_builder {
                judge(conn, builder, open, &mut judged)?;
            }
            Ok(judged)
        })
    }
}

/// A build of which the one before it is looked for.
struct Open<'a> {
    place: usize,
    number: BuildNumber,
    newest: Option<ChangeNumber>,
    line: &'a Line,
    result: Results,
}

/// Walks the builds of one builder once, from the newest to the oldest, until each of `open` has
/// been compared.
fn judge(
    conn: &Connection,
    builder: &BuilderName,
    mut open: Vec<Open<'_>>,
    judged: &mut [Option<Judgement>],
) -> rusqlite::Result<()> {
    open.sort_by_key(|build| build.number);
    let Some(newest) = open.last().map(|build| build.number) else {
        return Ok(());
    };
    let mut lines: BTreeMap<&Line, Vec<Open<'_>>> = BTreeMap::new();
    let mut select = conn.prepare_cached(EVIDENCE)?;
    let mut rows = select.query(params![builder.as_str(), int(newest.0)])?;
    while let Some(row) = rows.next()? {
        let number: BuildNumber = row.get::<_, Col<_>>(0)?.0;
        while let Some(build) = open.pop_if(|build| build.number > number) {
            lines.entry(build.line).or_default().push(build);
        }
        if lines.is_empty() && open.is_empty() {
            break;
        }
        let before: Results = row.get::<_, Col<_>>(1)?.0;
        let its_newest = row.get::<_, Option<Col<ChangeNumber>>>(2)?.map(|n| n.0);
        let line = origin_of(row, 3)?.line;
        let Some(waiting) = lines.get_mut(&line) else {
            continue;
        };
        waiting.retain(|build| {
            // A build of what came later does not come before it.
            if its_newest > build.newest && build.newest.is_some() {
                return true;
            }
            judged[build.place] = Judgement::of(build.result, Some(before));
            false
        });
        if waiting.is_empty() {
            lines.remove(&line);
        }
    }
    Ok(())
}

/// Reads a stamp and whether it has a patch, from the column `at` on.
fn origin_of(row: &Row<'_>, at: usize) -> rusqlite::Result<Origin> {
    let stamp: StoredStamp<'static> = row.get::<_, Json<_>>(at)?.0;
    Ok(Origin {
        line: Line {
            branch: stamp.branch.map(Into::into),
            repository: stamp.repository.into(),
            project: stamp.project.into(),
            codebase: stamp.codebase.into(),
        },
        revision: stamp.revision.map(Into::into),
        newest: stamp.changes.last().copied(),
        is_try: row.get(at + 1)?,
    })
}

pub(super) const ORIGIN: &str = "SELECT s.stamp, p.build_set IS NOT NULL
    FROM request r JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE r.id = ?1";
/// Results other than success, warnings and failure say nothing; nor does a try.
pub(super) const EVIDENCE: &str =
    "SELECT b.number, b.result, b.changes ->> '$[#-1]', s.stamp, p.build_set IS NOT NULL
    FROM build b JOIN request r ON r.id = b.requests ->> 0 JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE b.builder = ?1 AND b.number < ?2 AND b.result IN (0, 1, 2) AND p.build_set IS NULL
    ORDER BY b.number DESC";
