//! Revisions, and the search.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::missing;
use crate::model::{BuilderName, Judgement, RequestId, Results, SchedulerName, SlaveName};
use crate::store::State;
use crate::view::{Brief, Change};
use crate::web::api::resource::{One, Resource};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const REVISION: Resource = Resource::new(
    "/api/v1/revisions/{revision}",
    "What became of a revision on each builder; 4 characters of its beginning are enough.",
    &[Arg::text("repository"), Arg::text("codebase")],
    &One(revision),
);

pub(in crate::web) const SEARCH: Resource = Resource::new(
    "/api/v1/search",
    "Builders, slaves, schedulers, and the newest changes that have a text.",
    &[Arg::text("q"), Arg::number("limit", 1, 1000)],
    &One(search),
);

/// How many of the newest changes are looked through.
const LOOKED_THROUGH: u32 = 5000;

/// How many things of a kind are found, unless `limit` says otherwise.
const FOUND: u64 = 20;

/// Characters of a revision that are enough.
const BEGINNING: usize = 4;

/// What became of a revision.
#[derive(Debug, Default, JsonSchema, Serialize)]
struct Revision {
    /// The revision.
    revision: String,
    /// Its changes, the newest first.
    changes: Vec<Change>,
    /// The newest build of each builder that failed, and the one before did not.
    newly_broken: Vec<Brief>,
    /// Those that are good again.
    fixed: Vec<Brief>,
    /// Those that failed as the one before did.
    broken_before: Vec<Brief>,
    /// Those that are good as before.
    good: Vec<Brief>,
    /// Those that run.
    running: Vec<Brief>,
    /// Those that say nothing about the revision: exceptions, retries and skipped ones.
    silent: Vec<Brief>,
    /// The builders that have not built it.
    not_built: Vec<NotBuilt>,
}

/// A builder that has not built a revision.
#[derive(Debug, JsonSchema, Serialize)]
struct NotBuilt {
    /// The builder.
    builder: BuilderName,
    /// The request that waits for it; null if there is none.
    request: Option<RequestId>,
    /// Why the first request of the builder waits; null if no request of the revision does.
    why: Option<String>,
}

/// What was found.
#[derive(Debug, JsonSchema, Serialize)]
struct Found {
    /// Builders.
    builders: Vec<BuilderName>,
    /// Slaves.
    slaves: Vec<SlaveName>,
    /// Schedulers.
    schedulers: Vec<SchedulerName>,
    /// Changes, the newest first.
    changes: Vec<Change>,
    /// Authors of the changes that were looked through.
    people: Vec<String>,
}

fn revision(state: &State, scene: &Scene) -> Result<Revision, Refusal> {
    let asked = scene.args.part("revision");
    let is = |name: &str, value: &str| scene.args.text(name).is_none_or(|wanted| value == wanted);
    let newest = state.changes_between((None, u64::MAX), LOOKED_THROUGH)?;
    let is_meant = |revision: &str| {
        revision == asked || (asked.chars().count() >= BEGINNING && revision.starts_with(asked))
    };
    let mut changes = Vec::new();
    for known in &newest {
        let own = known.revision.as_deref().is_some_and(is_meant);
        if own && is("repository", &known.repository) && is("codebase", &known.codebase) {
            changes.push(Change::from(known));
        }
    }
    let names: BTreeSet<_> = changes.iter().filter_map(|c| c.revision.clone()).collect();
    let mut names = names.into_iter();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(missing("revision", asked, []));
    };
    let mut found = Revision {
        revision: name,
        ..Revision::default()
    };
    let mut builds: BTreeMap<BuilderName, Brief> = BTreeMap::new();
    let mut waiting: BTreeMap<BuilderName, RequestId> = BTreeMap::new();
    for change in &changes {
        for build in Brief::of_change(state, change.number)? {
            let newest = builds.entry(build.builder.clone()).or_insert(build.clone());
            if newest.number < build.number {
                *newest = build;
            }
        }
        let requests = state.requests_of_change(change.number)?.into_iter();
        let open = requests.filter(|request| request.finished.is_none());
        waiting.extend(open.map(|request| (request.builder, request.id)));
    }
    for builder in scene.config.builders.iter().map(|config| &config.name) {
        if !builds.contains_key(builder) {
            let request = waiting.get(builder).copied();
            let why = request.and_then(|_| scene.live.waits.get(builder).cloned());
            let builder = builder.clone();
            found.not_built.push(NotBuilt {
                builder,
                request,
                why,
            });
        }
    }
    for build in builds.into_values() {
        found.add(build);
    }
    found.changes = changes;
    Ok(found)
}

impl Revision {
    fn add(&mut self, build: Brief) {
        let group = match (build.result, build.news) {
            (None, _) => &mut self.running,
            (Some(Results::Failure), Some(Judgement::New)) => &mut self.newly_broken,
            (Some(Results::Failure), _) => &mut self.broken_before,
            (Some(Results::Success | Results::Warnings), Some(Judgement::Fixed)) => &mut self.fixed,
            (Some(Results::Success | Results::Warnings), _) => &mut self.good,
            (Some(Results::Skipped | Results::Exception | Results::Retry), _) => &mut self.silent,
        };
        group.push(build);
    }
}

fn search(state: &State, scene: &Scene) -> Result<Found, Refusal> {
    let query = scene.args.text("q").unwrap_or_default().to_lowercase();
    if query.is_empty() {
        let sentence = "The argument q is missing: the text to search for.".to_owned();
        return Err(Refusal::Argument { sentence });
    }
    let limit = scene.args.number("limit").unwrap_or(FOUND);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has = |text: &str| text.to_lowercase().contains(&query);
    let config = &scene.config;
    let builders = config.builders.iter().map(|builder| builder.name.clone());
    let slaves = config.slaves.iter().map(|slave| slave.name.clone());
    let schedulers = config.schedulers.iter().map(|known| known.name.clone());
    let newest = state.changes_between((None, u64::MAX), LOOKED_THROUGH)?;
    let people: BTreeSet<_> = newest.iter().map(|change| change.who.as_str()).collect();
    let changes = newest.iter().filter(|change| {
        let revision = change.revision.as_deref().unwrap_or_default();
        let mut files = change.files.iter();
        has(&change.comments) || has(&change.who) || has(revision) || files.any(|file| has(file))
    });
    Ok(Found {
        builders: builders
            .filter(|name| has(name.as_str()))
            .take(limit)
            .collect(),
        slaves: slaves
            .filter(|name| has(name.as_str()))
            .take(limit)
            .collect(),
        schedulers: schedulers
            .filter(|name| has(name.as_str()))
            .take(limit)
            .collect(),
        changes: changes.take(limit).map(Change::from).collect(),
        people: people
            .into_iter()
            .filter(|who| has(who))
            .take(limit)
            .map(ToOwned::to_owned)
            .collect(),
    })
}
