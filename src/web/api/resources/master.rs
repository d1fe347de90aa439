//! The master: what the start page says, and what it says of its own process.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{
    BuildNumber, BuilderName, ChangeNumber, Remaining, SchedulerName, SlaveName, Timestamp,
};
use crate::store::State;
use crate::view::{Build, Builder, Overview, Scheduler, Standing, json};
use crate::web::api::resource::{One, Resource};
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const SUMMARY: Resource = Resource::new(
    "/api/v1/summary",
    "What the start page says: what is broken, what runs, what waits and why, what comes next.",
    &[],
    &One(summary),
);

pub(in crate::web) const MASTER: Resource = Resource::new(
    "/api/v1/master",
    "What the master says of its own process.",
    &[],
    &One(master),
);

/// How many runs that come next are told.
const NEXT_RUNS: usize = 20;

/// What the start page says.
#[derive(Debug, JsonSchema, Serialize)]
struct Summary {
    /// The name of the project.
    title: String,
    /// How many builders are broken.
    broken_count: usize,
    /// How many requests wait.
    waiting_count: usize,
    /// How many slaves should be connected and are not.
    slaves_away: usize,
    /// The builders that are broken, the newest first.
    broken: Vec<Broken>,
    /// The builds that run.
    running: Vec<Running>,
    /// The builders whose requests wait.
    waiting: Vec<Waiting>,
    /// What schedulers do next, in order of time.
    next: Vec<Next>,
}

/// A builder that is broken.
#[derive(Debug, JsonSchema, Serialize)]
struct Broken {
    /// The builder.
    builder: BuilderName,
    /// Where it stands.
    line: Standing,
}

/// A build that runs.
#[derive(Debug, JsonSchema, Serialize)]
struct Running {
    /// Its builder.
    builder: BuilderName,
    /// Its number.
    number: BuildNumber,
    /// Its slave.
    slave: SlaveName,
    /// When it started.
    #[serde(serialize_with = "json::time")]
    started_at: Timestamp,
    /// How long it runs, in seconds.
    #[serde(serialize_with = "json::seconds_if_any")]
    #[schemars(with = "Option<f64>")]
    took: Option<Duration>,
    /// How long it will still run, in seconds, below zero if it is overdue; null if unknown.
    #[serde(serialize_with = "json::remaining_if_any")]
    remaining: Option<Remaining>,
    /// The step that runs; null between steps.
    step: Option<String>,
}

/// Requests of a builder that wait.
#[derive(Debug, JsonSchema, Serialize)]
struct Waiting {
    /// The builder.
    builder: BuilderName,
    /// How many wait.
    count: u64,
    /// Since when the oldest waits.
    #[serde(serialize_with = "json::time_if_any")]
    since: Option<Timestamp>,
    /// Why the first waits, in a sentence.
    reason: Option<String>,
}

/// What a scheduler does next.
#[derive(Debug, JsonSchema, Serialize)]
struct Next {
    /// The scheduler.
    scheduler: SchedulerName,
    /// When.
    #[serde(serialize_with = "json::time")]
    at: Timestamp,
    /// The changes that are built then; none for a run by the clock.
    changes: Vec<ChangeNumber>,
}

/// A running master.
#[derive(Debug, JsonSchema, Serialize)]
struct Master {
    /// The name of the project it builds.
    title: String,
    /// The project's page; empty if none is configured.
    title_url: String,
    /// Where the master's own pages are to be found.
    buildbot_url: String,
    /// Its process.
    pid: u32,
    /// The version of the program.
    version: String,
    /// When it was started.
    #[serde(serialize_with = "json::time")]
    started_at: Timestamp,
    /// When it has read the configuration that is in force.
    #[serde(serialize_with = "json::time")]
    configured_at: Timestamp,
    /// The addresses it listens on.
    ports: Vec<String>,
    /// Whether it is to stop, or waits for builds to do so.
    stopping: bool,
    /// The zone in which its pages show times.
    time_zone: String,
}

fn summary(state: &State, scene: &Scene) -> Result<Summary, Refusal> {
    let (live, moment) = (&scene.live, scene.moment());
    let overview = Overview::read(state, live, moment)?;
    let builders = Builder::all(Some(state), Some(&scene.config), live, moment)?;
    let lines = Standing::all(state)?.into_iter();
    let broken = lines.filter(|(_, line)| line.is_broken());
    let mut broken: Vec<_> = broken
        .map(|(builder, line)| Broken { builder, line })
        .collect();
    broken.sort_by_key(|broken| std::cmp::Reverse(broken.line.since_at));
    let mut running = Vec::new();
    for builder in &builders {
        for build in &builder.running {
            let found = Build::find(state, &builder.name, build.number, moment)?;
            running.extend(found.map(Running::from));
        }
    }
    let waiting = builders.iter().filter(|builder| builder.pending > 0);
    let waiting = waiting.map(|builder| Waiting {
        builder: builder.name.clone(),
        count: builder.pending,
        since: builder.pending_since,
        reason: live.waits.get(&builder.name).cloned(),
    });
    Ok(Summary {
        title: scene.config.title.clone(),
        broken_count: overview.broken,
        waiting_count: overview.waiting,
        slaves_away: overview.slaves_away,
        broken,
        running,
        waiting: waiting.collect(),
        next: next(state, scene)?,
    })
}

fn next(state: &State, scene: &Scene) -> Result<Vec<Next>, Refusal> {
    let configs = scene.config.schedulers.iter().map(AsRef::as_ref);
    let mut all = Vec::new();
    for scheduler in Scheduler::all(Some(state), configs, scene.now)? {
        if let Some(at) = scheduler.next {
            all.push(Next {
                scheduler: scheduler.name.clone(),
                at,
                changes: Vec::new(),
            });
        }
        for tree in scheduler.waiting {
            if let Some(at) = tree.until.filter(|_| tree.is_timer) {
                all.push(Next {
                    scheduler: scheduler.name.clone(),
                    at,
                    changes: tree.changes,
                });
            }
        }
    }
    all.sort_by_key(|next| next.at);
    all.truncate(NEXT_RUNS);
    Ok(all)
}

impl From<Build> for Running {
    fn from(build: Build) -> Self {
        let mut steps = build.steps.into_iter();
        let step = steps.find(|step| step.finished_at.is_none());
        Self {
            builder: build.builder,
            number: build.number,
            slave: build.slave,
            started_at: build.started_at,
            took: build.took,
            remaining: build.remaining,
            step: step.map(|step| step.name),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as all answers")]
fn master(_: &State, scene: &Scene) -> Result<Master, Refusal> {
    let facts = scene.facts.clone();
    Ok(Master {
        title: facts.title,
        title_url: facts.title_url,
        buildbot_url: facts.buildbot_url,
        pid: facts.pid,
        version: facts.version,
        started_at: facts.started_at,
        configured_at: facts.configured_at,
        ports: facts.ports.into_iter().map(|port| port.bound).collect(),
        stopping: facts.stopping,
        time_zone: scene.usual_zone.name().to_owned(),
    })
}
