//! One slave: its state, its builds, its builders, and what it says of itself.

use askama::Template;

use super::buttons::Buttons;
use super::common::{ChangeLine, Changes, pill_of_builder};
use super::slaves::{RefusedRow, builds, state_of, strip};
use super::words;
use crate::config::{MOST_BUILDS, nearest};
use crate::store::State;
use crate::view::{Brief, Builder, Slave, Visit};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{DayStrip, Link, Links, Pill, Time, Tone, span, took};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/buildslaves/{slave}",
    args: &[Arg::number("numbuilds", 1, MOST_BUILDS as u64)],
    permission: Permission::View,
    topics: &["slave:{slave}"],
    api: Some("/api/v1/slaves/{slave}"),
    place: Place::Below("Slaves"),
    show,
};

/// How many builds the strip of 24 hours is made of at most.
const STRIP: u32 = 200;

/// How many visits are shown.
const VISITS: usize = 10;

#[derive(Debug, Template)]
#[template(path = "slave.html", config = "src/web/askama.toml")]
struct Contents {
    name: String,
    tone: Tone,
    word: &'static str,
    says: String,
    since: Option<Time>,
    seen: Option<Time>,
    running: Vec<Pill>,
    strip: DayStrip,
    builds: Vec<Row>,
    builders: Links,
    info: Vec<(String, String)>,
    refused: Vec<RefusedRow>,
    visits: Vec<VisitRow>,
    /// Visits that are not shown.
    more_visits: usize,
    buttons: Buttons,
}

#[derive(Debug)]
struct Row {
    pill: Pill,
    changes: Vec<ChangeLine>,
    took: String,
    started: Time,
    text: String,
}

/// A time for which the slave was connected.
#[derive(Debug)]
struct VisitRow {
    came: Time,
    went: Option<Time>,
    long: String,
}

impl VisitRow {
    fn new(scene: &Scene, visit: &Visit) -> Self {
        let end = visit.went_at.unwrap_or(scene.now);
        Self {
            came: scene.time(visit.came_at),
            went: visit.went_at.map(|at| scene.time(at)),
            long: span(end.since(visit.came_at)),
        }
    }
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let asked = scene.args.part("slave");
    let (moment, live) = (scene.moment(), &scene.live);
    let slaves = Slave::all(Some(state), None, live, moment)?;
    let Some(slave) = slaves.iter().find(|slave| slave.name.as_str() == asked) else {
        let near = nearest(asked, slaves.iter().map(|slave| slave.name.as_str()));
        let near = near.map(|name| (name.to_owned(), address::slave(&name.into())));
        return Err(Refusal::NotFound {
            what: "slave",
            name: asked.to_owned(),
            near: near.into_iter().collect(),
        });
    };
    let builders = Builder::all(Some(state), None, live, moment)?;
    let running = builds(&builders, slave);
    let (tone, word) = state_of(slave, !running.is_empty());
    let found = Brief::on_slave(state, &slave.name, scene.num_builds())?;
    let mut changes = Changes::default();
    let mut rows = Vec::new();
    for build in &found {
        rows.push(Row {
            pill: pill_of_builder(build),
            changes: changes.last(state, &build.changes)?,
            took: build.took.map_or_else(String::new, took),
            started: scene.time(build.started_at),
            text: build.text.join(" "),
        });
    }
    let links = slave.builders.iter();
    let links = links.map(|b| Link::to(b.as_str(), &address::builder(b)));
    let refused = slave.refused.iter().chain(&slave.refused_others);
    let runs = !running.is_empty();
    let visits = slave.visits(state)?;
    let contents = Contents {
        name: slave.name.to_string(),
        tone,
        word,
        says: words::slave(scene, slave),
        since: slave.connected_since.map(|at| scene.time(at)),
        seen: slave.last_seen.map(|at| scene.time(at)),
        running,
        strip: strip(state, scene, slave, STRIP)?,
        builds: rows,
        builders: Links::new(links, "", usize::MAX),
        info: slave.info.clone().into_iter().collect(),
        refused: refused
            .map(|refused| RefusedRow::new(scene, refused))
            .collect(),
        visits: visits
            .iter()
            .take(VISITS)
            .map(|visit| VisitRow::new(scene, visit))
            .collect(),
        more_visits: visits.len().saturating_sub(VISITS),
        buttons: Buttons::of_slave(state, scene, slave)?,
    };
    let title = format!("{}: {word}", slave.name);
    Ok(Shown::new(title, &contents)?.with_icon(tone).running(runs))
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn a_slave_shows_its_builds_and_its_state() {
        let page = Farm::broken().page("/buildslaves/oak");
        assert!(
            page.contains(r#"<span class="p run big">busy</span>"#),
            "{page}"
        );
        assert!(page.contains("linux 2<b> still failing"), "{page}");
        let came = "came <time";
        assert_eq!(page.matches(came).count(), 1, "{page}");
        let answer = Farm::broken().get("/buildslaves/oka");
        assert_eq!(answer.status, 404);
        assert!(
            answer
                .text
                .contains(r#"<a href="/buildslaves/oak">oak</a>?"#)
        );
    }
}
