//! One scheduler: what it holds, what it does next, and what it made of the newest changes.

use askama::Template;

use super::changes::by_builder;
use super::common::{ChangeLine, Changes, first_line};
use super::schedulers::{builders, last};
use super::{change_sources, words};
use crate::config::nearest;
use crate::model::Results;
use crate::store::State;
use crate::view::{Brief, Change, Scheduler, Verdict};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Links, Outcome, Pill, Square, Time, Tone, change, person};
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

/// How many build sets are shown.
const SETS: u32 = 10;

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
    sets: Vec<SetRow>,
    verdicts: Vec<Row>,
    /// The change sources that fail, so that it may hear nothing.
    failing: Vec<String>,
}

/// A build set, with a square for each builder.
#[derive(Debug)]
struct SetRow {
    id: Link,
    /// The last changes that it is made of; its reason if it has none.
    changes: Vec<ChangeLine>,
    reason: String,
    submitted: Time,
    squares: Vec<Square>,
    good: usize,
    /// Requests that no build serves so far.
    waiting: usize,
    outcome: Outcome,
    word: &'static str,
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
        sets: sets(state, scene, scheduler)?,
        verdicts: verdicts(state, scene, scheduler)?,
        failing: change_sources::failing(state, scene)?,
    };
    let runs = !contents.holds.is_empty();
    Ok(Shown::new(scheduler.name.as_str(), &contents)?.running(runs))
}

fn sets(state: &State, scene: &Scene, scheduler: &Scheduler) -> Result<Vec<SetRow>, Refusal> {
    let mut changes = Changes::default();
    let mut rows = Vec::new();
    for set in state.sets_of(&scheduler.name, SETS)? {
        // All requests of a set have its stamps.
        let first: Vec<_> = set.requests.iter().take(1).map(|(id, _)| *id).collect();
        let (stamps, _) = state.wishes(&first)?;
        let stamps = stamps.into_iter().next().unwrap_or_default();
        let builds = Brief::of_set(state, set.id)?;
        let is_over = set.finished.is_some();
        let waiting = set.requests.len().saturating_sub(builds.len());
        let has_failed = builds
            .iter()
            .any(|build| build.result == Some(Results::Failure));
        let (squares, good) = by_builder(builds);
        let outcome = match set.finished {
            Some((result, _)) => Outcome::of(Some(result), None),
            None if has_failed => Outcome::plain(Tone::Fail),
            None => Outcome::plain(Tone::Run),
        };
        rows.push(SetRow {
            id: Link::to(&set.id.to_string(), &address::build_set(set.id)),
            changes: changes.last(state, &stamps.change_numbers())?,
            reason: set.reason,
            submitted: scene.time(set.submitted_at),
            squares,
            good,
            waiting: if is_over { 0 } else { waiting },
            outcome,
            word: match (is_over, has_failed) {
                (true, _) => outcome.word(),
                (false, true) => "failed already",
                (false, false) => "in progress",
            },
        });
    }
    Ok(rows)
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

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn a_scheduler_shows_its_sets_with_their_builds() {
        let page = Farm::broken().page("/schedulers/quick");
        assert!(page.contains("<h2>Build sets"), "{page}");
        let square = r#"<a class="q fail new" href="/builders/linux/builds/1""#;
        assert!(page.contains(square), "{page}");
        let newest = page.find(r#"<a href="/buildsets/5">5</a>"#);
        let older = page.find(r#"<a href="/buildsets/2">2</a>"#);
        assert!(newest.is_some() && newest < older, "{page}");
    }
}
