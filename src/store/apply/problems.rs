//! Judges a build that ends: what its steps and their tests answer, and which problems follow from
//! that (GRD-02).
//!
//! Of a step that passes nothing is kept. Once it has failed on a tree, it is a subject, and what
//! builds answer about it is kept until it has been well for long. The same holds for a test. So a
//! build that passes costs one look at the subjects of its tree and one for reports of tests, and
//! one that goes on failing does not look at the history.

mod of;
mod subject;
mod tests;

use rusqlite::{Connection, OptionalExtension, params};

use self::of::Of;
use self::subject::{Subject, Subjects};
use super::ended::EndedBuild;
use crate::model::journal::BuildFinish;
use crate::model::{ChangeNumber, Line, ProblemSubject, Properties, Results, revision_built};
use crate::store::column::Col;
use crate::store::read::{answers_of_build, answers_so_far, tree};
use crate::verdict::Answer;

/// Takes the answers of a build that ends and is not a try. One that is not known to be built of a
/// change is evidence of nothing (PRB-02).
pub(super) fn finished(
    conn: &Connection,
    end: &BuildFinish,
    build: &EndedBuild,
    line: &Line,
) -> rusqlite::Result<()> {
    let point = match build.newest {
        Some(point) => Some(point),
        None => point_of(conn, line, &end.properties)?,
    };
    let Some(point) = point else {
        return Ok(());
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
        return Ok(());
    }
    let mut steps = answers_of_build(conn, end.build)?;
    for step in &tests.as_a_whole {
        steps.insert(step.clone(), Answer::Fail(Default::default()));
    }
    let steps = steps.into_iter();
    let steps = steps.map(|(step, answer)| (ProblemSubject::Step(step), answer));
    for (what, answer) in steps.chain(tests.known.clone()) {
        let subject = match (known.remove(&what), &answer) {
            (Some(subject), _) => subject,
            (None, Answer::Fail(_)) => {
                let number = (&build.builder, build.number);
                let step = what.step().unwrap_or_default();
                let earlier = answers_so_far(conn, number, line, step, point)?;
                Subject::watch(&of, what, &earlier)?
            }
            (None, Answer::Pass | Answer::Absent | Answer::Mixed) => continue,
        };
        subject.hear(answer)?;
    }
    tests.follow(&of)
}

/// The point of a build of the newest revision, or of one that was asked for: the change of the
/// revision that it got. Of several codebases, that of the first one counts.
fn point_of(
    conn: &Connection,
    line: &Line,
    properties: &Properties,
) -> rusqlite::Result<Option<ChangeNumber>> {
    let Some(revision) = revision_built(properties) else {
        return Ok(None);
    };
    let of = params![
        revision,
        line.branch,
        line.repository,
        line.project,
        line.codebase
    ];
    conn.prepare_cached(CHANGE_OF_REVISION)?
        .query_row(of, |row| Ok(row.get::<_, Col<_>>(0)?.0))
        .optional()
}

const CHANGE_OF_REVISION: &str = "SELECT number FROM change
    WHERE revision = ?1 AND branch IS ?2 AND repository = ?3 AND project = ?4 AND codebase = ?5
    ORDER BY number DESC LIMIT 1";
