//! Where each line stands: the last result of a builder on a tree, and since when it is that.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::ended::EndedBuild;
use super::{infrastructure, problems};
use crate::model::journal::BuildFinish;
use crate::model::{BuildNumber, ChangeNumber, Judgement, Line, Origin, Results, Timestamp};
use crate::store::column::{Col, Json, int};
use crate::store::read::{Place, failing, origin_of_requests, point_of, result_before, tree};

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
    problems::finished(conn, end, &build, &origin.line)?;
    if !Judgement::is_evidence(end.result) || build.is_of_search {
        return Ok(None);
    }
    let by_line = by_line(conn, end, &build, &origin)?;
    Ok(match by_problems(conn, end, &build, &origin.line)? {
        Some(judgement) => Some(judgement),
        None => by_line,
    })
}

/// What the problems say of a build that fails: new, if one of them is (PRB-23).
fn by_problems(
    conn: &Connection,
    end: &BuildFinish,
    build: &EndedBuild,
    line: &Line,
) -> rusqlite::Result<Option<Judgement>> {
    if end.result != Results::Failure {
        return Ok(None);
    }
    let point = point_of(conn, build.newest, line, &end.properties)?;
    let Some(point) = point else { return Ok(None) };
    let place = Place {
        build: end.build,
        builder: &build.builder,
        line,
        point,
    };
    let found = failing(conn, &place)?;
    let has = |news| found.iter().any(|(is, _)| *is == news);
    Ok([Judgement::New, Judgement::Still]
        .into_iter()
        .find(|news| has(*news)))
}

/// Compares a build with the one before it on its line, and moves the line.
fn by_line(
    conn: &Connection,
    end: &BuildFinish,
    build: &EndedBuild,
    origin: &Origin,
) -> rusqlite::Result<Option<Judgement>> {
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
    let Some(before) = before else {
        move_line(conn, build, &tree, end, None)?;
        return Ok(Judgement::of(end.result, None));
    };
    let is_older = build.newest.is_some() && before.newest > build.newest;
    if is_older || before.last >= build.number {
        let of = (&origin.line, build.newest);
        let result = result_before(conn, &build.builder, build.number, of)?;
        return Ok(Judgement::of(end.result, result));
    }
    move_line(conn, build, &tree, end, Some(&before))?;
    Ok(Judgement::of(end.result, Some(before.result)))
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
