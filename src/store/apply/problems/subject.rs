//! What is asked about a tree: whether a step passes, or a test of it.

mod late;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use rusqlite::params;

use super::of::Of;
use super::row::{self, Row};
use crate::model::{
    BuildNumber, ChangeNumber, Judgement, ProblemNumber, ProblemSubject, SlaveName, TestName,
};
use crate::store::column::{Col, Json, int};
use crate::store::read::{
    Failing, Place, evidence_of, failing_of, has_unknown_between, newest_news, newest_of,
    problem_of, suspects_between,
};
use crate::verdict::{
    Answer, Evidence, Found, Kept, Problem, ProblemEvent, Scope, Suspect, Ways, judge, kept, read,
    read_test, scope,
};

/// At each such number of answers, those that are not needed any more are forgotten.
const FORGETS: u32 = 32;

/// From here on, the numbers of problems that have none yet: the database gives theirs.
const UNNUMBERED: u64 = u64::MAX / 2;

/// A step of a builder on a tree, or a test of it, whose answers are kept.
pub(super) struct Subject<'a> {
    id: i64,
    pub(super) what: ProblemSubject,
    /// Evidence of points before this one is forgotten.
    since: ChangeNumber,
    /// For how many more points that answer it is flaky; 0: it is not.
    flaky_for: u32,
    /// Of what it is a subject.
    of: &'a Of<'a>,
}

/// The subjects of a line.
pub(super) struct Subjects<'a>(BTreeMap<ProblemSubject, Subject<'a>>);

impl<'a> Deref for Subjects<'a> {
    type Target = BTreeMap<ProblemSubject, Subject<'a>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Subjects<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<'a> Subjects<'a> {
    /// Those of the line of a build.
    pub(super) fn of(of: &'a Of<'a>) -> rusqlite::Result<Self> {
        let mut select = of.conn.prepare_cached(SUBJECTS)?;
        let line = params![of.build.builder.as_str(), Json(&of.tree)];
        let rows = select.query_map(line, |row| {
            let test = Some(row.get_ref(2)?.as_str()?).filter(|test| !test.is_empty());
            let what = ProblemSubject::of_step(row.get(1)?, test.map(TestName::from_stored));
            let subject = Subject {
                id: row.get(0)?,
                what: what.clone(),
                since: row.get::<_, Col<_>>(3)?.0,
                flaky_for: row.get(4)?,
                of,
            };
            Ok((what, subject))
        })?;
        rows.collect::<rusqlite::Result<_>>().map(Self)
    }
}

impl<'a> Subject<'a> {
    /// From now on the answers about this are kept, and those so far from the last passing point
    /// on.
    pub(super) fn watch(
        of: &'a Of<'a>,
        what: ProblemSubject,
        earlier: &[Evidence],
    ) -> rusqlite::Result<Self> {
        let is_well = |one: &&Evidence| matches!(one.answer, Answer::Pass | Answer::Absent);
        let well = earlier.iter().filter(is_well).map(|one| one.point);
        let since = well.filter(|at| *at < of.point).max().unwrap_or_default();
        of.conn.prepare_cached(WATCH)?.execute(params![
            of.build.builder.as_str(),
            Json(&of.tree),
            what.step(),
            what.test().map_or("", TestName::as_stored),
            int(since.0)
        ])?;
        let subject = Self {
            id: of.conn.last_insert_rowid(),
            what,
            since,
            flaky_for: 0,
            of,
        };
        for one in earlier.iter().filter(|one| one.point >= since) {
            subject.keep(one)?;
        }
        Ok(subject)
    }

    fn test(&self) -> &str {
        self.what.test().map_or("", TestName::as_stored)
    }

    /// Whether the newest of its points that is known fails.
    pub(super) fn fails_so_far(&self) -> rusqlite::Result<bool> {
        let evidence = evidence_of(self.of.conn, self.id, ChangeNumber::default())?;
        let before = evidence.iter().filter(|one| one.point < self.of.point);
        let newest = before.max_by_key(|one| one.point);
        Ok(newest.is_some_and(|one| matches!(one.answer, Answer::Fail(_))))
    }

    /// Notes something about its open problems.
    pub(super) fn tell_open(&self, event: ProblemEvent) -> rusqlite::Result<()> {
        for (problem, _) in self.open()? {
            self.tell(problem, event)?;
        }
        Ok(())
    }

    fn tell(&self, problem: ProblemNumber, event: ProblemEvent) -> rusqlite::Result<()> {
        let build = Some(self.of.build.number);
        row::tell(self.of.conn, (problem, event), self.of.end.at, build)
    }
}

impl Subject<'_> {
    /// Takes what the build answers. Says what that is for the build: a problem that is new with it
    /// or still there, or one that it has ended (PRB-23).
    pub(super) fn hear(&mut self, answer: Answer) -> rusqlite::Result<Option<Judgement>> {
        if self.of.point < self.since && !(self.is_news(&answer)? && self.reach_back()?) {
            return self.news_of(&answer);
        }
        let one = Evidence {
            build: self.of.end.build,
            point: self.of.point,
            answer,
            slave: Some(self.of.build.slave.clone()),
        };
        let (newest, is_due) = self.newest()?;
        let scope = match is_due {
            true => Scope::All,
            false => scope(self.flaky_for, &self.open()?, &newest, &one),
        };
        self.keep(&one)?;
        if self.flaky_for > 0 && one.answer != Answer::Absent {
            self.flaky_for -= 1;
            let left = params![self.id, self.flaky_for];
            self.of.conn.prepare_cached(STAYS_FLAKY)?.execute(left)?;
        }
        let from = match scope {
            Scope::AsBefore => return self.news_of(&one.answer),
            Scope::GoesOn(number, found) => {
                row::see(self.of.conn, (number, &found), self.of.build.number)?;
                return Ok(Some(Judgement::Still));
            }
            Scope::From(from) => Some(from),
            Scope::All => None,
        };
        let is_fixed = match from
            .map(|from| self.judge(Some(from)))
            .transpose()?
            .flatten()
        {
            Some(is_fixed) => is_fixed,
            None => self.judge(None)?.unwrap_or_default(),
        };
        match is_fixed {
            true => Ok(Some(Judgement::Fixed)),
            false => self.news_of(&one.answer),
        }
    }

    /// Judges what is known from a point on, or all. Says whether the build has ended a problem;
    /// absent if more is needed to tell.
    fn judge(&self, from: Option<ChangeNumber>) -> rusqlite::Result<Option<bool>> {
        let evidence = evidence_of(self.of.conn, self.id, from.unwrap_or_default())?;
        let reading = match self.what.test() {
            Some(_) => read_test(&evidence),
            None => read(&evidence),
        };
        if from.is_some() && reading.is_flaky() {
            return Ok(None);
        }
        let since = from.unwrap_or_default().max(self.since);
        let known = self.problems(since)?;
        let next = ProblemNumber(UNNUMBERED);
        let ways = Ways {
            changes_in: |after: Option<ChangeNumber>, to: ChangeNumber| match after {
                Some(after) => suspects_between(self.of.conn, self.of.line, after, to),
                None => self.changes_at(&evidence, to),
            },
            is_unsure: |after, first| self.is_unsure(&evidence, after, first),
        };
        let judged = judge(&known, (since, &reading), next, &ways)?;
        for problem in &judged.problems {
            let is_known = known.iter().any(|old| old.number == problem.number);
            let number = self.write(problem, &evidence, is_known)?;
            let events = judged.events.iter();
            for (_, event) in events.filter(|(of, _)| *of == problem.number) {
                self.tell(number, *event)?;
            }
        }
        if from.is_none() {
            self.forget(&evidence, kept(&evidence, &reading), reading.flaky_for)?;
        }
        let mut events = judged.events.iter();
        Ok(Some(
            events.any(|(_, event)| *event == ProblemEvent::Resolved),
        ))
    }

    /// What the problems of this say of an answer.
    fn news_of(&self, answer: &Answer) -> rusqlite::Result<Option<Judgement>> {
        let Answer::Fail(symptoms) = answer else {
            return Ok(None);
        };
        let place = Place {
            build: self.of.end.build,
            builder: &self.of.build.builder,
            line: self.of.line,
            point: self.of.point,
        };
        let failing = Failing::new(&self.what, symptoms.clone());
        let found = failing_of(self.of.conn, &place, &self.of.tree, &failing)?;
        Ok(newest_news(found.iter().map(|(news, _)| *news)))
    }

    /// The last two answers so far, and whether it is time to delete answers that nothing needs.
    fn newest(&self) -> rusqlite::Result<(Vec<Evidence>, bool)> {
        let conn = self.of.conn;
        let newest = newest_of(conn, self.id)?;
        let mut count = conn.prepare_cached(COUNT)?;
        let count: u32 = count.query_row([self.id], |row| row.get(0))?;
        Ok((newest, (count + 1).is_multiple_of(FORGETS)))
    }

    /// The problems that are there.
    fn open(&self) -> rusqlite::Result<Vec<(ProblemNumber, Found)>> {
        let mut select = self.of.conn.prepare_cached(OPEN)?;
        let (builder, tree) = (self.of.build.builder.as_str(), Json(&self.of.tree));
        let of = params![builder, tree, self.what.step(), self.test()];
        let rows = select.query_map(of, |row| {
            Ok((row.get::<_, Col<_>>(0)?.0, row.get::<_, Json<_>>(1)?.0))
        })?;
        rows.collect()
    }

    fn keep(&self, one: &Evidence) -> rusqlite::Result<()> {
        self.of.conn.prepare_cached(KEEP)?.execute(params![
            self.id,
            int(one.point.0),
            int(one.build.0),
            Json(&one.answer),
            one.slave.as_ref().map(SlaveName::as_str)
        ])?;
        Ok(())
    }

    /// Whether a build between those of the last good point and of the first bad one was of unknown
    /// sources (PRB-12).
    fn is_unsure(
        &self,
        evidence: &[Evidence],
        after: ChangeNumber,
        first: ChangeNumber,
    ) -> rusqlite::Result<bool> {
        let at = |point| evidence.iter().filter(move |one| one.point == point);
        let good = at(after).map(|one| one.build).max();
        let bad = at(first).map(|one| one.build).min();
        let (Some(good), Some(bad)) = (good, bad) else {
            return Ok(false);
        };
        let numbers = (self.of.number_of(good)?, self.of.number_of(bad)?);
        let (Some(good), Some(bad)) = numbers else {
            return Ok(false);
        };
        let of = self.of;
        has_unknown_between(of.conn, &of.build.builder, of.line, (good, bad))
    }

    /// The problems of the subject that evidence from `since` on may change.
    fn problems(&self, since: ChangeNumber) -> rusqlite::Result<Vec<Problem>> {
        let mut select = self.of.conn.prepare_cached(PROBLEMS)?;
        let (builder, tree) = (self.of.build.builder.as_str(), Json(&self.of.tree));
        let step = self.what.step();
        let of = params![builder, tree, step, self.test(), int(since.0)];
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

    /// Writes a problem, and answers its number.
    fn write(
        &self,
        problem: &Problem,
        evidence: &[Evidence],
        is_known: bool,
    ) -> rusqlite::Result<ProblemNumber> {
        let row = Row {
            builder: &self.of.build.builder,
            tree: &self.of.tree,
            subject: &self.what,
            problem,
            builds: self.builds(&problem.found, evidence)?,
            at: self.of.end.at,
        };
        match is_known {
            true => row.change(self.of.conn).map(|()| problem.number),
            false => row.open(self.of.conn),
        }
    }

    /// The first and the last failing build of a problem, and the last one before it that passes.
    fn builds(
        &self,
        found: &Found,
        evidence: &[Evidence],
    ) -> rusqlite::Result<[Option<BuildNumber>; 3]> {
        let at = |point| evidence.iter().filter(move |one| one.point == point);
        let first = at(found.first).map(|one| one.build).min();
        let last = at(found.last).map(|one| one.build).max();
        let good = found
            .after
            .and_then(|after| at(after).map(|one| one.build).max());
        let mut numbers = [None; 3];
        for (number, build) in numbers.iter_mut().zip([first, last, good]) {
            if let Some(build) = build {
                *number = self.of.number_of(build)?;
            }
        }
        Ok(numbers)
    }

    /// Forgets what is not needed, and notes for how long the subject is flaky.
    fn forget(&self, evidence: &[Evidence], kept: Kept, flaky_for: u32) -> rusqlite::Result<()> {
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
            .execute(params![self.id, int(since.0), flaky_for])?;
        Ok(())
    }
}

const SUBJECTS: &str =
    "SELECT id, step, test, since, flaky FROM subject WHERE builder = ?1 AND tree = ?2";
const WATCH: &str =
    "INSERT INTO subject (builder, tree, step, test, since) VALUES (?1, ?2, ?3, ?4, ?5)";
const UNWATCH: &str = "DELETE FROM subject WHERE id = ?1";
const NOTE: &str = "UPDATE subject SET since = ?2, flaky = ?3
    WHERE id = ?1 AND (since <> ?2 OR flaky <> ?3)";
const STAYS_FLAKY: &str = "UPDATE subject SET flaky = ?2 WHERE id = ?1";
const KEEP: &str = "INSERT OR REPLACE INTO answer (subject, point, build, answer, slave)
    VALUES (?1, ?2, ?3, ?4, ?5)";
const FORGET_BEFORE: &str = "DELETE FROM answer WHERE subject = ?1 AND point < ?2";
const FORGET_POINT: &str = "DELETE FROM answer WHERE subject = ?1 AND point = ?2";
const CHANGES_OF_BUILD: &str = "SELECT c.number, c.who
    FROM build b, json_each(b.changes) n JOIN change c ON c.number = n.value
    WHERE b.id = ?1 ORDER BY c.number";
const COUNT: &str = "SELECT count(*) FROM answer WHERE subject = ?1";
const OPEN: &str = "SELECT number, found FROM problem INDEXED BY problem_of_tree
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4 AND kind = 0 AND state = 0
    ORDER BY number";
const PROBLEMS: &str = "SELECT number, found, suspects, fixed_in, state FROM problem
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4 AND (first >= ?5 OR state = 0)";
