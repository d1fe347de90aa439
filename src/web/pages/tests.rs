//! The tests of a build, and the history of a test (TST-11).

use askama::Template;

use super::build::{missing, number};
use super::common::not_found;
use super::test_text::InBuild;
use crate::control::Target;
use crate::model::{Action, BuildNumber, BuilderName, Quarantine, TestName};
use crate::store::State;
use crate::text::commas;
use crate::view::{Build, Flakiness, StepTests, Test, TestChange};
use crate::web::address;
use crate::web::page::{Marks, Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome, Time, Tone, change};
use crate::web::place;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/builders/{builder}/builds/{build}/tests",
    args: &[],
    permission: Permission::View,
    topics: &["build:{builder}/{build}"],
    api: Some("/api/v1/builders/{builder}/builds/{build}/tests"),
    place: Place::Below("Builders"),
    show,
};

/// One test of a build.
pub(in crate::web) const ONE: Page = Page {
    path: "/builders/{builder}/builds/{build}/tests/{test}",
    api: Some("/api/v1/builders/{builder}/tests/{test}"),
    show: |state, scene| {
        let build = find(state, scene)?;
        history(state, scene, (&build.builder, Some(&build)))
    },
    ..PAGE
};

/// One test of a builder.
pub(in crate::web) const OF_BUILDER: Page = Page {
    path: "/builders/{builder}/tests/{test}",
    topics: &["builder:{builder}"],
    api: Some("/api/v1/builders/{builder}/tests/{test}"),
    show: |state, scene| {
        let builder = place::builder(state, &scene.args)?;
        history(state, scene, (&builder, None))
    },
    ..PAGE
};

/// So many tests of a step are listed.
const MOST_LISTED: usize = 1_000;
/// So many slow tests are listed.
const MOST_SLOW: usize = 10;
/// So many changes of a test on each line are listed.
const MOST_CHANGES: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "tests.html", config = "src/web/askama.toml")]
struct Contents {
    builder: Link,
    builder_name: String,
    /// The address of the tests of the builder.
    tests: String,
    build: Link,
    outcome: Outcome,
    name: String,
    steps: Vec<StepPart>,
    /// Steps that have counted tests, and say nothing of single ones.
    counted: Vec<(Link, Vec<(String, String)>)>,
}

/// The tests of a step.
#[derive(Debug)]
struct StepPart {
    step: Link,
    counts: String,
    is_complete: bool,
    notes: Vec<String>,
    bad: Vec<Row>,
    slow: Vec<Row>,
    rest: Vec<Row>,
    /// How many are not listed.
    left_out: usize,
}

#[derive(Debug)]
struct Row {
    test: Link,
    outcome: Outcome,
    result: String,
    since: Option<Link>,
    took: String,
    text: String,
}

#[derive(Debug, Template)]
#[template(path = "test.html", config = "src/web/askama.toml")]
struct History {
    builder: Link,
    /// The address of the tests of the builder.
    tests: String,
    name: String,
    /// Who sees to it that it gets well, why it is in quarantine, and until when.
    quarantine: Option<(String, String, Time)>,
    /// What puts it there or takes it out, for those who may.
    form: Option<QuarantineForm>,
    flaky: Vec<FlakyPlace>,
    /// Who cares for the builder.
    owners: String,
    in_build: Vec<InBuild>,
    rows: Vec<(Link, String, String, Link, Outcome, &'static str)>,
}

/// The form that puts a test in quarantine, or takes it out.
#[derive(Debug)]
struct QuarantineForm {
    action: String,
    marks: Marks,
    /// Who is likely to see to it.
    owner: String,
    /// For how many days it is there unless something else is filled in.
    days: u32,
    /// Whether it can be taken out here: not one that is in quarantine on all builders.
    ends: bool,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let build = find(state, scene)?;
    let tests = StepTests::of_build(state, &build)?;
    let has_tests = |name: &str| tests.iter().any(|tests| tests.step == name);
    let counted = build
        .steps
        .iter()
        .filter(|step| !step.statistics.is_empty() && !has_tests(&step.name));
    let counted = counted.map(|step| {
        let href = address::step(&build.builder, build.number, &step.name);
        let numbers = step.statistics.iter();
        let numbers = numbers.map(|(name, number)| (name.clone(), number.to_string()));
        (Link::to(&step.name, &href), numbers.collect())
    });
    let outcome = Outcome::of(build.result, build.news);
    let href = address::build(&build.builder, build.number);
    let contents = Contents {
        builder_name: build.builder.to_string(),
        builder: Link::to(build.builder.as_str(), &address::builder(&build.builder)),
        tests: format!("{}/tests", address::builder(&build.builder)),
        build: Link::to(&build.number.to_string(), &href),
        outcome,
        name: format!("{} {}", build.builder, build.number),
        counted: counted.collect(),
        steps: tests
            .iter()
            .map(|tests| StepPart::new(tests, &build))
            .collect(),
    };
    let title = format!("{} · Tests", contents.name);
    let shown = Shown::new(title, &contents)?.of(outcome);
    Ok(shown.running(build.result.is_none()))
}

impl StepPart {
    fn new(tests: &StepTests, build: &Build) -> Self {
        let row = |test: &Test| Row::new(test, build);
        let good: Vec<_> = tests
            .tests
            .iter()
            .filter(|test| !test.result.is_bad() && !test.is_flaky)
            .collect();
        let href = address::step(&build.builder, build.number, &tests.step);
        Self {
            step: Link::to(&tests.step, &href),
            counts: tests.counts.in_words(),
            is_complete: tests.is_complete,
            notes: tests.notes.clone(),
            bad: tests.not_good().take(MOST_LISTED).map(row).collect(),
            slow: tests.slowest(MOST_SLOW).into_iter().map(row).collect(),
            left_out: good.len().saturating_sub(MOST_LISTED),
            rest: good.into_iter().take(MOST_LISTED).map(row).collect(),
        }
    }
}

impl Row {
    fn new(test: &Test, build: &Build) -> Self {
        let since = test.since.filter(|since| *since != build.number);
        let since = since.map(|since| {
            let href = address::build(&build.builder, since);
            Link::to(&since.to_string(), &href)
        });
        let name = test.name.shown();
        Self {
            test: Link::to(&name, &address::test_of_build(build, test.name.hash())),
            outcome: Outcome::plain(tone(test)),
            result: test.in_words(),
            since,
            took: test
                .secs
                .map_or_else(String::new, |secs| format!("{secs} s")),
            text: test.text.clone().unwrap_or_default(),
        }
    }
}

const fn tone(test: &Test) -> Tone {
    match (test.result.is_bad(), test.is_flaky) {
        (true, _) => Tone::Fail,
        (false, true) => Tone::Warn,
        (false, false) => Tone::Ok,
    }
}

/// The history of the test that the address names.
fn history(
    state: &State,
    scene: &Scene,
    (builder, build): (&BuilderName, Option<&Build>),
) -> Result<Shown, Refusal> {
    let asked = scene.args.part("test");
    let hash = place::test(state, asked)?;
    let name = match hash {
        Some(hash) => state.test_name(hash)?,
        None => None,
    };
    let (Some(hash), Some(name)) = (hash, name) else {
        return Err(not_found("test", asked));
    };
    let changes = TestChange::history(state, hash, MOST_CHANGES)?;
    let in_build = match build {
        Some(build) => InBuild::of(state, build, hash, |test| Outcome::plain(tone(test)))?,
        None => Vec::new(),
    };
    if changes.is_empty() && in_build.is_empty() {
        return Err(not_found("test", asked));
    }
    let quarantine = state.quarantine_of(&name, builder, scene.moment().now)?;
    let flaky = Flakiness::of(state, builder, None, name.as_stored())?;
    let form = quarantine_form(state, scene, (builder, &name), quarantine.as_ref())?;
    page_of(
        (builder, scene),
        (&name, form),
        (quarantine, &flaky, in_build),
        &changes,
    )
}

fn quarantine_form(
    state: &State,
    scene: &Scene,
    (builder, name): (&BuilderName, &TestName),
    known: Option<&Quarantine>,
) -> Result<Option<QuarantineForm>, Refusal> {
    let is_here = known.is_none_or(|one| one.builder.is_some());
    let target = Target::Builder(builder.clone());
    let marks = match is_here {
        true => scene.form(state, Action::Problem, &target)?,
        false => None,
    };
    let owners = scene.config.owners_of_builder(builder.as_str());
    let owner = owners.into_iter().next();
    let owner = owner.or_else(|| scene.reader.user().map(str::to_owned));
    let act = if known.is_some() {
        "unquarantine"
    } else {
        "quarantine"
    };
    Ok(marks.map(|marks| QuarantineForm {
        action: format!("{}/{act}", address::test(builder, name.hash())),
        marks,
        owner: owner.unwrap_or_default(),
        days: scene.config.quarantine.quarantine_days,
        ends: known.is_some(),
    }))
}

/// Where something is flaky: the branch and the step, how often it fails, and the builds that
/// contradict each other.
pub(super) type FlakyPlace = (String, String, Vec<(Link, Link, Link)>);

/// Where something is flaky on a builder, how often it fails, and the builds that show it (FLK-08).
pub(super) fn flaky(builder: &BuilderName, flaky: &[Flakiness]) -> Vec<FlakyPlace> {
    let build =
        |number: BuildNumber| Link::to(&number.to_string(), &address::build(builder, number));
    let row = |one: &Flakiness| {
        let branch = one.branch.as_deref().filter(|branch| !branch.is_empty());
        let place = match branch {
            Some(branch) => format!("{} on {branch}", one.step),
            None => one.step.clone(),
        };
        let contradictions = one.contradictions.iter();
        let links = contradictions.map(|one| {
            let point = change(one.point);
            (point, build(one.failing), build(one.passing))
        });
        (place, one.in_words(), links.collect())
    };
    flaky.iter().map(row).collect()
}

fn page_of(
    (builder, scene): (&BuilderName, &Scene),
    (name, form): (&TestName, Option<QuarantineForm>),
    (quarantine, flaky_on, in_build): (Option<Quarantine>, &[Flakiness], Vec<InBuild>),
    changes: &[TestChange],
) -> Result<Shown, Refusal> {
    let rows = changes.iter().map(|change| {
        let href = address::build(&change.builder, change.number);
        let is_bad = change.result.is_some_and(|result| result.is_bad());
        let tone = if is_bad { Tone::Fail } else { Tone::Ok };
        (
            Link::to(change.builder.as_str(), &address::builder(&change.builder)),
            change
                .branch
                .clone()
                .unwrap_or_else(|| "(default)".to_owned()),
            change.step.clone(),
            Link::to(&change.number.to_string(), &href),
            Outcome::plain(tone),
            change.in_words(),
        )
    });
    let contents = History {
        builder: Link::to(builder.as_str(), &address::builder(builder)),
        tests: format!("{}/tests", address::builder(builder)),
        name: name.shown(),
        quarantine: quarantine.map(|one| {
            let until = scene.second(one.until);
            (one.owner, one.reason, until)
        }),
        form,
        flaky: flaky(builder, flaky_on),
        owners: commas(scene.config.owners_of_builder(builder.as_str())),
        in_build,
        rows: rows.collect(),
    };
    Shown::new(format!("{} · Test", contents.name), &contents)
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
            page.contains("No step of this build has told of tests."),
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
