//! Where lines stand, and builds in a line each.

use rusqlite::{Row, params};

use super::builds::news_of;
use crate::model::{
    BuildError, BuildNumber, BuilderName, ChangeNumber, Judgement, Results, SetId, SlaveName,
    Timestamp,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// Where a builder stands on the tree that it has built last, tries aside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LineRow {
    /// The builder.
    pub builder: BuilderName,
    /// The last build that says something.
    pub last: BuildNumber,
    /// Its result.
    pub result: Results,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The first build with this result in a row; of a line that fails, the first one with its
    /// oldest problem.
    pub since: BuildNumber,
    /// When that ended.
    pub since_at: Timestamp,
    /// The last build before that one that was otherwise; absent if there was none.
    pub before: Option<BuildNumber>,
    /// The changes of the build `since`; empty if it was pruned.
    pub began: Vec<ChangeNumber>,
    /// The branch; absent for the default one.
    pub branch: Option<String>,
}

/// A build without its steps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BriefRow {
    /// The builder.
    pub builder: BuilderName,
    /// Its number.
    pub number: BuildNumber,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// How that compares with the one before it on its line.
    pub news: Option<Judgement>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its slave.
    pub slave: SlaveName,
    /// Its changes.
    pub changes: Vec<ChangeNumber>,
    /// Short text about its result.
    pub text: Vec<String>,
    /// What says first why it failed.
    pub first_error: Option<BuildError>,
}

/// Which builds of a builder are wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wanted<'a> {
    /// Only those below this number.
    pub before: Option<BuildNumber>,
    /// Only those with this result.
    pub result: Option<Results>,
    /// Only those of this branch.
    pub branch: Option<&'a str>,
    /// Tries too.
    pub tries: bool,
}

impl State {
    /// Where the configured builders stand, in the order of the configuration, those left out that
    /// have no build that says something.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn lines(&self) -> Result<Vec<LineRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(LINES)?
                .query_map([], line_of)?
                .collect()
        })
    }

    /// The lines of configured builders whose last result is failure, at most 500, those that were
    /// built last at the front.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn broken_lines(&self) -> Result<Vec<LineRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(BROKEN_LINES)?
                .query_map([], line_of)?
                .collect()
        })
    }

    /// The newest `limit` builds of a builder, newest first. For those that are wanted, at most the
    /// newest 5000 are looked through.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn brief_builds(
        &self,
        builder: &BuilderName,
        wanted: Wanted<'_>,
        limit: u32,
    ) -> Result<Vec<BriefRow>, StoreError> {
        let of = params![
            builder.as_str(),
            wanted.before.map_or(i64::MAX, |number| int(number.0)),
            wanted.result.map(Results::number),
            wanted.tries,
            wanted.branch,
            limit
        ];
        self.read(|conn| {
            conn.prepare_cached(BRIEF)?
                .query_map(of, brief_of)?
                .collect()
        })
    }

    /// The `limit` builds that ended last, of all builders, the latest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn finished_lately(&self, limit: u32) -> Result<Vec<BriefRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(LATELY)?
                .query_map([limit], brief_of)?
                .collect()
        })
    }

    /// The builds that are made of a change, in the order in which they started.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builds_of_change(&self, change: ChangeNumber) -> Result<Vec<BriefRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(OF_CHANGE)?
                .query_map([int(change.0)], brief_of)?
                .collect()
        })
    }

    /// The builds of a set, each the last of a request, in the order in which they started.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builds_of_set(&self, set: SetId) -> Result<Vec<BriefRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(OF_SET)?
                .query_map([int(set.0)], brief_of)?
                .collect()
        })
    }

    /// The newest `limit` builds on a slave, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builds_on(&self, slave: &SlaveName, limit: u32) -> Result<Vec<BriefRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(ON_SLAVE)?
                .query_map(params![slave.as_str(), limit], brief_of)?
                .collect()
        })
    }
}

fn line_of(row: &Row<'_>) -> rusqlite::Result<LineRow> {
    let began = row.get::<_, Option<Json<_>>>(7)?;
    Ok(LineRow {
        builder: row.get::<_, Col<_>>(0)?.0,
        last: row.get::<_, Col<_>>(1)?.0,
        result: row.get::<_, Col<_>>(2)?.0,
        finished_at: row.get::<_, Col<_>>(3)?.0,
        since: row.get::<_, Col<_>>(4)?.0,
        since_at: row.get::<_, Col<_>>(5)?.0,
        before: row.get::<_, Option<Col<_>>>(6)?.map(|n| n.0),
        began: began.map_or_else(Vec::new, |changes| changes.0),
        branch: row.get(8)?,
    })
}

pub(super) fn brief_of(row: &Row<'_>) -> rusqlite::Result<BriefRow> {
    Ok(BriefRow {
        builder: row.get::<_, Col<_>>(0)?.0,
        number: row.get::<_, Col<_>>(1)?.0,
        result: row.get::<_, Option<Col<_>>>(2)?.map(|r| r.0),
        news: news_of(row, 3)?,
        started_at: row.get::<_, Col<_>>(4)?.0,
        finished_at: row.get::<_, Option<Col<_>>>(5)?.map(|t| t.0),
        slave: row.get::<_, Col<_>>(6)?.0,
        changes: row.get::<_, Json<_>>(7)?.0,
        text: row.get::<_, Json<_>>(8)?.0,
        first_error: row.get::<_, Option<Json<_>>>(9)?.map(|error| error.0),
    })
}

/// What [`brief_of`] reads.
macro_rules! brief_columns {
    () => {
        "SELECT b.builder, b.number, b.result, b.news, b.started_at, b.finished_at, b.slave,
        b.changes, b.text, b.first_error"
    };
}
pub(super) use brief_columns;
/// What [`line_of`] reads. A line that fails does so since its oldest problem that is there began
/// (PRB-23); without one, since the first of its failing builds.
macro_rules! line_columns {
    () => {
        "SELECT builder.name, l.last, l.result, l.finished_at, coalesce(p.first_build, l.since),
        coalesce((SELECT b.finished_at FROM build b
            WHERE b.builder = l.builder AND b.number = p.first_build), p.opened_at, l.since_at),
        iif(p.number IS NULL, l.before, p.good_build),
        (SELECT b.changes FROM build b
            WHERE b.builder = l.builder AND b.number = coalesce(p.first_build, l.since)),
        l.tree ->> 0"
    };
}
/// The oldest problem that is there on the line `l`, if that fails.
macro_rules! oldest_problem {
    () => {
        "(SELECT o.number FROM problem o
            WHERE l.result = 2 AND o.builder = l.builder AND o.tree = l.tree
                AND o.kind = 0 AND o.state = 0
                AND o.first = (SELECT min(x.first) FROM problem x
                    WHERE x.builder = l.builder AND x.tree = l.tree
                        AND x.kind = 0 AND x.state = 0)
            LIMIT 1)"
    };
}
pub(super) use oldest_problem;
pub(super) const LINES: &str = concat!(
    line_columns!(),
    "
    FROM builder CROSS JOIN line l ON l.builder = builder.name
        AND l.last = (SELECT max(last) FROM line y WHERE y.builder = builder.name)
    ",
    "LEFT JOIN problem p ON p.number = ",
    oldest_problem!(),
    " WHERE builder.position IS NOT NULL ORDER BY builder.position"
);
pub(super) const BROKEN_LINES: &str = concat!(
    line_columns!(),
    "
    FROM line l CROSS JOIN builder ON builder.name = l.builder
    ",
    "LEFT JOIN problem p ON p.number = ",
    oldest_problem!(),
    " WHERE l.result = 2 AND builder.position IS NOT NULL ORDER BY l.finished_at DESC LIMIT 500"
);
pub(super) const BRIEF: &str = concat!(
    brief_columns!(),
    " FROM build b WHERE b.builder = ?1 AND b.number < ?2
        AND b.number > min(?2, (SELECT max(number) + 1 FROM build WHERE builder = ?1)) - 5000
        AND (?3 IS NULL OR b.result = ?3)
        AND (?4 OR NOT EXISTS (SELECT 1 FROM request r JOIN patch p ON p.build_set = r.build_set
            WHERE r.id = b.requests ->> 0))
        AND (?5 IS NULL OR EXISTS (SELECT 1 FROM request r JOIN build_set s ON s.id = r.build_set
            WHERE r.id = b.requests ->> 0 AND (s.stamp ->> 'branch' = ?5 OR EXISTS (
                SELECT 1 FROM json_each(s.stamp, '$.more') m WHERE m.value ->> 'branch' = ?5))))
    ORDER BY b.number DESC LIMIT ?6"
);
pub(super) const LATELY: &str = concat!(
    brief_columns!(),
    " FROM build b WHERE b.finished_at IS NOT NULL ORDER BY b.finished_at DESC LIMIT ?1"
);
pub(super) const OF_CHANGE: &str = concat!(
    brief_columns!(),
    " FROM build b WHERE b.id IN (SELECT r.build FROM change_in_set c JOIN request r ON r.build_set = c.build_set
        WHERE c.change = ?1 AND r.build IS NOT NULL) ORDER BY b.id"
);
pub(super) const OF_SET: &str = concat!(
    brief_columns!(),
    " FROM build b WHERE b.id IN (SELECT r.build FROM request r
        WHERE r.build_set = ?1 AND r.build IS NOT NULL) ORDER BY b.id"
);
pub(super) const ON_SLAVE: &str = concat!(
    brief_columns!(),
    " FROM build b WHERE b.slave = ?1 ORDER BY b.id DESC LIMIT ?2"
);
