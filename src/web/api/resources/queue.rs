//! Build sets, requests, why they wait, and locks.

use std::collections::BTreeSet;

use super::{missing, number};
use crate::botmaster::Blocker;
use crate::model::{RequestId, SetId};
use crate::store::State;
use crate::store::read::Which;
use crate::view::{BuildSetPage, LockWait, Request, RequestState};
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

/// How many finished requests are looked through for those that pass the filters.
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
    let all = Request::list(state, Which::Open, u32::MAX, live, &live.priorities)?;
    let mut all = wanted_ones(state, scene, all)?;
    let is_wanted = |state: RequestState| match wanted {
        "pending" => state == RequestState::Pending,
        "starting" => state == RequestState::Starting,
        "building" => state == RequestState::Building,
        _ => true,
    };
    all.retain(|request| is_wanted(request.state));
    let total = span
        .counts
        .then(|| u64::try_from(all.len()).unwrap_or(u64::MAX));
    if let Some(after) = span.after
        && let Some(place) = all.iter().position(|request| request.id.0 == after)
    {
        all.drain(..=place);
    }
    let limit = usize::try_from(span.limit).unwrap_or(usize::MAX);
    let has_more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| has_more);
    Ok(Found {
        next: next.map(|last| ("after", last.id.0)),
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
    let mut all = wanted_ones(state, scene, all.collect())?;
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

/// Those of the builders and schedulers that are asked for.
fn wanted_ones(
    state: &State,
    scene: &Scene,
    mut all: Vec<Request>,
) -> Result<Vec<Request>, Refusal> {
    let (builders, schedulers) = (scene.args.all("builder"), scene.args.all("scheduler"));
    all.retain(|request| {
        builders.is_empty() || builders.iter().any(|name| name == request.builder.as_str())
    });
    if !schedulers.is_empty() {
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
