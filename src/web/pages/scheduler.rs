//! One scheduler: what it holds, what it does next, and what it made of the newest changes.

use askama::Template;

use super::common::first_line;
use super::schedulers::{builders, last};
use super::{change_sources, words};
use crate::config::nearest;
use crate::store::State;
use crate::view::{Change, Scheduler, Verdict};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Links, Pill, Time, change, person};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/schedulers/{scheduler}",
    args: &[],
    permission: Permission::View,
    topics: &["scheduler:{scheduler}"],
    api: Some("/api/v1/schedulers/{scheduler}"),
    place: Place::Below("Schedulers"),
    show,
};

/// How many changes are looked at.
const CHANGES: u32 = 30;

#[derive(Debug, Template)]
#[template(path = "scheduler.html", config = "src/web/askama.toml")]
struct Contents {
    name: String,
    kind: &'static str,
    says: String,
    holds: Vec<String>,
    builders: Links,
    upstream: Option<Link>,
    downstream: Links,
    next: Option<Time>,
    last: Option<(Pill, Time)>,
    verdicts: Vec<Row>,
    /// The change sources that fail, so that it may hear nothing.
    failing: Vec<String>,
}

#[derive(Debug)]
struct Row {
    number: Link,
    title: String,
    who: Link,
    counts: bool,
    why: String,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let asked = scene.args.part("scheduler");
    let configs = scene.config.schedulers.iter().map(AsRef::as_ref);
    let schedulers = Scheduler::all(Some(state), configs, scene.now)?;
    let Some(scheduler) = schedulers.iter().find(|s| s.name.as_str() == asked) else {
        let near = nearest(asked, schedulers.iter().map(|s| s.name.as_str()));
        let near = near.map(|name| (name.to_owned(), address::scheduler(&name.into())));
        return Err(Refusal::NotFound {
            what: "scheduler",
            name: asked.to_owned(),
            near: near.into_iter().collect(),
        });
    };
    let link = |s: &Scheduler| Link::to(s.name.as_str(), &address::scheduler(&s.name));
    let follows = |s: &&Scheduler| s.upstream.as_ref() == Some(&scheduler.name);
    let downstream = schedulers.iter().filter(follows).map(link);
    let upstream = scheduler.upstream.as_ref();
    let contents = Contents {
        name: scheduler.name.to_string(),
        kind: scheduler.kind,
        says: words::scheduler(scene, scheduler),
        holds: scheduler
            .waiting
            .iter()
            .map(|tree| words::held(scene, tree))
            .collect(),
        builders: builders(scheduler),
        upstream: upstream.map(|name| Link::to(name.as_str(), &address::scheduler(name))),
        downstream: Links::new(downstream, "", 20),
        next: scheduler.next.map(|at| scene.time(at)),
        last: last(scene, scheduler),
        verdicts: verdicts(state, scene, scheduler)?,
        failing: change_sources::failing(state, scene)?,
    };
    let runs = !contents.holds.is_empty();
    Ok(Shown::new(scheduler.name.as_str(), &contents)?.running(runs))
}

fn verdicts(state: &State, scene: &Scene, scheduler: &Scheduler) -> Result<Vec<Row>, Refusal> {
    let mut rows = Vec::new();
    for known in state.changes(CHANGES)? {
        let known = Change::from(&known);
        let decisions = state.decisions(known.number)?.unwrap_or_default();
        let own = decisions
            .into_iter()
            .find(|(name, _)| *name == scheduler.name);
        if let Some((name, decision)) = own {
            let verdict = Verdict::new(name, decision);
            rows.push(Row {
                number: change(known.number),
                title: first_line(&known.comments),
                who: person(&known.who),
                counts: verdict.counts,
                why: scene.with_local_times(&verdict.why),
            });
        }
    }
    Ok(rows)
}
