//! Builders.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{includes, missing};
use crate::model::BuilderName;
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::{self, Brief, Standing};
use crate::web::api::resource::{All, One, Part, Resource};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

const PARTS: &[Part] = &[Part {
    name: "builds",
    path: "/api/v1/builders/{name}/builds",
}];

pub(in crate::web) const ALL: Resource = Resource::new(
    "/api/v1/builders",
    "All builders, in the order of the configuration.",
    &[
        Arg::text("builder").also(&["show"]),
        Arg::text("tag").also(&["category"]),
        Arg::word("state", &["offline", "idle", "building"]),
        Arg::word("result", RESULTS),
        Arg::text("q"),
    ],
    &All(all),
)
.with(PARTS);

pub(in crate::web) const ONE: Resource = Resource::new(
    "/api/v1/builders/{builder}",
    "A builder: what it does, and where it stands.",
    &[],
    &One(one),
)
.with(PARTS);

/// The words of results.
pub(super) const RESULTS: &[&str] = &[
    "success",
    "warnings",
    "failure",
    "skipped",
    "exception",
    "retry",
];

/// How many builds say what is usual, and how many come with a builder.
const LAST_BUILDS: u32 = 12;

/// A builder, and where it stands.
#[derive(Debug, JsonSchema, Serialize)]
struct BuilderPage {
    #[serde(flatten)]
    builder: view::Builder,
    /// Where it stands on the tree that it built last; null if it has built nothing that says
    /// something.
    line: Option<Standing>,
    /// How long its builds usually take, in seconds; null if none was good lately.
    usual_seconds: Option<f64>,
    /// Why its first request waits; null if none waits.
    why: Option<String>,
    /// Its newest builds.
    builds: Option<Vec<Brief>>,
}

fn all(state: &State, scene: &Scene) -> Result<Vec<BuilderPage>, Refusal> {
    let args = &scene.args;
    let (names, tags) = (args.all("builder"), args.all("tag"));
    let query = args.text("q").unwrap_or_default().to_lowercase();
    let (wanted, result) = (args.text("state"), args.text("result"));
    let live = &scene.live;
    let all = view::Builder::all(Some(state), Some(&scene.config), live, scene.moment())?;
    let is_wanted = |builder: &view::Builder| {
        let own = builder.tags.as_deref().unwrap_or_default();
        (names.is_empty() || names.iter().any(|name| name == builder.name.as_str()))
            && (tags.is_empty() || tags.iter().any(|tag| own.contains(tag)))
            && wanted.is_none_or(|state| builder.state == state)
            && builder.name.as_str().to_lowercase().contains(&query)
    };
    let found = read(state, scene, all.into_iter().filter(is_wanted))?;
    let has_result = |builder: &BuilderPage| {
        let line = builder.line.as_ref();
        result.is_none_or(|result| line.is_some_and(|line| line.result.as_str() == result))
    };
    Ok(found.into_iter().filter(has_result).collect())
}

fn one(state: &State, scene: &Scene) -> Result<BuilderPage, Refusal> {
    let asked = scene.args.part("builder");
    let (config, name) = (&scene.config, BuilderName::from(asked));
    let one = view::Builder::find(state, config, &scene.live, scene.moment(), &name)?;
    let mut found = read(state, scene, one.into_iter())?;
    found.pop().ok_or_else(|| {
        let known = scene.config.builders.iter();
        missing("builder", asked, known.map(|b| b.name.as_str()))
    })
}

fn read(
    state: &State,
    scene: &Scene,
    builders: impl Iterator<Item = view::Builder>,
) -> Result<Vec<BuilderPage>, Refusal> {
    let live = &scene.live;
    let mut lines: BTreeMap<BuilderName, Standing> = Standing::all(state)?;
    let mut found = Vec::new();
    for builder in builders {
        let builds = Brief::newest(state, &builder.name, Wanted::default(), LAST_BUILDS)?;
        found.push(BuilderPage {
            line: lines.remove(&builder.name),
            usual_seconds: Brief::usual(&builds).as_ref().map(Duration::as_secs_f64),
            why: live.waits.get(&builder.name).cloned(),
            builds: includes(scene, "builds").then_some(builds),
            builder,
        });
    }
    Ok(found)
}
