//! Slaves, and logins that were refused.

use schemars::JsonSchema;
use serde::Serialize;

use super::{includes, missing};
use crate::store::State;
use crate::view::{self, Brief};
use crate::web::api::resource::{All, One, Part, Resource};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

const PARTS: &[Part] = &[Part {
    name: "builds",
    path: "/api/v1/builds?slave={name}",
}];

pub(in crate::web) const ALL: Resource = Resource::new(
    "/api/v1/slaves",
    "All slaves, in the order of the configuration.",
    &[
        Arg::word("state", &["connected", "away", "paused"]),
        Arg::text("builder").also(&["show"]),
    ],
    &All(all),
)
.with(PARTS);

pub(in crate::web) const ONE: Resource =
    Resource::new("/api/v1/slaves/{slave}", "A slave.", &[], &One(one)).with(PARTS);

pub(in crate::web) const VISITS: Resource = Resource::new(
    "/api/v1/slaves/{slave}/visits",
    "When a slave was connected, the latest first; the newest 100 are kept.",
    &[],
    &All(visits),
);

pub(in crate::web) const LOGINS: Resource = Resource::new(
    "/api/v1/logins",
    "Connections and logins that were refused lately, the latest first.",
    &[Arg::text("name")],
    &All(logins),
);

/// How many builds come with a slave.
const LAST_BUILDS: u32 = 20;

/// A slave, with what ran on it.
#[derive(Debug, JsonSchema, Serialize)]
struct SlavePage {
    #[serde(flatten)]
    slave: view::Slave,
    /// Its newest builds.
    builds: Option<Vec<Brief>>,
}

fn read(state: &State, scene: &Scene) -> Result<Vec<view::Slave>, Refusal> {
    let all = view::Slave::all(Some(state), None, &scene.live, scene.moment())?;
    Ok(all)
}

fn with_builds(state: &State, scene: &Scene, slave: view::Slave) -> Result<SlavePage, Refusal> {
    let builds = match includes(scene, "builds") {
        true => Some(Brief::on_slave(state, &slave.name, LAST_BUILDS)?),
        false => None,
    };
    Ok(SlavePage { slave, builds })
}

fn all(state: &State, scene: &Scene) -> Result<Vec<SlavePage>, Refusal> {
    let builders = scene.args.all("builder");
    let wanted = scene.args.text("state");
    let is_wanted = |slave: &view::Slave| {
        let is_so = match wanted {
            Some("connected") => slave.connected,
            Some("away") => slave.is_away(),
            Some("paused") => slave.paused.is_some(),
            _ => true,
        };
        let mut own = slave.builders.iter();
        is_so && (builders.is_empty() || own.any(|own| builders.iter().any(|b| b == own.as_str())))
    };
    let slaves = read(state, scene)?.into_iter().filter(is_wanted);
    slaves
        .map(|slave| with_builds(state, scene, slave))
        .collect()
}

fn one(state: &State, scene: &Scene) -> Result<SlavePage, Refusal> {
    with_builds(state, scene, asked_for(state, scene)?)
}

fn asked_for(state: &State, scene: &Scene) -> Result<view::Slave, Refusal> {
    let asked = scene.args.part("slave");
    let mut all = read(state, scene)?;
    match all.iter().position(|slave| slave.name.as_str() == asked) {
        Some(place) => Ok(all.swap_remove(place)),
        None => Err(missing("slave", asked, all.iter().map(|s| s.name.as_str()))),
    }
}

fn visits(state: &State, scene: &Scene) -> Result<Vec<view::Visit>, Refusal> {
    Ok(asked_for(state, scene)?.visits(state)?)
}

#[expect(clippy::unnecessary_wraps, reason = "as all answers")]
fn logins(_: &State, scene: &Scene) -> Result<Vec<view::Refusal>, Refusal> {
    let names = scene.args.all("name");
    let all = scene.live.refusals.iter().map(view::Refusal::from);
    let all = all.filter(|refusal| {
        let name = refusal.name.as_deref().unwrap_or_default();
        names.is_empty() || names.iter().any(|wanted| wanted == name)
    });
    Ok(all.collect())
}
