//! Letters about builds and sets: written in the transaction of the end, which is on record by then
//! (OUT-02, MAL-03, MAL-13).

use rusqlite::{Connection, params};

use super::writing::written;
use crate::model::{
    BuildFacts, BuildTold, Letter, LetterFacts, PreviousBuild, Results, SetId, Timestamp,
};
use crate::store::column::{Json, int};
use crate::store::read::{ended_build, facts_of, previous_of, sets_of_requests};

/// Builds of which a letter about a set tells.
const MOST_OF_SET: usize = 100;

/// Bytes of the facts about these builds (OUT-01).
const MOST_BYTES: usize = 15 * 1024;

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
        let ending = build.ending(before);
        if !told.wants(&ending) {
            continue;
        }
        let sets = sets_of_requests(conn, &build.requests)?;
        let first = sets.first().copied();
        let facts = facts_of(conn, ended.build, (&build, before), first)?;
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
        let (mut builds, mut bytes, mut more) = (Vec::<BuildFacts>::new(), 0, 0);
        let mut parts = conn.prepare_cached(PARTS)?;
        let mut rows = parts.query(params![int(set.0), target])?;
        while let Some(row) = rows.next()? {
            bytes += row.get_ref(0)?.as_str()?.len() + 1;
            if builds.len() < MOST_OF_SET && bytes <= MOST_BYTES {
                builds.push(row.get::<_, Json<_>>(0)?.0);
            } else {
                more += 1;
            }
        }
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

const ADD_PART: &str = "INSERT INTO letter_part (build_set, target, facts) VALUES (?1, ?2, ?3)";
const PARTS: &str =
    "SELECT facts FROM letter_part WHERE build_set = ?1 AND target = ?2 ORDER BY id";
