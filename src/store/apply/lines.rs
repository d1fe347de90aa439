//! Where each line stands: the last result of a builder on a tree, and since when it is that.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::ended::EndedBuild;
use super::{infrastructure, problems};
use crate::model::journal::BuildFinish;
use crate::model::{BuildNumber, ChangeNumber, Judgement, Origin, Results, Timestamp};
use crate::store::column::{Col, Json, int};
use crate::store::read::{has_answered_failing, origin_of_requests, result_before, tree};

/// Judges the steps of a build that ends, compares it with the one before it on its line, and moves
/// the line. Where problems have the answer, they give it. Nothing is said of tries, of results
/// that say nothing, and of builds whose set was removed (PRB-23).
///
/// A build of older sources than the last one of its line, and one that started earlier, is
/// compared and does not move the line: it changes nothing about today.
pub(super) fn finished(
    conn: &Connection,
    end: &BuildFinish,
) -> rusqlite::Result<Option<Judgement>> {
    let Some(build) = EndedBuild::read(conn, end.build)? else {
        return Ok(None);
    };
    let origin = origin_of_requests(conn, &build.requests)?;
    let Some(origin) = origin.filter(|origin| !origin.is_try) else {
        return Ok(None);
    };
    infrastructure::finished(conn, end, &build, &origin.line)?;
    let said = problems::finished(conn, end, &build, &origin.line)?;
    if !Judgement::is_evidence(end.result) || build.is_of_search {
        return Ok(None);
    }
    let before = build_before(conn, end, &build, &origin)?;
    let by_line = Judgement::of(end.result, before.map(|(_, result)| result));
    Ok(match end.result {
        Results::Failure if said.fails => said.news,
        Results::Success | Results::Warnings if said.news == Some(Judgement::Fixed) => said.news,
        Results::Success | Results::Warnings if by_line == Some(Judgement::Fixed) => {
            // What had failed there may fail still: then its problems know when it is fixed.
            let number = before.map_or(build.number, |(number, _)| number);
            let is_known = has_answered_failing(conn, (&build.builder, number), &origin.line)?;
            by_line.filter(|_| !is_known)
        }
        Results::Success
        | Results::Warnings
        | Results::Failure
        | Results::Skipped
        | Results::Exception
        | Results::Retry => by_line,
    })
}

/// The build before one on its line, and its result. Moves the line.
fn build_before(
    conn: &Connection,
    end: &BuildFinish,
    build: &EndedBuild,
    origin: &Origin,
) -> rusqlite::Result<Option<(BuildNumber, Results)>> {
    let tree = tree(&origin.line);
    let before = conn
        .prepare_cached(LINE)?
        .query_row(params![build.builder.as_str(), Json(&tree)], |row| {
            Ok(Stand {
                last: row.get::<_, Col<_>>(0)?.0,
                result: row.get::<_, Col<_>>(1)?.0,
                newest: row.get::<_, Option<Col<_>>>(2)?.map(|n| n.0),
                since: row.get::<_, Col<_>>(3)?.0,
                since_at: row.get::<_, Col<_>>(4)?.0,
                before: row.get::<_, Option<Col<_>>>(5)?.map(|n| n.0),
            })
        })
        .optional()?;
    let is_older = |stand: &Stand| {
        (build.newest.is_some() && stand.newest > build.newest) || stand.last >= build.number
    };
    if before.as_ref().is_some_and(is_older) {
        let of = (&origin.line, build.newest);
        return result_before(conn, &build.builder, build.number, of);
    }
    move_line(conn, build, &tree, end, before.as_ref())?;
    Ok(before.map(|stand| (stand.last, stand.result)))
}

/// Where a line stood.
struct Stand {
    last: BuildNumber,
    result: Results,
    newest: Option<ChangeNumber>,
    since: BuildNumber,
    since_at: Timestamp,
    before: Option<BuildNumber>,
}

fn move_line(
    conn: &Connection,
    build: &EndedBuild,
    tree: &Value,
    end: &BuildFinish,
    before: Option<&Stand>,
) -> rusqlite::Result<()> {
    let (since, since_at, last_other) = match before {
        Some(stand) if stand.result == end.result => (stand.since, stand.since_at, stand.before),
        Some(stand) => (build.number, end.at, Some(stand.last)),
        None => (build.number, end.at, None),
    };
    let newest = build.newest.or(before.and_then(|stand| stand.newest));
    conn.prepare_cached(MOVE)?.execute(params![
        build.builder.as_str(),
        Json(tree),
        int(build.number.0),
        end.result.number(),
        end.at.0,
        newest.map(|number| int(number.0)),
        int(since.0),
        since_at.0,
        last_other.map(|number| int(number.0)),
    ])?;
    Ok(())
}

const LINE: &str = "SELECT last, result, newest, since, since_at, before FROM line
    WHERE builder = ?1 AND tree = ?2";
const MOVE: &str = "INSERT INTO line (builder, tree, last, result, finished_at, newest, since,
        since_at, before) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (builder, tree) DO UPDATE SET last = excluded.last, result = excluded.result,
        finished_at = excluded.finished_at, newest = excluded.newest, since = excluded.since,
        since_at = excluded.since_at, before = excluded.before";
