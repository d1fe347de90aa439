//! What a build came to, beside the build before it (MAL-03).

use rusqlite::{Connection, OptionalExtension, params};

use super::lines::oldest_problem;
use super::of_line::{origin_of_requests, results_before, sets_of_requests};
use crate::model::{
    BuildFacts, BuildId, BuildNumber, BuilderName, ChangeNumber, Earlier, Ending, Judgement,
    PreviousBuild, RequestId, Results, SetId, previous_result,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

impl State {
    /// What a build came to; absent unless it has ended.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn ending(
        &self,
        build: BuildId,
        rule: PreviousBuild,
    ) -> Result<Option<Ending>, StoreError> {
        self.read(|conn| {
            let Some(build) = ended_build(conn, build)? else {
                return Ok(None);
            };
            let previous = previous_of(conn, &build, rule)?;
            Ok(Some(build.ending(previous)))
        })
    }
}

impl State {
    /// What a letter keeps of a build; absent unless it has ended.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn told_of(
        &self,
        build: BuildId,
        rule: PreviousBuild,
    ) -> Result<Option<BuildFacts>, StoreError> {
        self.read(|conn| {
            let Some(ended) = ended_build(conn, build)? else {
                return Ok(None);
            };
            let previous = previous_of(conn, &ended, rule)?;
            let sets = sets_of_requests(conn, &ended.requests)?;
            facts_of(conn, build, (&ended, previous), sets.first().copied()).map(Some)
        })
    }
}

/// What a letter keeps of a build that has ended, whose first request is of `set`.
pub(in crate::store) fn facts_of(
    conn: &Connection,
    build: BuildId,
    (ended, previous): (&EndedBuild, Option<Results>),
    set: Option<SetId>,
) -> rusqlite::Result<BuildFacts> {
    // Since when the line stands where the build has brought it.
    let since = conn
        .prepare_cached(SINCE)?
        .query_row(
            params![ended.builder.as_str(), int(ended.number.0)],
            |row| Ok(row.get::<_, Col<_>>(0)?.0),
        )
        .optional()?;
    Ok(BuildFacts {
        build,
        builder: ended.builder.clone(),
        number: ended.number,
        set,
        since,
        ending: ended.ending(previous),
    })
}

/// A build that has ended.
pub(in crate::store) struct EndedBuild {
    pub(in crate::store) builder: BuilderName,
    pub(in crate::store) number: BuildNumber,
    pub(in crate::store) result: Results,
    pub(in crate::store) judgement: Option<Judgement>,
    pub(in crate::store) newest: Option<ChangeNumber>,
    pub(in crate::store) requests: Vec<RequestId>,
}

impl EndedBuild {
    /// What it came to after a build with the result `previous`.
    pub(in crate::store) const fn ending(&self, previous: Option<Results>) -> Ending {
        Ending {
            result: self.result,
            previous,
            judgement: self.judgement,
        }
    }
}

/// The build as it is on record; absent unless it has ended. Its judgement is the one that was
/// recorded with its end (GRD-02).
pub(in crate::store) fn ended_build(
    conn: &Connection,
    build: BuildId,
) -> rusqlite::Result<Option<EndedBuild>> {
    let found = conn
        .prepare_cached(BUILD)?
        .query_row([int(build.0)], |row| {
            let news: Option<String> = row.get(3)?;
            Ok(EndedBuild {
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
pub(in crate::store) fn previous_of(
    conn: &Connection,
    build: &EndedBuild,
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

const BUILD: &str = "SELECT builder, number, result, news, changes ->> '$[#-1]', requests
    FROM build WHERE id = ?1 AND result IS NOT NULL";
const SINCE: &str = concat!(
    "SELECT coalesce((SELECT p.first_build FROM problem p WHERE p.number = ",
    oldest_problem!(),
    "), l.since) FROM line l WHERE l.builder = ?1 AND l.last = ?2"
);
const NUMBER_BEFORE: &str = "SELECT result FROM build WHERE builder = ?1 AND result IS NOT NULL
    AND number = (SELECT max(number) FROM build WHERE builder = ?1 AND number < ?2)";
