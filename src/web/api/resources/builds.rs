//! Builds and their steps.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::builders::RESULTS;
use super::{missing, time};
use crate::model::{BuilderName, Line, Origin, Timestamp};
use crate::store::State;
use crate::store::read::Passed;
use crate::view::{Build, BuildPage, Step};
use crate::web::api::resource::{All, Found, List, One, Part, Resource, Span};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::place;
use crate::web::refusal::Refusal;

const PARTS: &[Part] = &[
    Part {
        name: "properties",
        path: "/api/v1/builders/{builder}/builds/{number}",
    },
    Part {
        name: "steps",
        path: "/api/v1/builders/{builder}/builds/{number}/steps",
    },
];

const FILTERS: &[Arg] = &[
    Arg::text("builder").also(&["show"]),
    Arg::text("tag").also(&["category"]),
    Arg::text("branch"),
    Arg::text("project"),
    Arg::text("repository"),
    Arg::text("codebase"),
    Arg::word("result", RESULTS),
    Arg::word("news", &["new", "still", "fixed", "same"]),
    Arg::word("state", &["running", "finished"]),
    Arg::text("slave"),
    Arg::text("since"),
    Arg::text("until"),
    Arg::flag("try"),
];

pub(in crate::web) const OF_ALL: Resource = Resource::new(
    "/api/v1/builds",
    "Builds of all builders, the newest first; before and after are their ids.",
    FILTERS,
    &List(of_all),
)
.with(PARTS);

pub(in crate::web) const OF_BUILDER: Resource = Resource::new(
    "/api/v1/builders/{builder}/builds",
    "Builds of a builder, the newest first.",
    FILTERS,
    &List(of_builder),
)
.with(PARTS);

pub(in crate::web) const ONE: Resource = Resource::new(
    "/api/v1/builders/{builder}/builds/{build}",
    "A build with its steps and properties, and how it came about; -1 is the last one.",
    &[],
    &One(one),
);

pub(in crate::web) const STEPS: Resource = Resource::new(
    "/api/v1/builders/{builder}/builds/{build}/steps",
    "The steps of a build, in order.",
    &[],
    &All(steps),
);

pub(in crate::web) const STEP: Resource = Resource::new(
    "/api/v1/builders/{builder}/builds/{build}/steps/{step}",
    "A step of a build, by its name or its number from 0.",
    &[],
    &One(step),
);

/// How many builds are looked through for those that pass the filters.
const LOOKED_THROUGH: u32 = 2000;

/// What is asked of builds in a list.
struct Filter<'a> {
    scene: &'a Scene,
    builders: Option<BTreeSet<&'a str>>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl<'a> Filter<'a> {
    fn of(scene: &'a Scene) -> Result<Self, Refusal> {
        let (names, tags) = (scene.args.all("builder"), scene.args.all("tag"));
        let known = scene.config.builders.iter();
        let tagged = known.filter(|builder| tags.iter().any(|tag| builder.tags.contains(tag)));
        let tagged: BTreeSet<_> = tagged.map(|builder| builder.name.as_str()).collect();
        let named: BTreeSet<_> = names.iter().map(String::as_str).collect();
        let builders = match (names, tags) {
            ([], []) => None,
            ([], _) => Some(tagged),
            (_, []) => Some(named),
            _ => Some(&named & &tagged),
        };
        Ok(Self {
            scene,
            builders,
            since: time(scene, "since")?,
            until: time(scene, "until")?,
        })
    }

    /// Whether a build passes, as far as its own row says.
    fn passes(&self, build: &Passed) -> bool {
        let args = &self.scene.args;
        let news = build.news.map_or("same", |news| news.as_str());
        let state = match build.finished_at {
            Some(_) => "finished",
            None => "running",
        };
        let result = build.result.map(|result| result.as_str());
        let builders = self.builders.as_ref();
        builders.is_none_or(|builders| builders.contains(build.builder.as_str()))
            && is_one_of(args.all("result"), result)
            && is_one_of(args.all("news"), Some(news))
            && is_one_of(args.all("state"), Some(state))
            && is_one_of(args.all("slave"), Some(build.slave.as_str()))
            && self.since.is_none_or(|since| build.started_at >= since)
            && self.until.is_none_or(|until| build.started_at < until)
    }

    /// Whether what a build is made of matters.
    fn wants_origin(&self) -> bool {
        let args = &self.scene.args;
        let names = ["branch", "project", "repository", "codebase", "try"];
        names.iter().any(|name| !args.all(name).is_empty())
    }

    /// Whether a build passes that is made of this.
    fn passes_of(&self, origin: Option<&Origin>) -> bool {
        let args = &self.scene.args;
        let Some(Origin { line, is_try, .. }) = origin else {
            return false;
        };
        // One of the codebases is what is asked for.
        let passes = |tree: &Line| {
            let branch = tree.branch.as_deref().unwrap_or_default();
            is_one_of(args.all("branch"), Some(branch))
                && is_one_of(args.all("project"), Some(&tree.project))
                && is_one_of(args.all("repository"), Some(&tree.repository))
                && is_one_of(args.all("codebase"), Some(&tree.codebase))
        };
        line.trees().any(passes) && (args.all("try").is_empty() || args.flag("try") == *is_try)
    }
}

/// Whether a value is among those that are asked for; all are if none is.
fn is_one_of(wanted: &[String], value: Option<&str>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
}

fn of_all(state: &State, scene: &Scene, span: Span) -> Result<Found<Build>, Refusal> {
    found(state, scene, span, None)
}

fn of_builder(state: &State, scene: &Scene, span: Span) -> Result<Found<Build>, Refusal> {
    let name = BuilderName::from(scene.args.part("builder"));
    let known = state.builder_names()?;
    if !known.contains(&name) {
        let known = known.iter().map(BuilderName::as_str);
        return Err(missing("builder", name.as_str(), known));
    }
    found(state, scene, span, Some(&name))
}

/// Goes through builds from the newest on until there are enough, or enough were looked through.
fn found(
    state: &State,
    scene: &Scene,
    span: Span,
    builder: Option<&BuilderName>,
) -> Result<Found<Build>, Refusal> {
    let filter = Filter::of(scene)?;
    let limit = usize::try_from(span.limit).unwrap_or(usize::MAX);
    let mut ids = Vec::new();
    let mut looked = 0;
    let mut last = None;
    let between = span.between();
    state
        .walk_builds(builder, between, LOOKED_THROUGH + 1, |build| {
            if ids.len() == limit || looked == LOOKED_THROUGH {
                return Ok(ControlFlow::Break(()));
            }
            looked += 1;
            let passes = filter.passes(&build)
                && (!filter.wants_origin()
                    || filter.passes_of(state.origin_of(&build.requests)?.as_ref()));
            if passes {
                ids.push(build.id);
            }
            last = Some(match builder {
                Some(_) => build.number.0,
                None => build.id.0,
            });
            Ok(ControlFlow::Continue(()))
        })
        .map(|ended| {
            if ended {
                last = None;
            }
        })?;
    let mut items = Vec::new();
    for id in ids {
        items.extend(Build::of_id(state, id, scene.moment())?);
    }
    Ok(Found {
        items,
        next: last.map(|last| ("before", last)),
        total: None,
    })
}

fn one(state: &State, scene: &Scene) -> Result<BuildPage, Refusal> {
    let Build {
        builder, number, ..
    } = place::build(state, &scene.args, scene.moment())?;
    let page = BuildPage::find(state, &builder, number, scene.moment())?;
    page.ok_or_else(|| missing("build", &number.to_string(), []))
}

fn steps(state: &State, scene: &Scene) -> Result<Vec<Step>, Refusal> {
    Ok(place::build(state, &scene.args, scene.moment())?.steps)
}

fn step(state: &State, scene: &Scene) -> Result<Step, Refusal> {
    let build = place::build(state, &scene.args, scene.moment())?;
    let step = place::step(&build, &scene.args)?;
    let mut steps = build.steps;
    Ok(steps.swap_remove(step))
}
