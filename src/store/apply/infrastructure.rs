//! Builds that say nothing about the sources, and the problems of the infrastructure that they show
//! (INF-01 to INF-04).

use rusqlite::{Connection, params};

use super::ended::EndedBuild;
use super::problems::row::{Row, close, tell};
use crate::model::journal::BuildFinish;
use crate::model::{
    BuildId, ChangeNumber, Line, ProblemNumber, ProblemSubject, Results, was_cut_short,
};
use crate::store::column::{Col, int};
use crate::store::read::{subject_of, tree};
use crate::verdict::{
    Ended, Found, Problem, ProblemEvent, ProblemState, Says, Trouble, Turn, WINDOW, turns,
};

/// A build that ends, which is not a try. One that says something costs nothing unless others
/// lately said nothing.
pub(super) fn finished(
    conn: &Connection,
    end: &BuildFinish,
    build: &EndedBuild,
    line: &Line,
) -> rusqlite::Result<()> {
    let Some(says) = says(conn, end)? else {
        return Ok(());
    };
    if says != Says::Something {
        let of = params![int(end.build.0), says as i64];
        conn.prepare_cached(MARK)?.execute(of)?;
    }
    if says == Says::Something && !build.is_infrastructure_uneasy {
        return Ok(());
    }
    let open = open(conn)?;
    let mut builds = earlier(conn, end.build)?;
    builds.push(Ended {
        builder: build.builder.clone(),
        slave: build.slave.clone(),
        says,
    });
    let at = At {
        conn,
        end,
        build,
        line,
    };
    for turn in turns(&builds, &open) {
        match turn {
            Turn::Opened(subject) => at.open(&subject)?,
            Turn::Seen(number) => at.see(number)?,
            Turn::Resolved(number) => {
                at.close(number, ProblemState::Resolved, ProblemEvent::Resolved)?;
            }
            Turn::Withdrawn(number) => {
                at.close(number, ProblemState::Withdrawn, ProblemEvent::Withdrawn)?;
            }
        }
    }
    Ok(())
}

/// What a build says; absent if people stopped it, if it was skipped, and if the master was stopped
/// under it.
fn says(conn: &Connection, end: &BuildFinish) -> rusqlite::Result<Option<Says>> {
    if end.stop_reason.is_some() || was_cut_short(&end.text) {
        return Ok(None);
    }
    Ok(match end.result {
        Results::Success | Results::Warnings => Some(Says::Something),
        Results::Failure => {
            let is_silent = conn.prepare_cached(SILENT)?.exists([int(end.build.0)])?;
            Some(match is_silent {
                true => Says::Nothing,
                false => Says::Something,
            })
        }
        Results::Skipped => None,
        Results::Exception => Some(Says::Nothing),
        Results::Retry => Some(Says::SlaveLost),
    })
}

fn open(conn: &Connection) -> rusqlite::Result<Vec<Trouble>> {
    conn.prepare_cached(OPEN_ONES)?
        .query_map([], |row| {
            Ok(Trouble {
                number: row.get::<_, Col<_>>(0)?.0,
                builder: row.get::<_, Col<_>>(1)?.0,
                subject: subject_of(row, 2)?,
            })
        })?
        .collect()
}

/// The builds that started last before this one and have ended, oldest first.
fn earlier(conn: &Connection, build: BuildId) -> rusqlite::Result<Vec<Ended>> {
    let mut select = conn.prepare_cached(EARLIER)?;
    let limit = i64::try_from(WINDOW).unwrap_or(i64::MAX) - 1;
    let rows = select.query_map(params![int(build.0), limit], |row| {
        Ok(Ended {
            builder: row.get::<_, Col<_>>(0)?.0,
            slave: row.get::<_, Col<_>>(1)?.0,
            says: match row.get(2)? {
                0 => Says::Something,
                2 => Says::SlaveLost,
                _ => Says::Nothing,
            },
        })
    })?;
    let mut builds = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    builds.reverse();
    Ok(builds)
}

/// The build that makes something of a problem.
struct At<'a> {
    conn: &'a Connection,
    end: &'a BuildFinish,
    build: &'a EndedBuild,
    line: &'a Line,
}

impl At<'_> {
    fn open(&self, subject: &ProblemSubject) -> rusqlite::Result<()> {
        // It begins at no change, and none has caused it.
        let found = Found {
            first: ChangeNumber(0),
            last: ChangeNumber(0),
            after: None,
            symptoms: [self.end.text.join(" ")].into(),
            end: None,
            doubt: None,
            unseen_since: None,
            slave: None,
        };
        let problem = Problem {
            number: ProblemNumber(0),
            found,
            suspects: Vec::new(),
            fixed_in: Vec::new(),
            state: ProblemState::Open,
        };
        let number = Some(self.build.number);
        let row = Row {
            builder: &self.build.builder,
            tree: &tree(self.line),
            subject,
            problem: &problem,
            builds: [number, number, None],
            at: self.end.at,
        };
        let problem = row.open(self.conn)?;
        self.tell(problem, ProblemEvent::Opened)
    }

    fn see(&self, problem: ProblemNumber) -> rusqlite::Result<()> {
        let of = params![
            int(problem.0),
            int(self.build.number.0),
            self.build.builder.as_str()
        ];
        self.conn.prepare_cached(SEE)?.execute(of)?;
        Ok(())
    }

    fn close(
        &self,
        problem: ProblemNumber,
        state: ProblemState,
        event: ProblemEvent,
    ) -> rusqlite::Result<()> {
        close(self.conn, problem, state, self.end.at)?;
        self.tell(problem, event)
    }

    fn tell(&self, problem: ProblemNumber, event: ProblemEvent) -> rusqlite::Result<()> {
        let build = Some(self.build.number);
        tell(self.conn, (problem, event), self.end.at, build)
    }
}

const MARK: &str = "UPDATE build SET silent = ?2 WHERE id = ?1";
/// A build has failed by a step whose failure says nothing, and by no other one.
const SILENT: &str = "SELECT 1 FROM step s WHERE s.build = ?1 AND s.result = 2
        AND s.outcome ->> '$.is_infrastructure' = 1 AND NOT EXISTS
    (SELECT 1 FROM step f WHERE f.build = ?1 AND f.result = 2
        AND coalesce(f.outcome ->> '$.is_infrastructure', 0) = 0
        AND f.outcome ->> '$.contribution' = 'failure')";
const OPEN_ONES: &str = "SELECT number, builder, step, test, kind, slave
    FROM problem INDEXED BY problem_of_infrastructure WHERE kind > 0 AND state = 0";
/// Of exceptions and builds that are built again, those that people stopped are not
/// evidence.
const EARLIER: &str = "SELECT builder, slave, silent FROM build
    WHERE id < ?1 AND finished_at IS NOT NULL AND (silent > 0 OR result < 3)
    ORDER BY id DESC LIMIT ?2";
/// The builds of another builder have other numbers.
const SEE: &str = "UPDATE problem SET last_build = ?2 WHERE number = ?1 AND builder = ?3";
