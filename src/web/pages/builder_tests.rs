//! How the tests of a builder stand: those that fail, fail often, are slow or are in quarantine
//! (TST-11).

use askama::Template;

use crate::model::{BuildNumber, BuilderName, TestName};
use crate::store::State;
use crate::view::{BuilderTests, LineTests};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Time};
use crate::web::place;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/builders/{builder}/tests",
    args: &[],
    permission: Permission::View,
    topics: &["builder:{builder}"],
    api: Some("/api/v1/builders/{builder}/tests"),
    place: Place::Below("Builders"),
    show,
};

/// So many tests of each kind are listed.
const MOST: usize = 20;

#[derive(Debug, Template)]
#[template(path = "builder_tests.html", config = "src/web/askama.toml")]
struct Contents {
    builder: Link,
    name: String,
    lines: Vec<LinePart>,
    quarantined: Vec<(Link, String, String, Time)>,
}

/// The tests of a step on a branch.
#[derive(Debug)]
struct LinePart {
    step: String,
    branch: String,
    last: Link,
    counts: String,
    failing: Vec<(Link, &'static str, Link)>,
    /// How many failing tests are not listed.
    left_out: u64,
    flakiest: Vec<(Link, u64)>,
    slowest: Vec<(Link, String)>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let builder = place::builder(state, &scene.args)?;
    let tests = BuilderTests::of(state, &builder, MOST)?;
    let quarantined = tests.quarantined.into_iter().map(|one| {
        let until = scene.second(one.quarantine.until);
        (
            test(&builder, &one.name),
            one.quarantine.owner,
            one.quarantine.reason,
            until,
        )
    });
    let contents = Contents {
        builder: Link::to(builder.as_str(), &address::builder(&builder)),
        name: builder.to_string(),
        lines: tests
            .lines
            .into_iter()
            .map(|line| LinePart::new(line, &builder))
            .collect(),
        quarantined: quarantined.collect(),
    };
    Shown::new(format!("{} · Tests", contents.name), &contents)
}

impl LinePart {
    fn new(line: LineTests, builder: &BuilderName) -> Self {
        let listed = line.failing.len() as u64;
        Self {
            step: line.step,
            branch: line
                .branch
                .map_or_else(String::new, |branch| format!(" on {branch}")),
            last: tests_of(builder, line.last),
            counts: match (line.tests, line.failed) {
                (1, 0) => "1 test".to_owned(),
                (1, _) => "1 test, which fails".to_owned(),
                (tests, 0) => format!("{tests} tests"),
                (tests, failed) => format!("{tests} tests, {failed} of them failing"),
            },
            failing: line
                .failing
                .iter()
                .map(|one| {
                    let since = tests_of(builder, one.since);
                    (test(builder, &one.name), one.result.as_str(), since)
                })
                .collect(),
            left_out: line.failed.saturating_sub(listed),
            flakiest: line
                .flakiest
                .iter()
                .map(|one| (test(builder, &one.name), one.failures))
                .collect(),
            slowest: line
                .slowest
                .iter()
                .map(|one| (test(builder, &one.name), format!("{} s", one.secs)))
                .collect(),
        }
    }
}

fn test(builder: &BuilderName, name: &TestName) -> Link {
    Link::to(&name.shown(), &address::test(builder, name.hash()))
}

fn tests_of(builder: &BuilderName, number: BuildNumber) -> Link {
    let href = format!("{}/tests", address::build(builder, number));
    Link::to(&number.to_string(), &href)
}
