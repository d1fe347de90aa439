//! The web pages: where they are served, and how much they show.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::address::{self, Listen};
use super::pattern::LinePattern;
use super::reader::{Table, Value};
use super::shape::Shape;

/// The web pages. Without this table, the master serves none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WebConfig {
    /// Where to listen; a port without an address is loopback of IPv4 and IPv6.
    #[serde(serialize_with = "address::texts")]
    pub port: Vec<Listen>,
    /// Builds in a list, if the address of the page does not say: 20.
    pub num_builds: u32,
    /// The header in which a proxy names the user who has logged in there (LGN-03).
    pub user_header: Option<String>,
    /// The header in which the proxy lists the groups of the user, which become roles.
    pub groups_header: Option<String>,
    /// The addresses of proxies, which alone may set these headers.
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins of other pages that may read the API, such as `https://dash.example`.
    pub cors: Vec<String>,
    /// Who may read `/metrics` from another machine.
    pub metrics: Metrics,
    /// Whether there are metrics for each step: false.
    pub step_metrics: bool,
    /// Links in the texts of changes, such as to the issues that they name (STA-99).
    pub comment_links: Vec<CommentLink>,
    /// By name of a project: its address for people (STA-101).
    pub project_links: BTreeMap<String, String>,
    /// By name or address of a repository: its address for people (STA-102).
    pub repository_links: BTreeMap<String, String>,
}

/// Where what a pattern finds in the text of a change leads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommentLink {
    /// What is linked.
    pub pattern: LinePattern,
    /// The address, with `$1` for the first group of the pattern and so on.
    pub url: String,
}

/// Who may read the metrics from another machine. This machine may always.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Metrics {
    /// Who has a token.
    #[default]
    Token,
    /// Everybody.
    Open,
}

pub(super) static SHAPE: Shape = Shape {
    place: "web",
    noun: "web",
    keys: &[
        "port",
        "num_builds",
        "metrics",
        "step_metrics",
        "user_header",
        "groups_header",
        "trusted_proxies",
        "cors",
        "comment_links",
        "project_links",
        "repository_links",
    ],
    kinds: Vec::new,
};

pub(super) static COMMENT_LINK: Shape = Shape {
    place: "web.comment_links",
    noun: "link",
    keys: &["pattern", "url"],
    kinds: Vec::new,
};

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            port: Vec::new(),
            num_builds: 20,
            user_header: None,
            groups_header: None,
            trusted_proxies: Vec::new(),
            cors: Vec::new(),
            metrics: Metrics::default(),
            step_metrics: false,
            comment_links: Vec::new(),
            project_links: BTreeMap::new(),
            repository_links: BTreeMap::new(),
        }
    }
}

impl WebConfig {
    /// Takes what the table has; `slave_port` belongs to the slaves.
    pub(super) fn read(value: &Value<'_>, slave_port: &[Listen]) -> Option<Self> {
        let mut table = value.table(&SHAPE)?;
        let mut web = Self::default();
        match table.take("port") {
            Some(port) => {
                web.port = port.listen().unwrap_or_default();
                let is_taken = |l: &Listen| slave_port.iter().any(|other| l.overlaps(other));
                if web.port.iter().any(is_taken) {
                    port.error("is the slave port", "give the pages a port of their own");
                }
            }
            None if table.has_misspelt("port") => {}
            None => {
                let message = "the web pages need a port".to_owned();
                let help = "add `port = 8010` to the table `[web]`, or remove the table";
                table.sink.missing(table.span.clone(), message, help);
            }
        }
        table.set("num_builds", &mut web.num_builds, |v| {
            v.integer(1..=MOST_BUILDS)
        });
        let place = table.place("user_header");
        table.set_some("user_header", &mut web.user_header, |v| header(v));
        table.set_some("groups_header", &mut web.groups_header, |v| header(v));
        table.set("trusted_proxies", &mut web.trusted_proxies, |v| {
            let entries = v.one_or_list()?;
            Some(entries.iter().filter_map(proxy).collect())
        });
        if web.user_header.is_some()
            && web.trusted_proxies.is_empty()
            && !table.has_misspelt("trusted_proxies")
        {
            let message = "`user_header` needs `trusted_proxies`".to_owned();
            let help = "list the addresses of the proxies that set the header; nobody else may";
            let place = place.unwrap_or_else(|| table.span.clone());
            table.sink.missing(place, message, help);
        }
        table.set("cors", &mut web.cors, |v| {
            let origins = v.one_or_list()?;
            Some(origins.iter().filter_map(origin).collect())
        });
        table.set("metrics", &mut web.metrics, |v| {
            let word = v.one_of(&["token", "open"])?;
            Some(if word == "open" {
                Metrics::Open
            } else {
                Metrics::Token
            })
        });
        table.set("step_metrics", &mut web.step_metrics, Value::flag);
        table.set("comment_links", &mut web.comment_links, |v| {
            let tables = v.tables(&COMMENT_LINK);
            Some(tables.into_iter().filter_map(CommentLink::read).collect())
        });
        table.set("project_links", &mut web.project_links, |v| Some(links(v)));
        table.set("repository_links", &mut web.repository_links, |v| {
            Some(links(v))
        });
        table.finish();
        Some(web)
    }
}

impl CommentLink {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let pattern = table.require("pattern", "'#(\\d+)'");
        let pattern = pattern.and_then(|value| {
            let text = value.name()?;
            let pattern = LinePattern::anywhere(text);
            let help = "write a regular expression, such as `'#(\\d+)'`";
            pattern
                .map_err(|error| value.error(&format!("is not a pattern: {error}"), help))
                .ok()
        });
        let url = table.require("url", "\"https://bugs.example.org/$1\"");
        let url = url.and_then(|value| {
            let url = address_for_people(&value)?;
            if url.contains('\\') {
                let help = "write `$1` for the first group, and so on";
                value.error("has a backslash", help);
                return None;
            }
            Some(url)
        });
        table.finish();
        Some(Self {
            pattern: pattern?,
            url: url?,
        })
    }
}

/// `{ NAME = "https://…" }`.
fn links(value: &Value<'_>) -> BTreeMap<String, String> {
    let entries = value.entries().into_iter();
    let links =
        entries.filter_map(|(name, value)| Some((name.to_owned(), address_for_people(&value)?)));
    links.collect()
}

/// An address that browsers go to.
fn address_for_people(value: &Value<'_>) -> Option<String> {
    let text = value.name()?;
    if !text.starts_with("https://") && !text.starts_with("http://") {
        let help = "it begins with `https://` or `http://`";
        value.error("is not the address of a page", help);
        return None;
    }
    Some(text.to_owned())
}

/// The name of a header, in lower case.
fn header(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.chars().all(is_name) {
        value.error(
            "is not the name of a header",
            "for example `\"X-Remote-User\"`",
        );
        return None;
    }
    Some(name.to_ascii_lowercase())
}

/// The address of a proxy.
fn proxy(value: &Value<'_>) -> Option<IpAddr> {
    let address = value.name()?.parse().ok();
    if address.is_none() {
        value.error(
            "is not an address",
            "write an IP address, such as `127.0.0.1`",
        );
    }
    address
}

/// The origin of a page: scheme, host and port, as browsers send it.
fn origin(value: &Value<'_>) -> Option<String> {
    let text = value.name()?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_host = |rest: &str| !rest.is_empty() && !rest.contains(['/', '?', '#', '*', '@', ' ']);
    if !rest.is_some_and(is_host) || text.to_lowercase() != text {
        value.error(
            "is not an origin",
            "write scheme and host in lower case, such as \"https://dash.example\"",
        );
        return None;
    }
    Some(text.to_owned())
}

/// Maximum number of builds in a list.
pub const MOST_BUILDS: u32 = 1000;
