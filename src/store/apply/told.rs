//! Letters about builds and sets: written in the transaction of the end, which is on record by then
//! (OUT-02, MAL-03, MAL-13).

use rusqlite::{Connection, OptionalExtension, params};

use super::writing::written;
use crate::model::{
    BuildFacts, BuildId, BuildNumber, BuildTold, BuilderName, ChangeNumber, Earlier, Ending,
    Judgement, Letter, LetterFacts, PreviousBuild, RequestId, Results, SetId, Timestamp,
    previous_result,
};
use crate::store::column::{Col, Json, int};
use crate::store::read::{origin_of_requests, results_before, sets_of_requests};

/// Builds of which a letter about a set tells.
const MOST_OF_SET: usize = 100;

/// Writes the letters that the targets want of a build that has ended.
pub(super) fn build_ended(conn: &Connection, ended: &BuildTold) -> rusqlite::Result<usize> {
    let Some(build) = build(conn, ended.build)? else {
        return Ok(1);
    };
    // Most targets have the same idea of the previous build.
    let mut previous: Option<(PreviousBuild, Option<Results>)> = None;
    for told in &ended.told {
        let before = match previous {
            Some((rule, result)) if rule == told.previous => result,
            Some(_) | None => previous_of(conn, &build, told.previous)?,
        };
        previous = Some((told.previous, before));
        let ending = Ending {
            result: build.result,
            previous: before,
            judgement: build.judgement,
        };
        if !ending.is_wanted(&told.modes) {
            continue;
        }
        let sets = sets_of_requests(conn, &build.requests)?;
        let facts = BuildFacts {
            build: ended.build,
            builder: build.builder.clone(),
            number: build.number,
            set: sets.first().copied(),
            since: since(conn, &build)?,
            ending,
        };
        if told.by_set {
            for set in sets {
                conn.prepare_cached(ADD_PART)?.execute(params![
                    int(set.0),
                    told.target,
                    Json(&facts)
                ])?;
            }
        } else {
            written(conn, &Letter::of_build(&told.target, facts, ended.at))?;
        }
    }
    Ok(1)
}

/// Writes the letters about a set that has ended.
pub(super) fn set_ended(
    conn: &Connection,
    set: SetId,
    targets: &[String],
    at: Timestamp,
) -> rusqlite::Result<usize> {
    for target in targets {
        let mut builds: Vec<BuildFacts> = conn
            .prepare_cached(PARTS)?
            .query_map(params![int(set.0), target], |row| {
                Ok(row.get::<_, Json<_>>(0)?.0)
            })?
            .collect::<rusqlite::Result<_>>()?;
        let more = builds.len().saturating_sub(MOST_OF_SET) as u64;
        builds.truncate(MOST_OF_SET);
        if !builds.is_empty() {
            let facts = LetterFacts::BuildSet { set, builds, more };
            written(conn, &Letter::of_set(target, set, facts, at))?;
        }
    }
    // Also those of a target that is gone.
    conn.prepare_cached("DELETE FROM letter_part WHERE build_set = ?1")?
        .execute([int(set.0)])?;
    Ok(1)
}

/// A build that has ended.
struct Build {
    builder: BuilderName,
    number: BuildNumber,
    result: Results,
    judgement: Option<Judgement>,
    newest: Option<ChangeNumber>,
    requests: Vec<RequestId>,
}

/// The build as it is on record; absent unless it has ended. Its judgement is the one that was
/// recorded with its end (GRD-02).
fn build(conn: &Connection, build: BuildId) -> rusqlite::Result<Option<Build>> {
    let found = conn
        .prepare_cached(BUILD)?
        .query_row([int(build.0)], |row| {
            let news: Option<String> = row.get(3)?;
            Ok(Build {
                builder: row.get::<_, Col<_>>(0)?.0,
                number: row.get::<_, Col<_>>(1)?.0,
                result: row.get::<_, Col<_>>(2)?.0,
                judgement: news.and_then(|name| Judgement::named(&name)),
                newest: row.get::<_, Option<Col<_>>>(4)?.map(|newest| newest.0),
                requests: row.get::<_, Json<_>>(5)?.0,
            })
        })
        .optional()?;
    Ok(found)
}

/// The result of the previous build (MAL-03).
fn previous_of(
    conn: &Connection,
    build: &Build,
    rule: PreviousBuild,
) -> rusqlite::Result<Option<Results>> {
    if rule == PreviousBuild::Number {
        return conn
            .prepare_cached(NUMBER_BEFORE)?
            .query_row(
                params![build.builder.as_str(), int(build.number.0)],
                |row| Ok(row.get::<_, Col<_>>(0)?.0),
            )
            .optional();
    }
    let Some(origin) = origin_of_requests(conn, &build.requests)? else {
        return Ok(None);
    };
    let earlier: Vec<Earlier> = results_before(conn, &build.builder, build.number, &origin.line)?;
    Ok(previous_result(&earlier, build.newest))
}

/// The first build in a row with this result, if the line of the build stands at it.
fn since(conn: &Connection, build: &Build) -> rusqlite::Result<Option<BuildNumber>> {
    conn.prepare_cached(SINCE)?
        .query_row(
            params![build.builder.as_str(), int(build.number.0)],
            |row| Ok(row.get::<_, Col<_>>(0)?.0),
        )
        .optional()
}

const SINCE: &str = "SELECT since FROM line WHERE builder = ?1 AND last = ?2";
const BUILD: &str = "SELECT builder, number, result, news, changes ->> '$[#-1]', requests
    FROM build WHERE id = ?1 AND result IS NOT NULL";
const NUMBER_BEFORE: &str = "SELECT result FROM build WHERE builder = ?1 AND result IS NOT NULL
    AND number = (SELECT max(number) FROM build WHERE builder = ?1 AND number < ?2)";
const ADD_PART: &str = "INSERT INTO letter_part (build_set, target, facts) VALUES (?1, ?2, ?3)";
const PARTS: &str =
    "SELECT facts FROM letter_part WHERE build_set = ?1 AND target = ?2 ORDER BY id";
