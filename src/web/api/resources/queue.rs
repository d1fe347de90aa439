//! Build sets, requests, why they wait, and locks.

use std::collections::BTreeSet;

use super::{missing, number};
use crate::botmaster::Blocker;
use crate::model::{BuilderName, RequestId, SetId};
use crate::store::State;
use crate::view::{BuildSetPage, LockWait, Queue, Request, RequestState};
use crate::web::api::resource::{All, Found, List, One, Resource, Span};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const SET: Resource = Resource::new(
    "/api/v1/buildsets/{set}",
    "A build set, what it is made of, and its requests.",
    &[],
    &One(set),
);

pub(in crate::web) const TRY: Resource = Resource::new(
    "/api/v1/try/{set}",
    "A try job, what it is made of, and its requests.",
    &[],
    &One(try_job),
);

pub(in crate::web) const REQUESTS: Resource = Resource::new(
    "/api/v1/requests",
    "Requests: those that have not finished in the order in which they are built, or with \
     state=finished or state=all the newest first.",
    &[
        Arg::text("builder").also(&["show"]),
        Arg::text("scheduler"),
        Arg::word(
            "state",
            &["open", "pending", "starting", "building", "finished", "all"],
        ),
    ],
    &List(requests),
);

pub(in crate::web) const REQUEST: Resource = Resource::new(
    "/api/v1/requests/{request}",
    "A request.",
    &[],
    &One(request),
);

pub(in crate::web) const WHY: Resource = Resource {
    asks_why: true,
    ..Resource::new(
        "/api/v1/requests/{request}/why",
        "All that keeps a request from being built, or what has become of it.",
        &[],
        &All(why),
    )
};

pub(in crate::web) const LOCKS: Resource = Resource::new(
    "/api/v1/locks",
    "The builds and steps that wait for locks, who holds these, and whose turn it is.",
    &[],
    &All(locks),
);

/// How many requests are looked through for those that pass the filters.
const LOOKED_THROUGH: u32 = 2000;

fn set(state: &State, scene: &Scene) -> Result<BuildSetPage, Refusal> {
    let asked = number(scene, "set", "build set")?;
    let found = BuildSetPage::find(state, SetId(asked), &scene.live)?;
    found.ok_or_else(|| missing("build set", &asked.to_string(), []))
}

fn try_job(state: &State, scene: &Scene) -> Result<BuildSetPage, Refusal> {
    let found = set(state, scene)?;
    match found.is_try {
        true => Ok(found),
        false => Err(missing("try job", scene.args.part("set"), [])),
    }
}

fn requests(state: &State, scene: &Scene, span: Span) -> Result<Found<Request>, Refusal> {
    let live = &scene.live;
    let wanted = scene.args.text("state").unwrap_or("open");
    if let "finished" | "all" = wanted {
        return finished(state, scene, span, wanted);
    }
    let builders: Vec<_> = names(scene).collect();
    let queue = Queue {
        is_pending: wanted == "pending",
        builders: Some(builders.as_slice()).filter(|builders| !builders.is_empty()),
        after: span.after.map(RequestId),
        ..Queue::default()
    };
    let is_wanted = |state: RequestState| match wanted {
        "pending" => state == RequestState::Pending,
        "starting" => state == RequestState::Starting,
        "building" => state == RequestState::Building,
        _ => true,
    };
    // Those that are filtered out are looked through up to a limit, and the next page goes on.
    let is_filtered = matches!(wanted, "starting" | "building") || has_scheduler(scene);
    let looked_through = match is_filtered {
        true => LOOKED_THROUGH,
        false => span.limit.saturating_add(1),
    };
    let all = queue.read(state, live, &live.priorities, looked_through)?;
    let is_cut = all.len() == usize::try_from(looked_through).unwrap_or(usize::MAX);
    let last = all.last().map(|request| request.id.0);
    let mut all = of_schedulers(state, scene, all)?;
    all.retain(|request| is_wanted(request.state));
    let limit = usize::try_from(span.limit).unwrap_or(usize::MAX);
    let next = match all.len() > limit {
        true => all.get(limit.saturating_sub(1)).map(|last| last.id.0),
        false => last.filter(|_| is_cut),
    };
    all.truncate(limit);
    let total = match span.counts && !is_filtered {
        true => Some(queue.count(state, live)?),
        false => None,
    };
    Ok(Found {
        next: next.map(|next| ("after", next)),
        items: all,
        total,
    })
}

/// Requests by number, the newest first.
fn finished(
    state: &State,
    scene: &Scene,
    span: Span,
    wanted: &str,
) -> Result<Found<Request>, Refusal> {
    let rows = state.requests_between(span.between(), LOOKED_THROUGH)?;
    let is_cut = rows.len() == usize::try_from(LOOKED_THROUGH).unwrap_or(usize::MAX);
    let lowest = rows.last().map(|row| row.id.0);
    let all = rows.into_iter().map(|row| Request::new(row, &scene.live));
    let all = all.filter(|request| wanted == "all" || request.state == RequestState::Finished);
    let builders: Vec<_> = names(scene).collect();
    let is_meant = |name: &BuilderName| builders.is_empty() || builders.contains(name);
    let all = all.filter(|request| is_meant(&request.builder));
    let mut all = of_schedulers(state, scene, all.collect())?;
    let limit = usize::try_from(span.limit).unwrap_or(usize::MAX);
    let next = match all.len() > limit {
        true => all.get(limit.saturating_sub(1)).map(|last| last.id.0),
        false => lowest.filter(|_| is_cut),
    };
    all.truncate(limit);
    Ok(Found {
        items: all,
        next: next.map(|next| ("before", next)),
        total: None,
    })
}

/// The builders that are asked for.
fn names(scene: &Scene) -> impl Iterator<Item = BuilderName> {
    let names = scene.args.all("builder").iter();
    names.map(|name| BuilderName::from(name.as_str()))
}

fn has_scheduler(scene: &Scene) -> bool {
    !scene.args.all("scheduler").is_empty()
}

/// Those of the schedulers that are asked for.
fn of_schedulers(
    state: &State,
    scene: &Scene,
    mut all: Vec<Request>,
) -> Result<Vec<Request>, Refusal> {
    let schedulers = scene.args.all("scheduler");
    if has_scheduler(scene) {
        let mut kept = BTreeSet::new();
        for request in &all {
            let set = state.build_set(request.set)?;
            let scheduler = set.and_then(|set| set.scheduler);
            if scheduler.is_some_and(|own| schedulers.iter().any(|name| name == own.as_str())) {
                kept.insert(request.id);
            }
        }
        all.retain(|request| kept.contains(&request.id));
    }
    Ok(all)
}

fn request(state: &State, scene: &Scene) -> Result<Request, Refusal> {
    let asked = number(scene, "request", "request")?;
    let row = state.request(RequestId(asked))?;
    let row = row.ok_or_else(|| missing("request", &asked.to_string(), []))?;
    Ok(Request::new(row, &scene.live))
}

fn why(state: &State, scene: &Scene) -> Result<Vec<Blocker>, Refusal> {
    request(state, scene)?;
    Ok(scene.blockers.clone())
}

#[expect(clippy::unnecessary_wraps, reason = "as all answers")]
fn locks(_: &State, scene: &Scene) -> Result<Vec<LockWait>, Refusal> {
    Ok(scene.live.locks.iter().map(LockWait::from).collect())
}
