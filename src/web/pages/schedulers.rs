//! All schedulers: what each holds, when it runs next, and what it did last.

use askama::Template;

use super::{change_sources, words};
use crate::store::State;
use crate::view::Scheduler;
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Links, Outcome, Pill, Time};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/schedulers",
    args: &[],
    permission: Permission::View,
    topics: &["summary"],
    api: Some("/api/v1/schedulers"),
    place: Place::Entry("Schedulers"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "schedulers.html", config = "src/web/askama.toml")]
struct Contents {
    rows: Vec<Row>,
    /// The change sources that fail, so that it may hear nothing.
    failing: Vec<String>,
}

#[derive(Debug)]
struct Row {
    name: Link,
    kind: &'static str,
    says: String,
    holds: Vec<String>,
    builders: Links,
    last: Option<(Pill, Time)>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let configs = scene.config.schedulers.iter().map(AsRef::as_ref);
    let schedulers = Scheduler::all(Some(state), configs, scene.now)?;
    let rows = schedulers.iter().map(|scheduler| Row {
        name: Link::to(
            scheduler.name.as_str(),
            &address::scheduler(&scheduler.name),
        ),
        kind: scheduler.kind,
        says: words::scheduler(scene, scheduler),
        holds: scheduler
            .waiting
            .iter()
            .map(|tree| words::held(scene, tree))
            .collect(),
        builders: builders(scheduler),
        last: last(scene, scheduler),
    });
    let rows: Vec<_> = rows.collect();
    let runs = rows.iter().any(|row| !row.holds.is_empty());
    let failing = change_sources::failing(state, scene)?;
    Ok(Shown::new("Schedulers", &Contents { rows, failing })?.running(runs))
}

/// The builders of a scheduler.
pub(super) fn builders(scheduler: &Scheduler) -> Links {
    let builders = scheduler.builders.iter();
    let links = builders.map(|b| Link::to(b.as_str(), &address::builder(b)));
    Links::new(links, "", 12)
}

/// The last build set of a scheduler, and when it was submitted.
pub(super) fn last(scene: &Scene, scheduler: &Scheduler) -> Option<(Pill, Time)> {
    let set = scheduler.last_set?;
    let outcome = Outcome::of(set.result, None);
    let pill = Pill::link(set.id.to_string(), address::build_set(set.id), outcome);
    Some((pill, scene.time(set.submitted_at)))
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn a_scheduler_says_what_it_waits_for_and_what_it_did_last() {
        let page = Farm::broken().page("/schedulers");
        assert!(
            page.contains(r#"<a href="/schedulers/quick">quick</a>"#),
            "{page}"
        );
        assert!(page.contains(r#"href="/buildsets/5""#), "{page}");
        let one = Farm::broken().page("/schedulers/quick");
        assert!(one.contains("block: decode without a check"), "{one}");
        assert_eq!(Farm::new().get("/schedulers/quic").status, 404);
    }
}
