//! Answers about points from before the evidence that is kept (PRB-06).

use std::ops::ControlFlow;

use rusqlite::params;

use super::{NOTE, Subject};
use crate::model::BuildId;
use crate::store::column::{Json, int};
use crate::store::read::{Tested, answers_of_build, walk_back};
use crate::verdict::{Answer, Evidence};

impl Subject<'_> {
    /// Whether an answer about a point from before the evidence that is kept changes anything: it
    /// fails there, or what was known to fail there does not (PRB-06).
    pub(super) fn is_news(&self, answer: &Answer) -> rusqlite::Result<bool> {
        if self.flaky_for > 0 {
            return Ok(false);
        }
        if matches!(answer, Answer::Fail(_)) {
            return Ok(true);
        }
        let (builder, tree) = (self.of.build.builder.as_str(), Json(&self.of.tree));
        let (step, point) = (self.what.step(), int(self.of.point.0));
        self.of.conn.prepare_cached(SETTLED_AT)?.exists(params![
            builder,
            tree,
            step,
            self.test(),
            point
        ])
    }

    /// Takes up what the last builds have answered before the evidence that is kept, back to a
    /// point before that of the build at which it was well. False if there is none among them, or
    /// if they do not have all of what is known since that point.
    pub(super) fn reach_back(&mut self) -> rusqlite::Result<bool> {
        let (of, mut oldest) = (self.of, self.of.build.number);
        let mut earlier = Vec::new();
        let build = (&of.build.builder, of.build.number);
        walk_back(of.conn, build, of.line, |one| {
            oldest = one.number;
            let answer = self.answer_of(one.build)?;
            earlier.extend(answer.map(|answer| one.says(answer)));
            Ok(ControlFlow::Continue(()))
        })?;
        let is_well = |one: &&Evidence| matches!(one.answer, Answer::Pass | Answer::Absent);
        let well = earlier.iter().filter(is_well).map(|one| one.point);
        let Some(since) = well.filter(|at| *at < of.point).max() else {
            return Ok(false);
        };
        let (builder, tree) = (of.build.builder.as_str(), Json(&of.tree));
        let settled = params![
            builder,
            tree,
            self.what.step(),
            self.test(),
            int(since.0),
            int(self.since.0),
            int(oldest.0)
        ];
        if of.conn.prepare_cached(SETTLED_BEFORE)?.exists(settled)? {
            return Ok(false);
        }
        let range = since..self.since;
        for one in earlier.iter().filter(|one| range.contains(&one.point)) {
            self.keep(one)?;
        }
        self.since = since;
        of.conn
            .prepare_cached(NOTE)?
            .execute(params![self.id, int(since.0), self.flaky_for])?;
        Ok(true)
    }

    /// What an earlier build answers about this.
    fn answer_of(&self, build: BuildId) -> rusqlite::Result<Option<Answer>> {
        let conn = self.of.conn;
        let step = self.what.step().unwrap_or_default();
        let Some(test) = self.what.test() else {
            return Ok(answers_of_build(conn, build)?.remove(step));
        };
        let reports = Tested::of_build(conn, build)?;
        let its = reports.iter().find(|its| its.step == step);
        its.map_or(Ok(None), |its| its.answer(conn, test))
    }
}

const SETTLED_AT: &str = "SELECT 1 FROM problem
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4 AND first <= ?5
        AND found ->> '$.last' > ?5 AND state = 1";
/// Those since a point whose builds are older than those that are looked at.
const SETTLED_BEFORE: &str = "SELECT 1 FROM problem
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4 AND first > ?5 AND first < ?6
        AND state IN (1, 2) AND coalesce(first_build, 0) < ?7";
