//! How problems of all kinds are written.

use rusqlite::{Connection, params};
use serde_json::Value;

use crate::model::{BuildNumber, BuilderName, ProblemNumber, ProblemSubject, SlaveName, Timestamp};
use crate::store::column::{Json, int};
use crate::verdict::{Found, Problem, ProblemEvent, ProblemState};

/// What is written of a problem.
pub(in crate::store::apply) struct Row<'a> {
    pub(in crate::store::apply) builder: &'a BuilderName,
    pub(in crate::store::apply) tree: &'a Value,
    pub(in crate::store::apply) subject: &'a ProblemSubject,
    pub(in crate::store::apply) problem: &'a Problem,
    /// The first and the last build with it, and the last one before without it.
    pub(in crate::store::apply) builds: [Option<BuildNumber>; 3],
    pub(in crate::store::apply) at: Timestamp,
}

impl Row<'_> {
    /// Writes a new problem, whose number is the next one.
    pub(in crate::store::apply) fn open(
        &self,
        conn: &Connection,
    ) -> rusqlite::Result<ProblemNumber> {
        self.write(conn, None)?;
        let number = u64::try_from(conn.last_insert_rowid()).unwrap_or_default();
        Ok(ProblemNumber(number))
    }

    /// Writes what has become of a problem. One that is over ends once.
    pub(in crate::store::apply) fn change(&self, conn: &Connection) -> rusqlite::Result<()> {
        self.write(conn, Some(self.problem.number))
    }

    fn write(&self, conn: &Connection, number: Option<ProblemNumber>) -> rusqlite::Result<()> {
        let [first, last, good] = self.builds.map(|build| build.map(|number| int(number.0)));
        let kind = match self.subject {
            ProblemSubject::Step(_) | ProblemSubject::Test { .. } => 0,
            ProblemSubject::Builder => 1,
            ProblemSubject::Slave(_) => 2,
            ProblemSubject::Master => 3,
        };
        conn.prepare_cached(WRITE)?.execute(params![
            number.map(|number| int(number.0)),
            self.builder.as_str(),
            Json(self.tree),
            self.subject.step().unwrap_or_default(),
            self.subject.test().map_or("", |test| test.as_stored()),
            self.problem.state.number(),
            int(self.problem.found.first.0),
            Json(&self.problem.found),
            Json(&self.problem.suspects),
            Json(&self.problem.fixed_in),
            first,
            last,
            good,
            self.at.0,
            self.ended_at(),
            kind,
            self.subject.slave().map(SlaveName::as_str),
        ])?;
        Ok(())
    }

    fn ended_at(&self) -> Option<i64> {
        (self.problem.state != ProblemState::Open).then_some(self.at.0)
    }
}

/// Notes that a problem continues as it was, and the build that has it now.
pub(super) fn see(
    conn: &Connection,
    (problem, found): (ProblemNumber, &Found),
    build: BuildNumber,
) -> rusqlite::Result<()> {
    let of = params![int(problem.0), Json(found), int(build.0)];
    conn.prepare_cached(SEE)?.execute(of)?;
    Ok(())
}

/// Ends a problem without a look at the evidence.
pub(in crate::store::apply) fn close(
    conn: &Connection,
    problem: ProblemNumber,
    state: ProblemState,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let of = params![int(problem.0), state.number(), at.0];
    conn.prepare_cached(CLOSE)?.execute(of)?;
    Ok(())
}

/// Notes what has happened to a problem, and the build that told it.
pub(in crate::store::apply) fn tell(
    conn: &Connection,
    (problem, event): (ProblemNumber, ProblemEvent),
    at: Timestamp,
    build: Option<BuildNumber>,
) -> rusqlite::Result<()> {
    let build = build.map(|number| int(number.0));
    let of = params![int(problem.0), at.0, event.as_str(), build];
    conn.prepare_cached(EVENT)?.execute(of)?;
    Ok(())
}

/// One that is known keeps what it is about, and when it was found.
const WRITE: &str =
    "INSERT INTO problem (number, builder, tree, step, test, state, first, found, suspects,
        fixed_in, first_build, last_build, good_build, opened_at, ended_at, kind, slave)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
    ON CONFLICT (number) DO UPDATE SET state = excluded.state, first = excluded.first,
        found = excluded.found, suspects = excluded.suspects, fixed_in = excluded.fixed_in,
        first_build = coalesce(excluded.first_build, first_build),
        last_build = coalesce(excluded.last_build, last_build),
        good_build = coalesce(excluded.good_build, good_build),
        ended_at = iif(excluded.ended_at IS NULL, NULL, coalesce(ended_at, excluded.ended_at))";
/// The problem goes on.
const SEE: &str = "UPDATE problem SET found = ?2, last_build = ?3 WHERE number = ?1";
const CLOSE: &str = "UPDATE problem SET state = ?2, ended_at = ?3 WHERE number = ?1";
const EVENT: &str = "INSERT INTO problem_event (problem, at, event, build) VALUES (?1, ?2, ?3, ?4)";
