//! What the tests of a build say (PRB-04, PRB-10, PRB-11, PRB-17).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use rusqlite::params;

use super::Said;
use super::of::Of;
use super::subject::{Subject, Subjects};
use crate::model::{ProblemSubject, TestName, ToldTest};
use crate::store::column::Json;
use crate::store::read::{Tested, message_prints, walk_back};
use crate::verdict::{Answer, Evidence, ProblemEvent, fingerprint};

/// More tests of a step that newly fail in one build are one problem of the step (PRB-17).
const MOST_NEW: usize = 200;

/// What the tests of a build say.
#[derive(Default)]
pub(super) struct Answers {
    /// Of the tests that are followed.
    pub(super) known: BTreeMap<ProblemSubject, Answer>,
    /// Tests that newly fail, or are newly proved to be flaky, by their steps.
    fresh: BTreeMap<String, Vec<ToldTest>>,
    /// Steps that fail as a whole, as more than [`MOST_NEW`] of their tests newly fail.
    pub(super) as_a_whole: BTreeSet<String>,
}

/// Takes the answers of the reports of a build about the tests that are `known`. A failing test
/// that comes in place of a failing one is the same test (PRB-11).
pub(super) fn answers(of: &Of<'_>, known: &mut Subjects<'_>) -> rusqlite::Result<Answers> {
    let mut answers = Answers::default();
    if !of.build.has_reports {
        return Ok(answers);
    }
    for report in &Tested::of_build(of.conn, of.end.build)? {
        let mut gone = Vec::new();
        for (what, subject) in known.iter() {
            let Some(test) = what.test().filter(|_| what.step() == Some(&report.step)) else {
                continue;
            };
            let answer = report.answer(of.conn, test)?;
            if answer == Some(Answer::Absent) && subject.fails_so_far()? {
                gone.push(test.clone());
            }
            answers
                .known
                .extend(answer.map(|answer| (what.clone(), answer)));
        }
        let subject_of =
            |test: &ToldTest| ProblemSubject::of_step(report.step.clone(), Some(test.name.clone()));
        let is_fresh = |test: &&ToldTest| !known.contains_key(&subject_of(test));
        let mut fresh: Vec<_> = report.bad().filter(is_fresh).cloned().collect();
        for old in gone {
            let Some(place) = successor(of, report, &old, &fresh)? else {
                continue;
            };
            let new = fresh.swap_remove(place);
            answers.known.remove(&ProblemSubject::of_step(
                report.step.clone(),
                Some(old.clone()),
            ));
            known.rename(of, &report.step, &old, &new.name)?;
            let fails = Answer::Fail(message_prints(&new));
            answers.known.insert(subject_of(&new), fails);
        }
        if fresh.iter().filter(|test| test.outcome.is_bad()).count() > MOST_NEW {
            answers.as_a_whole.insert(report.step.clone());
        } else if !fresh.is_empty() {
            answers.fresh.insert(report.step.clone(), fresh);
        }
    }
    Ok(answers)
}

/// Which of the tests that newly fail is `old` under another name.
fn successor(
    of: &Of<'_>,
    report: &Tested,
    old: &TestName,
    fresh: &[ToldTest],
) -> rusqlite::Result<Option<usize>> {
    let message = message_before(of, report, old)?;
    let prints = |message: &str| fingerprint(message.lines().next().unwrap_or_default());
    for (place, new) in fresh.iter().enumerate() {
        let has_name = new.name.parts().last() == old.parts().last();
        let has_message = match (&message, &new.message) {
            (Some(before), Some(now)) => prints(before) == prints(now),
            _ => false,
        };
        let is_like = new.outcome.is_bad() && (has_name || has_message);
        if is_like && report.is_first_of(of.conn, &new.name)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// What the last report before this one said about a failing test.
fn message_before(
    of: &Of<'_>,
    report: &Tested,
    test: &TestName,
) -> rusqlite::Result<Option<String>> {
    let mut message = None;
    let build = (&of.build.builder, of.build.number);
    walk_back(of.conn, build, of.line, |earlier| {
        let reports = Tested::of_build(of.conn, earlier.build)?;
        let its = reports.iter().find(|its| its.step == report.step);
        let Some(its) = its else {
            return Ok(ControlFlow::Continue(()));
        };
        message = its.told_of(test).and_then(|told| told.message.clone());
        Ok(ControlFlow::Break(()))
    })?;
    Ok(message)
}

impl Answers {
    /// From now on these tests are followed. What they have answered so far is kept from the last
    /// point on at which they were well (PRB-10).
    pub(super) fn follow<'a>(&self, of: &'a Of<'a>, said: &mut Said) -> rusqlite::Result<()> {
        for (step, tests) in &self.fresh {
            let mut pending: Vec<_> = tests.iter().collect();
            let mut earlier: BTreeMap<&TestName, Vec<Evidence>> = BTreeMap::new();
            let build = (&of.build.builder, of.build.number);
            walk_back(of.conn, build, of.line, |before| {
                let reports = Tested::of_build(of.conn, before.build)?;
                let Some(its) = reports.iter().find(|its| its.step == *step) else {
                    return Ok(ControlFlow::Continue(()));
                };
                let mut left = Vec::new();
                for test in pending.drain(..) {
                    let answer = its.answer(of.conn, &test.name)?;
                    let is_well = matches!(answer, Some(Answer::Pass | Answer::Absent));
                    if let Some(answer) = answer {
                        let known = earlier.entry(&test.name).or_default();
                        known.push(before.says(answer));
                    }
                    if !(is_well && before.point < of.point) {
                        left.push(test);
                    }
                }
                pending = left;
                Ok(match pending.is_empty() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            })?;
            for test in tests {
                let what = ProblemSubject::of_step(step.clone(), Some(test.name.clone()));
                let earlier = earlier.remove(&test.name).unwrap_or_default();
                let mut subject = Subject::watch(of, what, &earlier)?;
                let fails = test.outcome.is_bad();
                let news = subject.hear(match fails {
                    true => Answer::Fail(message_prints(test)),
                    false => Answer::Mixed,
                })?;
                said.add(fails, news);
            }
        }
        Ok(())
    }

    /// Whether a test newly fails, or is newly flaky.
    pub(super) fn has_news(&self) -> bool {
        !(self.fresh.is_empty() && self.as_a_whole.is_empty())
    }
}

impl Subjects<'_> {
    fn rename(
        &mut self,
        of: &Of<'_>,
        step: &str,
        old: &TestName,
        new: &TestName,
    ) -> rusqlite::Result<()> {
        let (builder, tree) = (of.build.builder.as_str(), Json(&of.tree));
        let names = params![builder, tree, step, old.as_stored(), new.as_stored()];
        for sql in [RENAME_SUBJECT, RENAME_PROBLEM] {
            of.conn.prepare_cached(sql)?.execute(names)?;
        }
        let subject =
            |test: &TestName| ProblemSubject::of_step(step.to_owned(), Some(test.clone()));
        if let Some(mut its) = self.remove(&subject(old)) {
            its.what = subject(new);
            its.tell_open(ProblemEvent::Renamed)?;
            self.insert(subject(new), its);
        }
        Ok(())
    }
}

const RENAME_SUBJECT: &str = "UPDATE subject SET test = ?5
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4";
const RENAME_PROBLEM: &str = "UPDATE problem SET test = ?5
    WHERE builder = ?1 AND tree = ?2 AND step = ?3 AND test = ?4 AND state = 0";
