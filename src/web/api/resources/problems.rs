//! Problems of trees.

use super::{missing, number};
use crate::model::{BuilderName, ProblemNumber};
use crate::store::State;
use crate::store::read::{ProblemFilter, ProblemRow};
use crate::view::{Problem, ProblemStory};
use crate::web::api::resource::{Found, List, One, Resource, Span};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const PROBLEMS: Resource = Resource::new(
    "/api/v1/problems",
    "What is broken, since when, and which changes may have done it, the newest first. Those that \
     are over too with state=all.",
    &[Arg::text("builder"), Arg::word("state", &["open", "all"])],
    &List(problems),
);

pub(in crate::web) const PROBLEM: Resource = Resource::new(
    "/api/v1/problems/{problem}",
    "A problem, and what has happened to it.",
    &[],
    &One(problem),
);

fn problems(state: &State, scene: &Scene, span: Span) -> Result<Found<Problem>, Refusal> {
    let wanted = ProblemFilter {
        all: scene.args.text("state") == Some("all"),
        builder: scene.args.text("builder").map(BuilderName::from),
        before: span.before.map(ProblemNumber),
    };
    let rows = state.problems(&wanted, span.read())?;
    let number = |row: &ProblemRow| row.problem.number.0;
    Ok(span.page(rows, number, |row| Problem::at(scene.now, row)))
}

fn problem(state: &State, scene: &Scene) -> Result<ProblemStory, Refusal> {
    let asked = number(scene, "problem", "problem")?;
    let found = ProblemStory::find(state, &scene.config, ProblemNumber(asked), scene.now)?;
    found.ok_or_else(|| missing("problem", &asked.to_string(), []))
}
