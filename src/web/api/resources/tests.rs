//! Tests: of builds, of builders, and their history (TST-11).

use super::missing;
use crate::store::State;
use crate::view::{BuilderTests, StepTests, TestStory};
use crate::web::api::resource::{All, One, Resource};
use crate::web::page::Scene;
use crate::web::place;
use crate::web::refusal::Refusal;

pub(in crate::web) const OF_BUILD: Resource = Resource::new(
    "/api/v1/builders/{builder}/builds/{build}/tests",
    "The tests of the steps of a build, those that fail first.",
    &[],
    &All(of_build),
);

pub(in crate::web) const OF_BUILDER: Resource = Resource::new(
    "/api/v1/builders/{builder}/tests",
    "The tests of a builder that fail, that fail most often, that are slowest and that are in \
     quarantine.",
    &[],
    &One(of_builder),
);

pub(in crate::web) const ONE: Resource = Resource::new(
    "/api/v1/builders/{builder}/tests/{test}",
    "A test, by the number of its name or by its name with dots: when its outcome became another, \
     on all builders.",
    &[],
    &One(one),
);

/// So many tests of each kind are listed.
const MOST: usize = 100;
/// So many changes of a test on each line are listed.
const MOST_CHANGES: u32 = 100;

fn of_build(state: &State, scene: &Scene) -> Result<Vec<StepTests>, Refusal> {
    let build = place::build(state, &scene.args, scene.moment())?;
    Ok(StepTests::of_build(state, &build)?)
}

fn of_builder(state: &State, scene: &Scene) -> Result<BuilderTests, Refusal> {
    let builder = place::builder(state, &scene.args)?;
    Ok(BuilderTests::of(state, &builder, MOST)?)
}

fn one(state: &State, scene: &Scene) -> Result<TestStory, Refusal> {
    let builder = place::builder(state, &scene.args)?;
    let asked = scene.args.part("test");
    let found = match place::test(state, asked)? {
        Some(hash) => TestStory::find(state, (hash, &builder), scene.now, MOST_CHANGES)?,
        None => None,
    };
    found.ok_or_else(|| missing("test", asked, []))
}
