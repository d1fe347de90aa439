//! Schedulers, and when they run next.

use schemars::JsonSchema;
use serde::Serialize;

use super::{missing, time};
use crate::config::SchedulerConfig;
use crate::model::{BuilderName, SchedulerName, Timestamp};
use crate::schedulers::runs;
use crate::store::State;
use crate::view::Scheduler;
use crate::web::api::resource::{All, One, Resource};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const ALL: Resource = Resource::new(
    "/api/v1/schedulers",
    "All schedulers, what waits in them, and when they run next.",
    &[Arg::text("builder").also(&["show"])],
    &All(all),
);

pub(in crate::web) const ONE: Resource = Resource::new(
    "/api/v1/schedulers/{scheduler}",
    "A scheduler.",
    &[],
    &One(one),
);

pub(in crate::web) const NEXT: Resource = Resource::new(
    "/api/v1/schedulers/{scheduler}/next",
    "The next runs by the clock of a timed scheduler, in order; of another one there are none.",
    &[Arg::number("count", 1, 1000), Arg::text("from")],
    &One(next),
);

/// How many runs, unless `count` says otherwise.
const RUNS: u64 = 10;

/// The runs of a scheduler.
#[derive(Debug, JsonSchema, Serialize)]
struct Runs {
    /// The runs, in order of time.
    items: Vec<Run>,
}

/// A run of a scheduler.
#[derive(Debug, JsonSchema, Serialize)]
struct Run {
    /// The scheduler.
    scheduler: SchedulerName,
    /// When it runs.
    #[serde(serialize_with = "crate::view::json::time")]
    at: Timestamp,
    /// Whether it builds even if nothing has changed.
    forced: bool,
    /// The builders.
    builders: Vec<BuilderName>,
}

fn all(state: &State, scene: &Scene) -> Result<Vec<Scheduler>, Refusal> {
    let configs = scene.config.schedulers.iter().map(AsRef::as_ref);
    let mut all = Scheduler::all(Some(state), configs, scene.now)?;
    let builders = scene.args.all("builder");
    all.retain(|scheduler| {
        let mut own = scheduler.builders.iter();
        builders.is_empty() || own.any(|own| builders.iter().any(|b| b == own.as_str()))
    });
    Ok(all)
}

/// The configuration of the scheduler that is asked for.
fn config(scene: &Scene) -> Result<&SchedulerConfig, Refusal> {
    let asked = scene.args.part("scheduler");
    let mut known = scene.config.schedulers.iter();
    let found = known.find(|config| config.name.as_str() == asked);
    found.map(AsRef::as_ref).ok_or_else(|| {
        let known = scene.config.schedulers.iter();
        missing("scheduler", asked, known.map(|s| s.name.as_str()))
    })
}

fn one(state: &State, scene: &Scene) -> Result<Scheduler, Refusal> {
    let config = config(scene)?;
    let found = Scheduler::all(Some(state), [config], scene.now)?.pop();
    found.ok_or_else(|| missing("scheduler", config.name.as_str(), []))
}

fn next(_: &State, scene: &Scene) -> Result<Runs, Refusal> {
    let config = config(scene)?;
    let from = time(scene, "from")?.unwrap_or(scene.now);
    let count = scene.args.number("count").unwrap_or(RUNS);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let runs = runs(&config.kind, from).into_iter().flatten().take(count);
    let run = |run: crate::schedulers::Run| Run {
        scheduler: config.name.clone(),
        at: run.at,
        forced: run.forced,
        builders: config.builders.clone(),
    };
    Ok(Runs {
        items: runs.map(run).collect(),
    })
}
