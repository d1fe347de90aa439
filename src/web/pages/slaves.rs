//! All slaves: those that need somebody first; and connections that were refused.

use std::time::Duration;

use askama::Template;

use super::words;
use crate::model::Timestamp;
use crate::store::State;
use crate::text::commas;
use crate::view::{Brief, Builder, Refusal as Refused, Slave};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{DAY, DayStrip, Link, Links, Outcome, Pill, Time, Tone};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/buildslaves",
    args: &[Arg::flag("no_builders"), Arg::text("builder")],
    permission: Permission::View,
    topics: &["summary"],
    api: Some("/api/v1/slaves"),
    place: Place::Entry("Slaves"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "slaves.html", config = "src/web/askama.toml")]
struct Contents {
    count: usize,
    away: usize,
    with_builders: bool,
    rows: Vec<Row>,
    refused: Vec<RefusedRow>,
}

#[derive(Debug)]
struct Row {
    name: Link,
    tone: Tone,
    word: &'static str,
    says: String,
    builds: Vec<Pill>,
    builders: Links,
    strip: DayStrip,
    seen: Option<Time>,
    about: String,
}

/// Connections that were refused.
#[derive(Debug)]
pub(super) struct RefusedRow {
    pub(super) name: String,
    pub(super) why: String,
    pub(super) times: u64,
    pub(super) address: String,
    pub(super) last: Time,
}

impl RefusedRow {
    pub(super) fn new(scene: &Scene, refused: &Refused) -> Self {
        Self {
            name: refused.name.clone().unwrap_or_else(|| "no name".to_owned()),
            why: refused.why.clone(),
            times: refused.times,
            address: refused.address.clone(),
            last: scene.time(refused.last_at),
        }
    }
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let (moment, live) = (scene.moment(), &scene.live);
    let mut slaves = Slave::all(Some(state), None, live, moment)?;
    let builders = Builder::all(Some(state), None, live, moment)?;
    let wanted = scene.args.all("builder");
    let is_wanted = |slave: &Slave| {
        let mut own = slave.builders.iter();
        wanted.is_empty() || own.any(|b| wanted.iter().any(|w| w == b.as_str()))
    };
    slaves.retain(is_wanted);
    slaves.sort_by_key(|slave| place(slave, !builds(&builders, slave).is_empty()));
    let most = u32::try_from(STRIPS / slaves.len().max(1)).unwrap_or(LEAST_OF_STRIP);
    let most = most.clamp(LEAST_OF_STRIP, MOST_OF_STRIP);
    let mut rows = Vec::with_capacity(slaves.len());
    for slave in &slaves {
        let builds = builds(&builders, slave);
        let (tone, word) = state_of(slave, !builds.is_empty());
        let links = slave.builders.iter();
        let links = links.map(|b| Link::to(b.as_str(), &address::builder(b)));
        rows.push(Row {
            strip: strip(state, scene, slave, most)?,
            name: crate::web::parts::slave(&slave.name),
            tone,
            word,
            says: words::slave(scene, slave),
            builds,
            builders: Links::new(links, "", 8),
            seen: slave.last_seen.map(|at| scene.time(at)),
            about: about(slave),
        });
    }
    let contents = Contents {
        count: slaves.len(),
        away: slaves.iter().filter(|slave| slave.is_away()).count(),
        with_builders: !scene.args.flag("no_builders"),
        rows,
        refused: refusals(scene),
    };
    let away = contents.away;
    let title = match away {
        0 => "Slaves".to_owned(),
        n => format!("! {n} away · Slaves"),
    };
    let icon = if away == 0 { Tone::Ok } else { Tone::Warn };
    Ok(Shown::new(title, &contents)?.with_icon(icon))
}

/// How many builds the strips of all slaves are made of at most, and that of one.
const STRIPS: usize = 2000;
const LEAST_OF_STRIP: u32 = 4;
const MOST_OF_STRIP: u32 = 60;

/// What a slave did in the last 24 hours, as far as its newest `most` builds tell.
///
/// # Errors
/// The state cannot be read.
pub(super) fn strip(
    state: &State,
    scene: &Scene,
    slave: &Slave,
    most: u32,
) -> Result<DayStrip, Refusal> {
    let builds = Brief::on_slave(state, &slave.name, most)?;
    let ended = |at: Option<Timestamp>| at.map_or(Duration::ZERO, |at| scene.since(at));
    let of_day = builds
        .iter()
        .take_while(|build| ended(build.finished_at) < DAY);
    let mut spans: Vec<_> = of_day
        .map(|build| {
            let tone = Outcome::of(build.result, None).tone();
            (
                tone,
                scene.since(build.started_at),
                ended(build.finished_at),
                true,
            )
        })
        .collect();
    let now = Duration::ZERO;
    if let Some(pause) = &slave.paused {
        spans.push((Tone::Wait, scene.since(pause.since), now, false));
    }
    if let Some(seen) = slave.last_seen.filter(|_| slave.is_away()) {
        spans.push((Tone::Fail, scene.since(seen), now, false));
    }
    Ok(DayStrip::new(slave.name.to_string(), &spans))
}

/// Connections that were refused, the latest first.
fn refusals(scene: &Scene) -> Vec<RefusedRow> {
    let refused = scene.live.refusals.iter().map(Refused::from);
    refused
        .map(|refused| RefusedRow::new(scene, &refused))
        .collect()
}

/// What runs on a slave.
pub(super) fn builds(builders: &[Builder], slave: &Slave) -> Vec<Pill> {
    let all = builders.iter().flat_map(|builder| {
        let running = builder.running.iter();
        let own = running.filter(|build| build.slave == slave.name);
        own.map(|build| Pill::name(&builder.name, build.number, Outcome::of(None, None)))
    });
    all.collect()
}

/// Those that need somebody first.
fn place(slave: &Slave, is_busy: bool) -> u8 {
    match state_of(slave, is_busy).0 {
        Tone::Warn => 0,
        Tone::Wait => 1,
        Tone::Run => 2,
        Tone::Ok | Tone::Fail | Tone::Exc | Tone::Retry | Tone::Off => 3,
    }
}

/// The state of a slave: its colour and its word.
pub(super) fn state_of(slave: &Slave, is_busy: bool) -> (Tone, &'static str) {
    let instance = slave.instance.as_ref().map(|instance| instance.state);
    match instance {
        _ if slave.is_away() && instance.is_none() => (Tone::Warn, "away"),
        _ if slave.paused.is_some() => (Tone::Wait, "paused"),
        _ if slave.graceful_since.is_some() => (Tone::Wait, "ends when idle"),
        _ if slave.held_until.is_some() => (Tone::Wait, "held back"),
        Some("starting") => (Tone::Wait, "starting"),
        Some("down") => (Tone::Off, "not needed"),
        _ if is_busy => (Tone::Run, "busy"),
        _ if slave.connected => (Tone::Ok, "idle"),
        _ => (Tone::Warn, "away"),
    }
}

/// What a slave says of its system and program, short.
fn about(slave: &Slave) -> String {
    let version = slave.info.get("version");
    let version = version.map(|version| format!("buildslave {version}"));
    let host = slave.info.get("host").map(|host| host.trim());
    let host = host.and_then(|host| host.lines().next()).map(str::to_owned);
    commas(version.into_iter().chain(host))
}

#[cfg(test)]
mod tests {
    use crate::model::Refusal;
    use crate::web::testing::{Farm, ago};

    #[test]
    fn slaves_that_are_away_are_first_and_who_was_refused_is_told() {
        let mut farm = Farm::broken();
        farm.live.refusals.push(Refusal {
            name: Some("elmm".to_owned()),
            address: "192.0.2.7".to_owned(),
            why: "unknown name".to_owned(),
            first_at: ago(600),
            last_at: ago(60),
            times: 4,
        });
        let page = farm.page("/buildslaves");
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
        assert!(place(">elm</a>") < place(">oak</a>"));
        assert!(page.contains("has never connected"), "{page}");
        assert!(page.contains(r#"href="/builders/linux/builds/3">linux 3<b> running"#));
        assert!(page.contains("192.0.2.7") && page.contains("unknown name"));
    }
}
