//! What people were told of problems, and what there is to tell (ESC-01).

use std::collections::BTreeMap;

use rusqlite::params;

use super::problems::{ProblemRow, problem_columns, row_of};
use crate::model::{BuilderName, ChangeNumber, ProblemNumber, Say, Timestamp};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// What people were told.
#[derive(Clone, Debug, Default)]
pub struct SaidRows {
    /// Of each problem that there is something to tell of, by its number and the person.
    pub said: BTreeMap<(ProblemNumber, String), Vec<Say>>,
    /// When there were letters to each person lately.
    pub written: BTreeMap<String, Vec<Timestamp>>,
}

/// Problems that are looked at in one go.
const MOST: u32 = 2000;

impl State {
    /// The problems of which there may be something to tell: those that are open, and those that
    /// ended after `since` of which somebody was told.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn problems_to_tell(&self, since: Timestamp) -> Result<Vec<ProblemRow>, StoreError> {
        self.read(|conn| {
            let mut rows = Vec::new();
            for (sql, of) in [(STILL_OPEN, MOST.into()), (ENDED, since.0)] {
                let mut select = conn.prepare_cached(sql)?;
                for row in select.query_map([of], row_of)? {
                    rows.push(row?);
                }
            }
            Ok(rows)
        })
    }

    /// What people were told of these problems, and when they got letters after `since`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn said_of(
        &self,
        problems: &[ProblemNumber],
        since: Timestamp,
    ) -> Result<SaidRows, StoreError> {
        self.read(|conn| {
            let mut rows = SaidRows::default();
            let mut select = conn.prepare_cached(SAID)?;
            for problem in problems {
                let mut said = select.query([int(problem.0)])?;
                while let Some(row) = said.next()? {
                    let key = (*problem, row.get(0)?);
                    let say = row.get::<_, Json<_>>(1)?.0;
                    rows.said.entry(key).or_default().push(say);
                }
            }
            let mut select = conn.prepare_cached(WRITTEN)?;
            let mut written = select.query([since.0])?;
            while let Some(row) = written.next()? {
                // One letter says something of several problems.
                let times = rows.written.entry(row.get(0)?).or_default();
                let at = row.get::<_, Col<_>>(1)?.0;
                if !times.contains(&at) {
                    times.push(at);
                }
            }
            Ok(rows)
        })
    }

    /// Whether a newer change of this person waits for a builder, or is being built there (ESC-05).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_newer_change(
        &self,
        who: &str,
        after: ChangeNumber,
        builder: &BuilderName,
    ) -> Result<bool, StoreError> {
        self.read(|conn| {
            let of = params![builder.as_str(), int(after.0), who];
            conn.prepare_cached(ON_ITS_WAY)?.exists(of)
        })
    }
}

pub(super) const STILL_OPEN: &str = concat!(
    problem_columns!(),
    "WHERE state = 0 ORDER BY number DESC LIMIT ?1"
);
pub(super) const ENDED: &str = concat!(
    problem_columns!(),
    "WHERE ended_at > ?1 AND state <> 0 AND EXISTS
        (SELECT 1 FROM problem_said s WHERE s.problem = problem.number)
    ORDER BY ended_at DESC LIMIT 2000"
);
pub(super) const SAID: &str = "SELECT person, said FROM problem_said WHERE problem = ?1";
pub(super) const WRITTEN: &str = "SELECT person, at FROM problem_said WHERE at > ?1";
pub(super) const ON_ITS_WAY: &str = "SELECT 1 FROM request r
        JOIN change_in_set s ON s.build_set = r.build_set JOIN change c ON c.number = s.change
    WHERE r.builder = ?1 AND r.finished_at IS NULL AND c.number > ?2 AND c.who = ?3";
