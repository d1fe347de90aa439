//! The tests of a build (TST-11).

use serde_json::{Map, Value, json};

use super::tree::Tree;
use crate::model::{Results, TestOutcome};
use crate::view::{Build, StepTests, Test};
use crate::web::address;
use crate::web::refusal::Refusal;

/// The tests of a build, by their names with dots. Buildbot 0.8 has these four facts of a test, and
/// shows them on a page only.
pub(super) fn tests(tree: Tree<'_>, build: &Build) -> Result<Map<String, Value>, Refusal> {
    let base = tree.scene.config.buildbot_url.trim_end_matches('/');
    let mut all = Map::new();
    for step in StepTests::of_build(tree.state, build)? {
        for test in step.tests {
            let logs = test.place.as_ref().map(|place| {
                let path = address::log(&build.builder, build.number, &step.step, &place.log);
                json!([place.log, format!("{base}{path}")])
            });
            let shown = json!({
                "name": test.name.parts().collect::<Vec<_>>(),
                "results": number_of(&test).number(),
                "text": test.result.as_str().split(' ').collect::<Vec<_>>(),
                "logs": logs.into_iter().collect::<Vec<_>>(),
            });
            all.entry(test.name.shown()).or_insert(shown);
        }
    }
    Ok(all)
}

/// The result that steps of Buildbot 0.8 give to a test.
const fn number_of(test: &Test) -> Results {
    match test.result {
        TestOutcome::Passed | TestOutcome::ExpectedFailure => Results::Success,
        TestOutcome::UnexpectedSuccess => Results::Warnings,
        TestOutcome::Failed | TestOutcome::Error | TestOutcome::BadSuccess => Results::Failure,
        TestOutcome::Skipped => Results::Skipped,
    }
}
