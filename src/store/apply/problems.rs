//! Judges a build that ends: what its steps and their tests answer, and which problems follow from
//! that (GRD-02).
//!
//! Of a step that passes nothing is kept. Once it has failed on a tree, it is a subject, and what
//! builds answer about it is kept until it has been well for long. The same holds for a test. So a
//! build that passes costs one look at the subjects of its tree, and one that goes on failing does
//! not look at the history.

mod gone;
mod of;
pub(super) mod row;
mod subject;
mod tests;

use rusqlite::Connection;

pub(super) use self::gone::configured;
use self::of::Of;
use self::subject::{Subject, Subjects};
use super::ended::EndedBuild;
use crate::model::journal::BuildFinish;
use crate::model::{Judgement, Line, ProblemSubject, Results};
use crate::store::read::{answers_of_build, answers_so_far, point_of, tree};
use crate::verdict::Answer;

/// What a build that ends says of problems (PRB-23).
#[derive(Default)]
pub(super) struct Said {
    /// Whether something of it fails. Then it is what these problems say.
    pub(super) fails: bool,
    /// What its problems are for the build; absent if it has none.
    pub(super) news: Option<Judgement>,
}

impl Said {
    /// Adds what one answer says: something new counts more than what fails still, and that more
    /// than what is fixed.
    fn add(&mut self, fails: bool, news: Option<Judgement>) {
        self.fails |= fails;
        let all = [self.news, news];
        let mut kinds = [Judgement::New, Judgement::Still, Judgement::Fixed].into_iter();
        self.news = kinds.find(|kind| all.contains(&Some(*kind)));
    }
}

/// Takes the answers of a build that ends and is not a try. One that is not known to be built of a
/// change is evidence of nothing (PRB-02).
pub(super) fn finished(
    conn: &Connection,
    end: &BuildFinish,
    build: &EndedBuild,
    line: &Line,
) -> rusqlite::Result<Said> {
    let mut said = Said::default();
    let Some(point) = point_of(conn, build.newest, line, &end.properties)? else {
        return Ok(said);
    };
    let of = Of {
        conn,
        end,
        build,
        line,
        tree: tree(line),
        point,
    };
    let mut known = Subjects::of(&of)?;
    let tests = tests::answers(&of, &mut known)?;
    let may_fail = matches!(
        end.result,
        Results::Failure | Results::Exception | Results::Retry
    );
    if known.is_empty() && !may_fail && !tests.has_news() {
        return Ok(said);
    }
    let mut steps = answers_of_build(conn, end.build)?;
    for step in &tests.as_a_whole {
        steps.insert(step.clone(), Answer::Fail(Default::default()));
    }
    let steps = steps.into_iter();
    let steps = steps.map(|(step, answer)| (ProblemSubject::Step(step), answer));
    for (what, answer) in steps.chain(tests.known.clone()) {
        let fails = matches!(answer, Answer::Fail(_));
        let mut subject = match known.remove(&what) {
            Some(subject) => subject,
            None if fails => {
                let number = (&build.builder, build.number);
                let step = what.step().unwrap_or_default();
                let earlier = answers_so_far(conn, number, line, step, point)?;
                Subject::watch(&of, what, &earlier)?
            }
            None => continue,
        };
        let news = subject.hear(answer)?;
        said.add(fails, news);
    }
    tests.follow(&of, &mut said)?;
    Ok(said)
}
