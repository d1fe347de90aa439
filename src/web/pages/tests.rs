//! The tests of a build: the numbers that its steps have counted.
//!
//! Single tests are not kept yet, so none has a page.

use askama::Template;

use super::build::{missing, number};
use super::common::not_found;
use crate::store::State;
use crate::view::Build;
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome};
use crate::web::place;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/builders/{builder}/builds/{build}/tests",
    args: &[],
    permission: Permission::View,
    topics: &["build:{builder}/{build}"],
    api: None,
    place: Place::Below("Builders"),
    show,
};

/// One test of a build.
pub(in crate::web) const ONE: Page = Page {
    path: "/builders/{builder}/builds/{build}/tests/{test}",
    show: |state, scene| {
        find(state, scene)?;
        Err(not_found("test", scene.args.part("test")))
    },
    ..PAGE
};

/// One test of a builder.
pub(in crate::web) const OF_BUILDER: Page = Page {
    path: "/builders/{builder}/tests/{test}",
    topics: &["builder:{builder}"],
    show: |state, scene| {
        place::builder(state, &scene.args)?;
        Err(not_found("test", scene.args.part("test")))
    },
    ..PAGE
};

#[derive(Debug, Template)]
#[template(path = "tests.html", config = "src/web/askama.toml")]
struct Contents {
    builder: Link,
    build: Link,
    outcome: Outcome,
    name: String,
    rows: Vec<(Link, Vec<(String, String)>)>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let build = find(state, scene)?;
    let counted = build
        .steps
        .iter()
        .filter(|step| !step.statistics.is_empty());
    let rows = counted.map(|step| {
        let href = address::step(&build.builder, build.number, &step.name);
        let numbers = step.statistics.iter();
        let numbers = numbers.map(|(name, number)| (name.clone(), number.to_string()));
        (Link::to(&step.name, &href), numbers.collect())
    });
    let outcome = Outcome::of(build.result, build.news);
    let href = address::build(&build.builder, build.number);
    let contents = Contents {
        builder: Link::to(build.builder.as_str(), &address::builder(&build.builder)),
        build: Link::to(&build.number.to_string(), &href),
        outcome,
        name: format!("{} {}", build.builder, build.number),
        rows: rows.collect(),
    };
    let title = format!("{} · Tests", contents.name);
    let shown = Shown::new(title, &contents)?.of(outcome);
    Ok(shown.running(build.result.is_none()))
}

fn find(state: &State, scene: &Scene) -> Result<Build, Refusal> {
    let builder = place::builder(state, &scene.args)?;
    let number = number(state, scene, &builder)?;
    match Build::find(state, &builder, number, scene.moment())? {
        Some(build) => Ok(build),
        None => Err(missing(state, &builder, number)?),
    }
}

#[cfg(test)]
mod checks {
    use crate::web::testing::Farm;

    #[test]
    fn the_tests_of_a_build_are_what_its_steps_have_counted() {
        let farm = Farm::broken();
        let page = farm.page("/builders/linux/builds/1/tests");
        assert!(
            page.contains("No step of this build has counted tests."),
            "{page}"
        );
        for address in [
            "/builders/none/builds/1/tests",
            "/builders/linux/builds/99/tests",
            "/builders/linux/builds/1/tests/a.b",
            "/builders/linux/tests/a.b",
        ] {
            assert_eq!(farm.get(address).status, 404, "{address}");
        }
    }
}
