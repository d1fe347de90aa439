//! What people have said of problems (PRB-16, PRB-20 to PRB-22).

use rusqlite::{Connection, Row};

use crate::model::{ProblemNumber, Remark, RemarkKind};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

impl State {
    /// What people have said of a problem, in the order in which they did.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn remarks(&self, problem: ProblemNumber) -> Result<Vec<Remark>, StoreError> {
        self.read(|conn| remarks_of(conn, problem))
    }
}

/// What people have said of a problem, in the order in which they did.
pub(in crate::store) fn remarks_of(
    conn: &Connection,
    problem: ProblemNumber,
) -> rusqlite::Result<Vec<Remark>> {
    conn.prepare_cached(REMARKS)?
        .query_map([int(problem.0)], remark)?
        .collect()
}

fn remark(row: &Row<'_>) -> rusqlite::Result<Remark> {
    let kind = RemarkKind::named(row.get_ref(1)?.as_str()?);
    Ok(Remark {
        problem: row.get::<_, Col<_>>(0)?.0,
        kind: kind.ok_or(rusqlite::Error::InvalidQuery)?,
        person: row.get(2)?,
        also: row.get::<_, Json<_>>(3)?.0,
        until: row.get::<_, Option<Col<_>>>(4)?.map(|until| until.0),
        text: row.get(5)?,
        by: row.get(6)?,
        at: row.get::<_, Col<_>>(7)?.0,
    })
}

pub(super) const REMARKS: &str = "SELECT problem, kind, person, also, until, text, by, at
    FROM problem_remark WHERE problem = ?1 ORDER BY id";
