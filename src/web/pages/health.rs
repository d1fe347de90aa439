//! Health: each part of the master, and whether it is as it should be.

use std::fmt::Display;
use std::time::UNIX_EPOCH;

use askama::Template;
use axum::http::StatusCode;
use serde_json::json;

use crate::model::Timestamp;
use crate::store::State;
use crate::store::read::OutboxRow;
use crate::text::size;
use crate::view::{ChangeSource, Slave};
use crate::web::args::Arg;
use crate::web::disk::disk;
use crate::web::outlet::{Document, Outlet, Readers};
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Time, Tone, span};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/health",
    args: ARGS,
    permission: Permission::View,
    topics: &["health"],
    api: None,
    place: Place::Apart,
    show,
};

/// The answer to `format=json`.
pub(in crate::web) const OUTLET: Outlet = Outlet {
    path: PAGE.path,
    args: ARGS,
    readers: Readers::OfPages,
    show: as_json,
    refuse: Document::sentence,
};

const ARGS: &[Arg] = &[Arg::word("format", &["html", "json"])];

/// A part of the master.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::web) struct Component {
    /// Its name.
    pub(in crate::web) name: String,
    /// How it is.
    pub(in crate::web) state: Level,
    /// Since when, if that is known and it is not well.
    pub(in crate::web) since: Option<Timestamp>,
    /// That in words.
    pub(in crate::web) text: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::web) enum Level {
    Ok,
    Degraded,
    Failing,
}

impl Level {
    /// The number in the metrics.
    pub(in crate::web) const fn number(self) -> u8 {
        self as u8
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Ok,
            Self::Degraded => Tone::Warn,
            Self::Failing => Tone::Fail,
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Ok | Self::Degraded => StatusCode::OK,
            Self::Failing => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "health.html", config = "src/web/askama.toml")]
struct Health {
    class: &'static str,
    word: &'static str,
    count: usize,
    bad: Vec<Row>,
    good: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    class: &'static str,
    word: &'static str,
    name: String,
    text: String,
    since: Option<(Time, String)>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let components = components(state, scene)?;
    let worst = worst(&components);
    let row = |component: &Component| Row {
        class: component.state.tone().class(),
        word: component.state.word(),
        name: component.name.clone(),
        text: component.text.clone(),
        since: component
            .since
            .map(|at| (scene.time(at), span(scene.since(at)))),
    };
    let (good, bad): (Vec<_>, Vec<_>) = components.iter().partition(|c| c.state == Level::Ok);
    let contents = Health {
        class: worst.tone().class(),
        word: worst.word(),
        count: components.len(),
        bad: bad.into_iter().map(row).collect(),
        good: good.into_iter().map(row).collect(),
    };
    let title = format!("{}{} · Health", worst.tone().symbol(), worst.word());
    let shown = Shown::new(title, &contents)?.with_icon(worst.tone());
    Ok(shown.unkept().with_status(worst.status()))
}

fn as_json(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let components = components(state, scene)?;
    let worst = worst(&components);
    let all = components.iter().map(|component| {
        json!({
            "name": component.name,
            "state": component.state.word(),
            "since": component.since.map(Timestamp::to_rfc3339),
            "text": component.text,
        })
    });
    let all: Vec<_> = all.collect();
    let answer = json!({"state": worst.word(), "components": all});
    let document = Document::new("application/json", answer.to_string());
    Ok(document.with_status(worst.status()))
}

fn worst(components: &[Component]) -> Level {
    let states = components.iter().map(|component| component.state);
    states.max().unwrap_or(Level::Ok)
}

/// All parts of the master that can be looked at.
///
/// # Errors
/// The state cannot be read.
pub(in crate::web) fn components(state: &State, scene: &Scene) -> Result<Vec<Component>, Refusal> {
    let mut all = Vec::new();
    if let Some(vitals) = &scene.vitals {
        all.push(match vitals.can_write {
            true => {
                let commits = &vitals.commits;
                let mean = millis(commits.sum_secs, commits.count);
                Component::ok("State", format!("writes in {mean} ms on average"))
            }
            false => {
                let text = "cannot be written; the log of the master says why".to_owned();
                Component::new("State", Level::Failing, None, text)
            }
        });
        all.push(free_space(state));
        let mean = millis(vitals.turns.sum_secs, vitals.turns.count);
        let turns = format!("answers; a turn takes {mean} ms on average");
        all.push(Component::ok("Core", turns));
        all.push(clock(vitals.clock_jump_secs));
    }
    all.extend(configuration(state, scene));
    for port in &scene.facts.ports {
        let what = match port.bound.starts_with("http") {
            true => "for pages",
            false => "for slaves and clients",
        };
        let name = format!("Port {}", port.bound);
        all.push(Component::ok(name, format!("is open {what}")));
    }
    all.extend(outbox(state)?);
    all.extend(sources(state, scene)?);
    all.extend(slaves(state, scene)?);
    Ok(all)
}

impl Component {
    fn new(name: impl Display, state: Level, since: Option<Timestamp>, text: String) -> Self {
        Self {
            name: name.to_string(),
            state,
            since,
            text,
        }
    }

    fn ok(name: impl Display, text: String) -> Self {
        Self::new(name, Level::Ok, None, text)
    }
}

/// The disk of the state and the logs.
fn free_space(state: &State) -> Component {
    let Some((free, whole)) = disk(state.basedir()) else {
        return Component::ok("Disk", "does not say how much is free".to_owned());
    };
    let share = 100.0 * free / whole.max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "for people"
    )]
    let bytes = free as u64;
    let text = format!("{} free, {share:.0} %", size(bytes));
    let level = match free {
        _ if free < LEAST_FREE => Level::Failing,
        _ if free < LITTLE_FREE && share < LITTLE_SHARE => Level::Degraded,
        _ => Level::Ok,
    };
    Component::new("Disk", level, None, text)
}

/// With fewer free bytes the disk is failing.
const LEAST_FREE: f64 = 64e6;

/// With fewer free bytes, and a smaller share in percent, the disk is degraded.
const LITTLE_FREE: f64 = 2e9;
const LITTLE_SHARE: f64 = 5.0;

/// The clock of the machine, compared with the time that has passed since the start.
fn clock(jump_secs: f64) -> Component {
    let text = match jump_secs.abs() < LONGEST_JUMP_SECS {
        true => "agrees with the time that has passed since the start of the master".to_owned(),
        false => format!("was set by {jump_secs:.0} s since the start of the master"),
    };
    let level = match jump_secs.abs() < LONGEST_JUMP_SECS {
        true => Level::Ok,
        false => Level::Degraded,
    };
    Component::new("Clock", level, None, text)
}

/// A clock that was set by more is worth a look.
const LONGEST_JUMP_SECS: f64 = 60.0;

/// What waits for each target, and what could not be sent.
fn outbox(state: &State) -> Result<Vec<Component>, Refusal> {
    let component = |row: OutboxRow| {
        let OutboxRow { waiting, dead, .. } = row;
        let name = format!("Outbox {}", row.target);
        let why = row
            .error
            .map_or_else(String::new, |error| format!(": {error}"));
        match (waiting, dead, why.is_empty()) {
            (0, 0, _) | (_, 0, true) => {
                Component::ok(name, format!("{waiting} letters wait to be sent"))
            }
            (_, 0, false) => {
                let text = format!("{waiting} letters wait and are tried again{why}");
                Component::new(name, Level::Degraded, row.oldest, text)
            }
            _ => {
                let text = format!(
                    "{dead} letters could not be sent, `buildmaster outbox` lists them{why}"
                );
                Component::new(name, Level::Degraded, None, text)
            }
        }
    };
    Ok(state.outbox()?.into_iter().map(component).collect())
}

/// Whether the configuration file is the one that is in force; absent if it has another name.
fn configuration(state: &State, scene: &Scene) -> Option<Component> {
    let file = state.basedir().join("master.toml");
    let changed = std::fs::metadata(file)
        .and_then(|file| file.modified())
        .ok()?;
    let changed = changed.duration_since(UNIX_EPOCH).ok()?;
    let changed = Timestamp(i64::try_from(changed.as_micros()).ok()?);
    let read = scene.facts.configured_at;
    Some(match changed > read {
        true => {
            let text = "master.toml was changed since it was read; \
                        `buildmaster reconfig` puts it in force"
                .to_owned();
            Component::new("Configuration", Level::Degraded, Some(changed), text)
        }
        false => Component::ok(
            "Configuration",
            "is in force as master.toml has it".to_owned(),
        ),
    })
}

/// The change sources (INT-01).
fn sources(state: &State, scene: &Scene) -> Result<Vec<Component>, Refusal> {
    let sources = ChangeSource::all(Some(state), &scene.config.change_sources)?;
    let look = |source: ChangeSource| {
        let name = format!("Change source {}", source.name);
        match source.failure() {
            Some(failure) => Component::new(name, Level::Degraded, source.last_error_at, failure),
            None if source.last_success.is_some() => Component::ok(name, "works".to_owned()),
            None => Component::ok(name, "has brought nothing yet".to_owned()),
        }
    };
    Ok(sources.into_iter().map(look).collect())
}

/// The slaves whose absence somebody wants to know.
fn slaves(state: &State, scene: &Scene) -> Result<Vec<Component>, Refusal> {
    let watched = scene.config.slaves.iter();
    let watched = watched.filter(|slave| !slave.notify_on_missing.is_empty());
    let watched: Vec<_> = watched.map(|slave| &slave.name).collect();
    let slaves = Slave::all(Some(state), None, &scene.live, scene.moment())?;
    let slaves = slaves.iter().filter(|slave| watched.contains(&&slave.name));
    let look = |slave: &Slave| {
        let name = format!("Slave {}", slave.name);
        match slave.is_away() {
            true => {
                let text = "is not connected".to_owned();
                Component::new(name, Level::Degraded, slave.last_seen, text)
            }
            false => Component::ok(name, "is as it should be".to_owned()),
        }
    };
    Ok(slaves.map(look).collect())
}

/// A mean in milliseconds, as people read it.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn millis(sum_secs: f64, count: u64) -> String {
    let mean = 1e3 * sum_secs / count.max(1) as f64;
    format!("{mean:.1}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::Value;

    use super::*;
    use crate::web::testing::Farm;

    #[test]
    fn health_names_each_part_and_how_it_is() {
        let farm = Farm::broken();
        let page = farm.page("/health");
        assert!(page.contains("<b>State</b> writes in"), "{page}");
        assert!(page.contains("<b>Slave elm</b> is not connected"), "{page}");
        let health = farm.get("/health?format=json").text;
        let health: Value = serde_json::from_str(&health).unwrap();
        let parts = health["components"].as_array().unwrap();
        // The disk of the machine that runs the tests may be nearly full.
        let is_full = parts
            .iter()
            .any(|part| part["name"] == "Disk" && part["state"] != "ok");
        let told = match is_full {
            true => "2 of 6 parts are not as they should be",
            false => "1 of 6 parts is not as it should be",
        };
        assert!(page.contains(told), "{page}");
    }

    #[test]
    fn programs_get_health_as_json() {
        let answer = Farm::broken().get("/health?format=json");
        assert_eq!(answer.header("content-type"), "application/json");
        let health: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(health["state"], "degraded");
        let parts = health["components"].as_array().unwrap();
        let elm = parts.iter().find(|part| part["name"] == "Slave elm");
        assert_eq!(elm.unwrap()["state"], "degraded");
    }

    #[test]
    fn a_clock_that_was_set_is_degraded() {
        assert_eq!(clock(-59.0).state, Level::Ok);
        let set = clock(-7200.0);
        assert_eq!(set.state, Level::Degraded);
        assert!(set.text.contains("-7200 s"), "{}", set.text);
    }
}
