//! Judges a build that ends: what its steps answer, and which problems follow from that (GRD-02).
//!
//! Of a step that passes nothing is kept. Once it has failed on a tree, it is a subject, and what
//! builds answer about it is kept until it has been well for long. So a build that passes costs one
//! look at the subjects of its tree, and one that goes on failing does not look at the history.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::ended::EndedBuild;
use crate::model::journal::BuildFinish;
use crate::model::{BuildId, BuildNumber, ChangeNumber, Line, ProblemNumber, Results};
use crate::store::column::{Col, Json, int};
use crate::store::read::{answers_of_build, answers_so_far, problem_of, suspects_between, tree};
use crate::verdict::{
    Answer, Evidence, Found, Kept, Problem, ProblemState, Suspect, judge, kept, read,
};

/// From here on, the numbers of problems that have none yet: the database gives theirs.
const UNNUMBERED: u64 = u64::MAX / 2;

/// A step of a builder on a tree whose answers are kept.
struct Subject<'a> {
    id: i64,
    step: String,
    /// Evidence of points before this one is forgotten.
    since: ChangeNumber,
    /// Of what it is a subject.
    of: &'a Of<'a>,
}

/// Whose subjects are judged.
struct Of<'a> {
    conn: &'a Connection,
    end: &'a BuildFinish,
    build: &'a EndedBuild,
    line: &'a Line,
    tree: Value,
    point: ChangeNumber,
}

/// Takes the answers of a build that ends and is not a try. One that is not known to be built of a
/// change is evidence of nothing (PRB-02).
pub(super) fn finished(
    conn: &Connection,
    end: &BuildFinish,
    build: &EndedBuild,
    line: &Line,
) -> rusqlite::Result<()> {
    let Some(point) = build.newest else {
        return Ok(());
    };
    let tree = tree(line);
    let of = Of {
        conn,
        end,
        build,
        line,
        tree,
        point,
    };
    let mut known = of.subjects()?;
    let may_fail = matches!(
        end.result,
        Results::Failure | Results::Exception | Results::Retry
    );
    if known.is_empty() && !may_fail {
        return Ok(());
    }
    for (step, answer) in answers_of_build(conn, end.build)? {
        let subject = match (known.remove(&step), &answer) {
            (Some(subject), _) => subject,
            (None, Answer::Fail(_)) => of.watch(step)?,
            (None, Answer::Pass | Answer::Absent) => continue,
        };
        subject.hear(answer)?;
    }
    Ok(())
}

impl<'a> Of<'a> {
    /// The subjects of the line, by their names.
    fn subjects(&'a self) -> rusqlite::Result<BTreeMap<String, Subject<'a>>> {
        let mut select = self.conn.prepare_cached(SUBJECTS)?;
        let of = params![self.build.builder.as_str(), Json(&self.tree)];
        select
            .query_map(of, |row| {
                let step: String = row.get(1)?;
                let subject = Subject {
                    id: row.get(0)?,
                    step: step.clone(),
                    since: row.get::<_, Col<_>>(2)?.0,
                    of: self,
                };
                Ok((step, subject))
            })?
            .collect()
    }

    /// From now on the answers about this step are kept, and those from the last passing point on.
    fn watch(&'a self, step: String) -> rusqlite::Result<Subject<'a>> {
        let (builder, number) = (&self.build.builder, self.build.number);
        let earlier = answers_so_far(self.conn, (builder, number), self.line, &step, self.point)?;
        let passes = earlier.iter().filter(|one| one.answer == Answer::Pass);
        let passes = passes.map(|one| one.point).filter(|at| *at < self.point);
        let since = passes.max().unwrap_or_default();
        let of = params![builder.as_str(), Json(&self.tree), step, int(since.0)];
        self.conn.prepare_cached(WATCH)?.execute(of)?;
        let subject = Subject {
            id: self.conn.last_insert_rowid(),
            step,
            since,
            of: self,
        };
        for one in earlier.iter().filter(|one| one.point >= since) {
            subject.keep(one)?;
        }
        Ok(subject)
    }

    fn number_of(&self, build: BuildId) -> rusqlite::Result<Option<BuildNumber>> {
        let mut select = self.conn.prepare_cached(NUMBER)?;
        let number = select.query_row([int(build.0)], |row| Ok(row.get::<_, Col<_>>(0)?.0));
        number.optional()
    }
}

impl Subject<'_> {
    /// Takes what the build answers.
    fn hear(&self, answer: Answer) -> rusqlite::Result<()> {
        if self.of.point < self.since {
            return Ok(());
        }
        self.keep(&Evidence {
            build: self.of.end.build,
            point: self.of.point,
            answer,
        })?;
        let evidence = self.evidence()?;
        let reading = read(&evidence);
        let known = self.problems()?;
        let next = ProblemNumber(UNNUMBERED);
        let changes_in = |after: Option<ChangeNumber>, to: ChangeNumber| match after {
            Some(after) => suspects_between(self.of.conn, self.of.line, after, to),
            None => self.changes_at(&evidence, to),
        };
        let judged = judge(&known, (self.since, &reading), next, changes_in)?;
        for problem in &judged.problems {
            let is_known = known.iter().any(|old| old.number == problem.number);
            let number = match is_known {
                true => self.change(problem, &evidence)?,
                false => self.open(problem, &evidence)?,
            };
            let events = judged.events.iter();
            for (_, event) in events.filter(|(of, _)| *of == problem.number) {
                self.of.conn.prepare_cached(EVENT)?.execute(params![
                    int(number.0),
                    self.of.end.at.0,
                    event.as_str(),
                    int(self.of.build.number.0),
                ])?;
            }
        }
        self.forget(&evidence, kept(&evidence, &reading), reading.is_flaky)
    }

    fn keep(&self, one: &Evidence) -> rusqlite::Result<()> {
        self.of.conn.prepare_cached(KEEP)?.execute(params![
            self.id,
            int(one.point.0),
            int(one.build.0),
            Json(&one.answer)
        ])?;
        Ok(())
    }

    fn evidence(&self) -> rusqlite::Result<Vec<Evidence>> {
        let mut select = self.of.conn.prepare_cached(ANSWERS)?;
        select
            .query_map([self.id], |row| {
                Ok(Evidence {
                    point: row.get::<_, Col<_>>(0)?.0,
                    build: row.get::<_, Col<_>>(1)?.0,
                    answer: row.get::<_, Json<_>>(2)?.0,
                })
            })?
            .collect()
    }

    /// The problems of the subject that the evidence may change.
    fn problems(&self) -> rusqlite::Result<Vec<Problem>> {
        let mut select = self.of.conn.prepare_cached(PROBLEMS)?;
        let (builder, tree) = (self.of.build.builder.as_str(), Json(&self.of.tree));
        let of = params![builder, tree, self.step, int(self.since.0)];
        select.query_map(of, problem_of)?.collect()
    }

    /// The changes of the first build at `point`.
    fn changes_at(
        &self,
        evidence: &[Evidence],
        point: ChangeNumber,
    ) -> rusqlite::Result<Vec<Suspect>> {
        let at = evidence.iter().filter(|one| one.point == point);
        let Some(build) = at.map(|one| one.build).min() else {
            return Ok(Vec::new());
        };
        let mut select = self.of.conn.prepare_cached(CHANGES_OF_BUILD)?;
        select
            .query_map([int(build.0)], |row| {
                Ok(Suspect {
                    change: row.get::<_, Col<_>>(0)?.0,
                    who: row.get(1)?,
                })
            })?
            .collect()
    }

    fn open(&self, problem: &Problem, evidence: &[Evidence]) -> rusqlite::Result<ProblemNumber> {
        let [first, last, good] = self.builds(&problem.found, evidence)?;
        self.of.conn.prepare_cached(OPEN)?.execute(params![
            self.of.build.builder.as_str(),
            Json(&self.of.tree),
            self.step,
            problem.state.number(),
            int(problem.found.first.0),
            Json(&problem.found),
            Json(&problem.suspects),
            Json(&problem.fixed_in),
            first,
            last,
            good,
            self.of.end.at.0,
            self.ended_at(problem),
        ])?;
        let number = u64::try_from(self.of.conn.last_insert_rowid()).unwrap_or_default();
        Ok(ProblemNumber(number))
    }

    /// A problem that is over ends once.
    fn change(&self, problem: &Problem, evidence: &[Evidence]) -> rusqlite::Result<ProblemNumber> {
        let [first, last, good] = self.builds(&problem.found, evidence)?;
        self.of.conn.prepare_cached(CHANGE)?.execute(params![
            int(problem.number.0),
            problem.state.number(),
            int(problem.found.first.0),
            Json(&problem.found),
            Json(&problem.suspects),
            Json(&problem.fixed_in),
            first,
            last,
            good,
            self.ended_at(problem),
        ])?;
        Ok(problem.number)
    }

    fn ended_at(&self, problem: &Problem) -> Option<i64> {
        (problem.state != ProblemState::Open).then_some(self.of.end.at.0)
    }

    /// The first and the last failing build of a problem, and the last one before it that passes.
    fn builds(&self, found: &Found, evidence: &[Evidence]) -> rusqlite::Result<[Option<i64>; 3]> {
        let at = |point| evidence.iter().filter(move |one| one.point == point);
        let first = at(found.first).map(|one| one.build).min();
        let last = at(found.last).map(|one| one.build).max();
        let good = found
            .after
            .and_then(|after| at(after).map(|one| one.build).max());
        let mut numbers = [None; 3];
        for (number, build) in numbers.iter_mut().zip([first, last, good]) {
            if let Some(build) = build {
                *number = self.of.number_of(build)?.map(|number| int(number.0));
            }
        }
        Ok(numbers)
    }

    /// Forgets what is not needed, and notes whether the subject is flaky.
    fn forget(&self, evidence: &[Evidence], kept: Kept, is_flaky: bool) -> rusqlite::Result<()> {
        let conn = self.of.conn;
        let since = match kept {
            Kept::Nothing => {
                conn.prepare_cached(UNWATCH)?.execute([self.id])?;
                return Ok(());
            }
            Kept::Since(since) => since,
            Kept::Points(points) => {
                let mut delete = conn.prepare_cached(FORGET_POINT)?;
                let all = evidence.iter().map(|one| one.point);
                for point in all.filter(|point| !points.contains(point)) {
                    delete.execute(params![self.id, int(point.0)])?;
                }
                points.first().copied().unwrap_or_default()
            }
        };
        let since = since.max(self.since);
        if since > self.since {
            let of = params![self.id, int(since.0)];
            conn.prepare_cached(FORGET_BEFORE)?.execute(of)?;
        }
        conn.prepare_cached(NOTE)?
            .execute(params![self.id, int(since.0), is_flaky])?;
        Ok(())
    }
}

const SUBJECTS: &str = "SELECT id, step, since FROM subject WHERE builder = ?1 AND tree = ?2";
const WATCH: &str = "INSERT INTO subject (builder, tree, step, since) VALUES (?1, ?2, ?3, ?4)";
const UNWATCH: &str = "DELETE FROM subject WHERE id = ?1";
const NOTE: &str = "UPDATE subject SET since = ?2, flaky = ?3
    WHERE id = ?1 AND (since <> ?2 OR flaky <> ?3)";
const KEEP: &str = "INSERT OR REPLACE INTO answer (subject, point, build, answer)
    VALUES (?1, ?2, ?3, ?4)";
const ANSWERS: &str = "SELECT point, build, answer FROM answer WHERE subject = ?1";
const FORGET_BEFORE: &str = "DELETE FROM answer WHERE subject = ?1 AND point < ?2";
const FORGET_POINT: &str = "DELETE FROM answer WHERE subject = ?1 AND point = ?2";
const NUMBER: &str = "SELECT number FROM build WHERE id = ?1";
const CHANGES_OF_BUILD: &str = "SELECT c.number, c.who
    FROM build b, json_each(b.changes) n JOIN change c ON c.number = n.value
    WHERE b.id = ?1 ORDER BY c.number";
const PROBLEMS: &str = "SELECT number, found, suspects, fixed_in, state FROM problem
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND (first >= ?4 OR state = 0)";
const OPEN: &str =
    "INSERT INTO problem (builder, tree, step, state, first, found, suspects, fixed_in,
        first_build, last_build, good_build, opened_at, ended_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const CHANGE: &str = "UPDATE problem SET state = ?2, first = ?3, found = ?4, suspects = ?5,
        fixed_in = ?6, first_build = coalesce(?7, first_build),
        last_build = coalesce(?8, last_build), good_build = coalesce(?9, good_build),
        ended_at = CASE WHEN ?10 IS NULL THEN NULL ELSE coalesce(ended_at, ?10) END
    WHERE number = ?1";
const EVENT: &str = "INSERT INTO problem_event (problem, at, event, build) VALUES (?1, ?2, ?3, ?4)";
