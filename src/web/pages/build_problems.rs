//! The problems on the page of a build: what is new, what fails still, and what is fixed (PRB-23).

use crate::model::{ChangeNumber, Judgement};
use crate::store::{State, StoreError};
use crate::view::{Build, BuildProblem, Standing, Step};
use crate::web::address;
use crate::web::parts::Link;

/// How many problems of which kind a build has.
pub(super) fn count(build: &Build) -> String {
    build.count_of_problems()
}

/// A problem as the build has it.
#[derive(Debug)]
pub(super) struct ProblemRow {
    pub(super) what: String,
    pub(super) class: &'static str,
    pub(super) words: String,
    /// Absent for what fails in a try alone.
    pub(super) link: Option<Link>,
}

impl ProblemRow {
    /// All problems of a build.
    pub(super) fn all(build: &Build) -> Vec<Self> {
        let own = build.yours.iter().map(|own| Self {
            what: own.what.clone(),
            class: "fail new",
            words: "yours, the base does not fail so".to_owned(),
            link: None,
        });
        own.chain(build.problems.iter().map(Self::new)).collect()
    }

    fn new(problem: &BuildProblem) -> Self {
        Self {
            what: problem.what.clone(),
            class: match problem.news {
                Judgement::New => "fail new",
                Judgement::Still => "fail still",
                Judgement::Fixed => "ok fixed",
            },
            words: problem.words(),
            link: Some(Link::to(
                &format!("problem {}", problem.problem),
                &address::problem(problem.problem),
            )),
        }
    }
}

/// The links of a step, and the problems of what fails in it.
pub(super) fn links(build: &Build, step: &Step) -> Vec<(String, Option<String>)> {
    let own = step.links.iter().map(|link| {
        let href = address::outside(&link.url).map(str::to_owned);
        (link.name.clone(), href)
    });
    let is_of_step = |problem: &&BuildProblem| {
        let is_there = problem.news != Judgement::Fixed && problem.test.is_none();
        is_there && problem.step.as_ref() == Some(&step.name)
    };
    let problems = build.problems.iter().filter(is_of_step).map(|problem| {
        let text = format!("problem {}", problem.problem);
        (text, Some(address::problem(problem.problem)))
    });
    own.chain(problems).collect()
}

/// The changes that have begun what a build fails with, of those since the last good one.
pub(super) fn began(
    state: &State,
    build: &Build,
    since: &[ChangeNumber],
) -> Result<Vec<ChangeNumber>, StoreError> {
    Ok(match build.news {
        Some(Judgement::New) => since.to_vec(),
        Some(Judgement::Still) => {
            let standing = Standing::all(state)?.remove(&build.builder);
            standing.map_or_else(Vec::new, |line| line.began)
        }
        Some(Judgement::Fixed) | None => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn prb_23_a_build_says_which_of_its_problems_are_new() {
        let farm = Farm::broken();
        let new = farm.page("/builders/linux/builds/1");
        assert!(new.contains("1 new failure"), "{new}");
        let still = farm.page("/builders/linux/builds/2");
        for text in [
            "1 known failure",
            "failing since build 1, one of changes 7 by Ines Okafor and 8 by Yuki Arai",
            r#"<a href="/problems/1">problem 1</a>"#,
        ] {
            assert!(still.contains(text), "{text}: {still}");
        }
    }
}
