//! Builders, slaves, and what the master says of itself.

use serde_json::{Map, Value, json};

use super::tree::Tree;
use crate::model::{BuilderName, SlaveName, SourceStamps};
use crate::view::old_json::{self, properties, seconds};
use crate::view::{Build, Builder, Queue, Slave};
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

/// How many builds of a builder are shown as the ones in its cache.
const CACHED: u32 = 15;

/// Maximum number of pending builds in an answer.
const MOST_PENDING: u32 = 1000;

/// All configured builders.
pub(super) fn builders(tree: Tree<'_>) -> Result<Value, Refusal> {
    let mut all = Map::new();
    for builder in all_builders(tree)? {
        all.insert(builder.name.to_string(), shown_builder(tree, &builder)?);
    }
    Ok(Value::Object(all))
}

/// A builder. One that is not configured has nothing but its name.
pub(super) fn builder(tree: Tree<'_>, name: &BuilderName) -> Result<Builder, Refusal> {
    let Tree { state, scene } = tree;
    let (config, live) = (&scene.config, &scene.live);
    let found = Builder::find(state, config, live, scene.moment(), name)?;
    Ok(found.unwrap_or_else(|| Builder {
        paused: None,
        name: name.clone(),
        description: None,
        tags: None,
        state: "offline".to_owned(),
        slaves: Vec::new(),
        pending: 0,
        pending_since: None,
        waiting: Vec::new(),
        running: Vec::new(),
        last: None,
    }))
}

fn all_builders(tree: Tree<'_>) -> Result<Vec<Builder>, Refusal> {
    let Tree { state, scene } = tree;
    let moment = scene.moment();
    Ok(Builder::all(
        Some(state),
        Some(&scene.config),
        &scene.live,
        moment,
    )?)
}

/// A builder as the tree has it.
pub(super) fn shown_builder(tree: Tree<'_>, builder: &Builder) -> Result<Value, Refusal> {
    let mut configured = tree.scene.config.builders.iter();
    let configured = configured.find(|known| known.name == builder.name);
    let schedulers = tree.scene.config.schedulers.iter();
    let schedulers = schedulers.filter(|one| one.builders.contains(&builder.name));
    let newest = tree.newest(&builder.name, None, CACHED)?;
    let running = builder.running.iter().map(|build| build.number);
    let mut cached: Vec<_> = newest.iter().map(|build| build.number).collect();
    cached.extend(running.clone());
    cached.sort_unstable();
    cached.dedup();
    Ok(json!({
        "basedir": configured.map_or("", |known| known.builddir.as_str()),
        "cachedBuilds": cached,
        "currentBuilds": running.collect::<Vec<_>>(),
        "pendingBuilds": builder.pending,
        "schedulers": schedulers.map(|one| &one.name).collect::<Vec<_>>(),
        "slaves": builder.slaves,
        "state": builder.state,
        "tags": builder.tags,
    }))
}

/// The requests that wait for a builder.
pub(super) fn pending(tree: Tree<'_>, builder: &BuilderName) -> Result<Value, Refusal> {
    let Tree { state, scene } = tree;
    let priorities = &scene.live.priorities;
    let queue = Queue {
        is_pending: true,
        builders: Some(std::slice::from_ref(builder)),
        after: None,
        ..Queue::default()
    };
    let mut all = Vec::new();
    for request in queue.read(state, &scene.live, priorities, MOST_PENDING)? {
        let (stamps, _) = state.wishes(&[request.id])?;
        let set = state.build_set(request.set)?;
        all.push(json!({
            "source": old_json::source_stamp(tree.around(), SourceStamps::merged(&stamps).first())?,
            "properties": set.map_or_else(Vec::new, |set| properties(&set.properties)),
            "builderName": request.builder,
            "submittedAt": seconds(request.submitted_at),
            "builds": [],
        }));
    }
    Ok(Value::Array(all))
}

/// The slaves that are `wanted`, by name.
pub(super) fn slaves(
    tree: Tree<'_>,
    wanted: impl Fn(&SlaveName) -> bool,
) -> Result<Value, Refusal> {
    let Tree { state, scene } = tree;
    let (live, moment) = (&scene.live, scene.moment());
    let builders = Builder::all(Some(state), None, live, moment)?;
    let mut all = Map::new();
    for slave in Slave::all(Some(state), None, live, moment)? {
        if wanted(&slave.name) {
            all.insert(slave.name.to_string(), shown(tree, &slave, &builders)?);
        }
    }
    Ok(Value::Object(all))
}

fn shown(tree: Tree<'_>, slave: &Slave, builders: &[Builder]) -> Result<Value, Refusal> {
    let asked = tree.scene.args.number("numbuilds");
    let asked = asked.and_then(|asked| u32::try_from(asked).ok());
    let mut running = Vec::new();
    let mut built = Map::new();
    for builder in builders
        .iter()
        .filter(|one| one.slaves.contains(&slave.name))
    {
        let newest = tree.newest(&builder.name, None, asked.unwrap_or(CACHED))?;
        let own = newest.iter().filter(|build| build.slave == slave.name);
        let ended = own.filter(|build| build.finished_at.is_some());
        let numbers: Vec<_> = ended.map(|build| build.number).collect();
        built.insert(builder.name.to_string(), json!(numbers));
        for build in builder
            .running
            .iter()
            .filter(|build| build.slave == slave.name)
        {
            let moment = tree.scene.moment();
            let found = Build::find(tree.state, &builder.name, build.number, moment)?;
            if let Some(build) = found {
                running.push(old_json::build(tree.around(), &build)?);
            }
        }
    }
    let told = |name: &str| slave.info.get(name);
    Ok(json!({
        "name": slave.name,
        "access_uri": told("access_uri"),
        "host": told("host"),
        "admin": told("admin"),
        "version": told("version"),
        "connected": slave.connected,
        "runningBuilds": running,
        "info": slave.info,
        "builders": built,
    }))
}

/// The project.
pub(super) fn project(scene: &Scene) -> Value {
    json!({
        "title": scene.config.title,
        "titleURL": scene.config.title_url,
        "buildbotURL": scene.config.buildbot_url,
    })
}

/// The change sources, by number.
pub(super) fn change_sources(scene: &Scene) -> Value {
    let sources = scene.config.change_sources.iter().enumerate();
    let sources = sources.map(|(number, source)| {
        let source = json!({"description": source.name});
        (number.to_string(), source)
    });
    Value::Object(sources.collect())
}

/// What the master counts; the names that Buildbot has are used where the meaning is the same.
pub(super) fn metrics(tree: Tree<'_>) -> Result<Value, Refusal> {
    let Tree { state, scene } = tree;
    let Some(vitals) = &scene.vitals else {
        return Ok(Value::Null);
    };
    let slaves = Slave::all(Some(state), None, &scene.live, scene.moment())?;
    let connected = slaves.iter().filter(|slave| slave.connected).count();
    let counts = &vitals.counts;
    let ended = counts
        .builders
        .values()
        .flat_map(|one| &one.results)
        .sum::<u64>();
    let mean =
        vitals.turns.sum_secs / f64::from(u32::try_from(vitals.turns.count).unwrap_or(1).max(1));
    Ok(json!({
        "alarms": {},
        "counters": {
            "added_changes": counts.changes,
            "attached_slaves": connected,
            "finished_builds": ended,
            "num_builders": scene.config.builders.len(),
            "num_schedulers": scene.config.schedulers.len(),
            "num_slaves": slaves.len(),
        },
        "timers": {"core_turn": mean},
    }))
}
