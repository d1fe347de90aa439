//! About this master: what is built in and where, its doors, its numbers, and how pages look.

use askama::Template;

use super::buttons::Buttons;
use crate::store::State;
use crate::text::size;
use crate::view::{Builder, Slave};
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Time, span};
use crate::web::refusal::Refusal;

/// How pages may look: the value of the argument and the cookie, and the colour scheme.
pub(in crate::web) const THEMES: &[(&str, &str)] = &[
    ("system", "light dark"),
    ("light", "light"),
    ("dark", "dark"),
];

pub(in crate::web) const PAGE: Page = Page {
    path: "/about",
    args: &[Arg::word("theme", &["system", "light", "dark"])],
    permission: Permission::View,
    topics: &["health"],
    api: Some("/api/v1/master"),
    place: Place::Apart,
    show,
};

#[derive(Debug, Template)]
#[template(path = "about.html", config = "src/web/askama.toml")]
struct About {
    version: String,
    since: Time,
    up: String,
    builders: usize,
    slaves: usize,
    connected: usize,
    state: String,
    doors: Vec<(String, String)>,
    sources: Vec<String>,
    /// The theme that was just chosen.
    chosen: Option<&'static str>,
    buttons: Buttons,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let moment = scene.moment();
    let live = &scene.live;
    let slaves = Slave::all(Some(state), None, live, moment)?;
    let builders = Builder::all(Some(state), None, live, moment)?;
    let facts = &scene.facts;
    let doors = facts.ports.iter();
    let doors = doors.map(|port| {
        let what = match port.bound.starts_with("http") {
            true => "Web",
            false => "Slaves and clients",
        };
        (what.to_owned(), port.bound.clone())
    });
    let theme = scene.args.text("theme");
    let mut themes = THEMES.iter().map(|(name, _)| *name);
    let chosen = themes.find(|name| Some(*name) == theme);
    let sources = scene.config.change_sources.iter();
    let about = About {
        version: facts.version.clone(),
        since: scene.time(facts.started_at),
        up: span(scene.since(facts.started_at)),
        builders: builders.len(),
        connected: slaves.iter().filter(|slave| slave.connected).count(),
        slaves: slaves.len(),
        state: size(state.size_bytes()?),
        doors: doors.collect(),
        sources: sources.map(|source| source.name.to_string()).collect(),
        chosen,
        buttons: Buttons::of_master(state, scene)?,
    };
    let mut shown = Shown::new("About", &about)?;
    shown.cookie = chosen.map(|name| ("theme", name));
    Ok(shown)
}
