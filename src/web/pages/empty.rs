//! Home of a master that has built nothing: the ways to a first build, and what is ready.

use std::fs;

use askama::Template;

use crate::config::{Config, Listen, PbSourceConfig, Secret};
use crate::store::State;
use crate::view::Slave;
use crate::web::address;
use crate::web::page::{Scene, Shown};
use crate::web::parts::{Link, Links, Time, slave};
use crate::web::refusal::Refusal;

#[derive(Debug, Template)]
#[template(path = "empty.html", config = "src/web/askama.toml")]
struct Empty {
    since: Time,
    ready: String,
    ways: usize,
    /// The first builder: a link, and a command that forces a build.
    builder: Option<(Link, String)>,
    built_on: Links,
    scheduler: Option<Link>,
    /// A command that sends a change.
    send: Option<String>,
    slaves: Vec<(Link, bool)>,
    ports: Vec<String>,
    is_loopback: bool,
}

/// Words of a sentence that count things.
fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        0 => format!("no {one}"),
        1 => format!("one {one}"),
        number => format!("{number} {many}"),
    }
}

/// The ways to a first build.
pub(super) fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let slaves = Slave::all(Some(state), None, &scene.live, scene.moment())?;
    let config = &scene.config;
    let dir = fs::canonicalize(state.basedir());
    let dir = dir.unwrap_or_else(|_| state.basedir().to_owned());
    let dir = dir.display().to_string();
    let builder = config.builders.first();
    let source = config.change_sources.iter().find_map(|source| source.pb());
    let send = source.and_then(|pb| send(scene, pb, &dir));
    let web = scene.web();
    let is_loopback = web.port.iter().all(|port| match port {
        Listen::Tcp(address) => address.ip().is_loopback(),
        Listen::Unix(_) => true,
    });
    let connected = slaves.iter().filter(|slave| slave.connected).count();
    let force = builder.map(|builder| {
        let name = builder.name.as_str();
        let command = format!(
            "buildmaster force {} --basedir {}",
            quoted(name),
            quoted(&dir)
        );
        (Link::to(name, &address::builder(&builder.name)), command)
    });
    let contents = Empty {
        since: scene.second(scene.facts.started_at),
        ready: format!(
            "{} connected, {} configured",
            count(connected, "slave is", "slaves are"),
            count(config.builders.len(), "builder is", "builders are"),
        ),
        ways: usize::from(force.is_some()) + 2 * usize::from(send.is_some()),
        built_on: Links::new(
            builder
                .into_iter()
                .flat_map(|builder| &builder.slaves)
                .map(slave),
            "or",
            3,
        ),
        builder: force,
        scheduler: scheduler(config),
        send,
        slaves: slaves
            .iter()
            .map(|known| (slave(&known.name), known.connected))
            .collect(),
        ports: scene
            .facts
            .ports
            .iter()
            .map(|port| port.bound.clone())
            .collect(),
        is_loopback,
    };
    Shown::new("Nothing built yet", &contents)
}

/// The first scheduler that looks at changes and builds the first builder.
fn scheduler(config: &Config) -> Option<Link> {
    let builder = &config.builders.first()?.name;
    let mut all = config.schedulers.iter();
    let found = all.find(|one| one.builders.contains(builder))?;
    Some(Link::to(
        found.name.as_str(),
        &address::scheduler(&found.name),
    ))
}

/// A command that sends a change to this source.
fn send(scene: &Scene, source: &PbSourceConfig, dir: &str) -> Option<String> {
    let wanted = match source.ports.first() {
        Some(own) => own,
        None => scene.config.slave_port.first()?,
    };
    let mut open = scene.facts.ports.iter();
    let bound = open.find(|port| port.configured == *wanted);
    let port = bound.map_or_else(|| wanted.to_string(), |port| port.bound.clone());
    let password = match &source.password {
        Secret::File(path) => format!("$(cat {}/{})", quoted(dir), quoted(&path.to_string_lossy())),
        Secret::Env(name) => format!("${name}"),
        Secret::Inline(_) => "PASSWORD".to_owned(),
    };
    let user = quoted(&source.user);
    Some(format!(
        "buildbot sendchange --master {port} --auth {user}:\"{password}\" --who me hello.c"
    ))
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::Farm;

    #[test]
    fn a_master_that_has_built_nothing_tells_the_ways_to_a_first_build() {
        let farm = Farm::new();
        let page = farm.page("/");
        let dir = farm.dir();
        for text in [
            "Nothing has been built yet",
            "one slave is connected, 2 builders are configured",
            "<h2>Three ways to the first build</h2>",
            &format!("buildmaster force linux --basedir {dir}"),
            &format!(
                "buildbot sendchange --master 127.0.0.1:9989 --auth \
                 change:&#34;$(cat {dir}/secrets/change)&#34; --who me hello.c"
            ),
            r#"<a href="/schedulers/quick">quick</a>"#,
            r#"<a href="/buildslaves/oak">oak</a> or <a href="/buildslaves/elm">elm</a>"#,
            "open to this machine alone",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a/b-c"), "a/b-c");
        assert_eq!(quoted("it's $x"), "'it'\\''s $x'");
        assert_eq!(quoted(""), "''");
    }
}
