//! Feeds: the newest builds, problems or changes, as Atom or RSS.

mod entries;
mod write;

use self::entries::{Entry, builds, changes, problems};
use self::write::Feed;
use super::args::Arg;
use super::outlet::{Document, HOST, Outlet, Readers};
use super::page::Scene;
use super::refusal::Refusal;
use super::xml::shortened;
use crate::store::State;

pub(super) const ATOM: Outlet = Outlet {
    path: "/atom",
    args: ARGS,
    readers: Readers::OfPages,
    show: atom,
    refuse: Document::sentence,
};

pub(super) const RSS: Outlet = Outlet {
    path: "/rss",
    show: rss,
    ..ATOM
};

const ARGS: &[Arg] = &[
    Arg::text("builder").also(&["show"]),
    Arg::text("tag").also(&["category"]),
    Arg::text("branch"),
    Arg::text("project"),
    Arg::flag("failures_only"),
    Arg::word("kind", &["builds", "problems", "changes"]),
    Arg::text("name"),
    Arg::text("revision"),
];

/// Characters of the name of the project.
const LONGEST_TITLE: usize = 100;

/// Entries of a feed.
const ENTRIES: usize = 20;

fn atom(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let feed = read(state, scene, "/atom")?;
    Ok(Document::new(
        "application/atom+xml; charset=utf-8",
        feed.atom(),
    ))
}

fn rss(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let feed = read(state, scene, "/rss")?;
    Ok(Document::new(
        "application/rss+xml; charset=utf-8",
        feed.rss(),
    ))
}

fn read(state: &State, scene: &Scene, path: &'static str) -> Result<Feed, Refusal> {
    let (what, entries): (_, Vec<Entry>) = match scene.args.text("kind") {
        Some("problems") => ("problems", problems(state, scene)?),
        Some("changes") => ("changes", changes(state, scene)?),
        _ => ("builds", builds(state, scene)?),
    };
    let newest = entries.iter().map(|entry| entry.at).max();
    Ok(Feed {
        title: format!("{}: {what}", shortened(&scene.config.title, LONGEST_TITLE)),
        base: base(scene),
        path,
        what,
        host: host(scene),
        updated: newest.unwrap_or(scene.facts.started_at),
        entries,
    })
}

/// The address of the master, without a slash at its end: as the configuration has it, unless that
/// is the default and the reader calls the master by another name.
fn base(scene: &Scene) -> String {
    let configured = scene.config.buildbot_url.trim_end_matches('/');
    let host = scene.args.part(HOST);
    let is_default = configured == DEFAULT_URL || configured.is_empty();
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    match is_default && !host.is_empty() && host.chars().all(is_name) {
        true => format!("http://{host}"),
        false => configured.to_owned(),
    }
}

/// The setting `buildbot_url` of a configuration that has none, without its slash.
const DEFAULT_URL: &str = "http://localhost:8010";

/// The name in the identifiers of entries, which stay the same for all readers.
fn host(scene: &Scene) -> String {
    let url = &scene.config.buildbot_url;
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    match host {
        "" => "localhost".to_owned(),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests;
