//! What is around each page: head, navigation and foot.

use std::hash::{DefaultHasher, Hash, Hasher};

use askama::Template;

use super::assets::{SCRIPT, STYLE_PATH};
use super::page::{Page, Place, Scene, Shown};
use super::parts::Tone;
use super::xml::shortened;
use crate::text::printable;
use crate::view::Overview;

/// Characters of the name of the project.
const LONGEST_PROJECT: usize = 100;

/// A whole page.
#[derive(Debug, Template)]
#[template(path = "frame.html", config = "src/web/askama.toml")]
pub(super) struct Frame<'a> {
    title: &'a str,
    project: String,
    /// `light dark`, or the one that the reader has chosen.
    scheme: &'a str,
    icon: Icon,
    style: &'a str,
    script: &'a str,
    feed: Option<&'a str>,
    home: Tone,
    home_says: String,
    entries: Vec<Entry>,
    /// The name of the reader and their page, or the login.
    who: (&'a str, String),
    body: &'a str,
    /// The number of what happened last when the page was made.
    live: Option<u64>,
    /// The time for programs, and for people.
    now: (String, String),
    zone: &'a str,
    json: Option<String>,
    version: &'a str,
}

/// The icon of a page: its ground and its shape.
#[derive(Clone, Copy, Debug, Hash)]
struct Icon {
    fill: &'static str,
    path: &'static str,
}

/// An entry of the navigation.
#[derive(Debug, Hash)]
struct Entry {
    name: &'static str,
    href: &'static str,
    is_current: bool,
    badge: Option<Badge>,
}

/// A number in the navigation.
#[derive(Debug, Hash)]
struct Badge {
    class: &'static str,
    title: &'static str,
    count: usize,
}

impl<'a> Frame<'a> {
    /// The frame around `shown`. `page` is absent for addresses without a page.
    pub(super) fn new(
        shown: &'a Shown,
        page: Option<&Page>,
        pages: &[&Page],
        scene: &'a Scene,
        overview: &Overview,
        scheme: &'a str,
        live: Option<u64>,
    ) -> Self {
        let now = scene.local(scene.now);
        let (home, home_says) = match overview.broken {
            0 => (Tone::Ok, " home".to_owned()),
            1 => (Tone::Fail, " home, 1 builder broken".to_owned()),
            n => (Tone::Fail, format!(" home, {n} builders broken")),
        };
        Self {
            title: &shown.title,
            project: printable(&shortened(&scene.config.title, LONGEST_PROJECT)),
            scheme,
            icon: Icon::of(shown.icon),
            style: &STYLE_PATH,
            script: SCRIPT,
            feed: shown.feed.as_deref(),
            home: if overview.has_built { home } else { Tone::Off },
            home_says,
            entries: entries(page, pages, overview),
            who: match scene.reader.user() {
                Some(name) => (name, super::address::user(name)),
                None => ("Log in", "/login".to_owned()),
            },
            body: &shown.body,
            live,
            now: (now.machine(), now.full()),
            zone: scene.zone.name(),
            json: page.and_then(|page| twin(page, scene)),
            version: &scene.facts.version,
        }
    }
}

impl Frame<'_> {
    /// What the page shows, without when it was made: equal for equal pages.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let head = (self.title, &self.project, self.scheme, self.icon, self.feed);
        let navigation = (self.home, &self.home_says, &self.entries, &self.who);
        let rest = (self.body, self.zone, &self.json, self.version);
        (head, navigation, rest).hash(&mut hasher);
        hasher.finish()
    }
}

/// The entries of the navigation, in the order of the table.
fn entries(page: Option<&Page>, pages: &[&Page], overview: &Overview) -> Vec<Entry> {
    let current = page.and_then(|page| page.place.name());
    let mut entries = Vec::new();
    for page in pages {
        let Place::Entry(name) = page.place else {
            continue;
        };
        let (class, title, count) = match name {
            "Problems" => ("fail", "broken builders", overview.broken),
            "Queue" => ("wait", "requests that wait", overview.waiting),
            "Slaves" => ("warn", "slaves away", overview.slaves_away),
            _ => ("", "", 0),
        };
        entries.push(Entry {
            name,
            href: page.path,
            is_current: current == Some(name),
            badge: (count > 0).then_some(Badge {
                class,
                title,
                count,
            }),
        });
    }
    entries
}

/// The address of the twin in the API, with the parts of the address of the page.
fn twin(page: &Page, scene: &Scene) -> Option<String> {
    let mut address = String::new();
    for part in page.api?.split('/').skip(1) {
        let name = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
        address.push('/');
        match name {
            Some(name) => address += &super::address::segment(scene.args.part(name)),
            None => address += part,
        }
    }
    Some(address)
}

impl Icon {
    const fn of(tone: Tone) -> Self {
        const CROSS: &str = "M10 10l12 12M22 10L10 22";
        const BANG: &str = "M16 8v10M16 23v1";
        let (fill, path) = match tone {
            Tone::Ok => ("%231e7a45", "M9 17l5 5 9-11"),
            Tone::Warn => ("%239a5d00", BANG),
            Tone::Fail => ("%23c22a27", CROSS),
            Tone::Exc | Tone::Retry => ("%237f3fb0", BANG),
            Tone::Run => ("%232467b5", "M12 9l11 7-11 7z"),
            Tone::Wait => ("%235f666d", "M12 9v14M20 9v14"),
            Tone::Off => ("%235f666d", "M10 16h12"),
        };
        Self { fill, path }
    }
}
