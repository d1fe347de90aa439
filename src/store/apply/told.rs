//! Letters about builds and sets: written in the transaction of the end, which is on record by then
//! (OUT-02, MAL-03, MAL-13).

use rusqlite::{Connection, OptionalExtension, params};

use super::writing::written;
use crate::model::{
    BuildFacts, BuildNumber, BuildTold, Ending, Letter, LetterFacts, PreviousBuild, Results, SetId,
    Timestamp,
};
use crate::store::column::{Col, Json, int};
use crate::store::read::{EndedBuild, ended_build, previous_of, sets_of_requests};

/// Builds of which a letter about a set tells.
const MOST_OF_SET: usize = 100;

/// Writes the letters that the targets want of a build that has ended.
pub(super) fn build_ended(conn: &Connection, ended: &BuildTold) -> rusqlite::Result<usize> {
    let Some(build) = ended_build(conn, ended.build)? else {
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
        if !told.wants(&ending) {
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
            let letter = match told.events.is_empty() {
                true => Letter::of_build(&told.target, facts, ended.at),
                false => Letter::for_channels(&told.target, facts, ended.at),
            };
            written(conn, &letter)?;
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

/// The first build in a row with this result, if the line of the build stands at it.
fn since(conn: &Connection, build: &EndedBuild) -> rusqlite::Result<Option<BuildNumber>> {
    conn.prepare_cached(SINCE)?
        .query_row(
            params![build.builder.as_str(), int(build.number.0)],
            |row| Ok(row.get::<_, Col<_>>(0)?.0),
        )
        .optional()
}

const SINCE: &str = "SELECT since FROM line WHERE builder = ?1 AND last = ?2";
const ADD_PART: &str = "INSERT INTO letter_part (build_set, target, facts) VALUES (?1, ?2, ?3)";
const PARTS: &str =
    "SELECT facts FROM letter_part WHERE build_set = ?1 AND target = ?2 ORDER BY id";
