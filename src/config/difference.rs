//! What is different between two configurations: the plan of a reconfiguration, for people
//! (MAS-03).
//!
//! Settings are compared as they are checked, by the names of their keys in the file: a default
//! that is written out makes no difference. Nobody has to list the settings here.

mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use self::settings::differing;
use super::builders::BuilderConfig;
use super::status::StatusConfig;
use super::toplevel::Config;

/// All differences, in the order in which they take effect; none if both are the same.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Difference(pub Vec<Item>);

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Item {
    /// What it is about: `slave`, `builder`, `scheduler`, `change source`, `setting`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub becomes: Becomes,
    /// The paths of its settings that are other ones: `max_builds`,
    /// `factories.check.steps[2].command`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Becomes {
    /// It is new.
    Added,
    /// It is not there any more.
    Removed,
    /// It stays with other settings.
    Changed,
}

impl Difference {
    /// What makes `new` out of `old`.
    #[must_use]
    pub fn between(old: &Config, new: &Config) -> Self {
        let mut items = Vec::new();
        for name in differing(old, new) {
            items.push(Item {
                what: "setting",
                name,
                becomes: Becomes::Changed,
                settings: Vec::new(),
            });
        }
        compare(
            "slave",
            (&old.slaves, &new.slaves),
            |s| s.name.to_string(),
            differing,
            &mut items,
        );
        compare(
            "lock",
            (&old.locks, &new.locks),
            |l| l.name.to_string(),
            differing,
            &mut items,
        );
        compare(
            "builder",
            (&old.builders, &new.builders),
            |b| b.name.to_string(),
            builder,
            &mut items,
        );
        compare(
            "scheduler",
            (&old.schedulers, &new.schedulers),
            |s| s.name.to_string(),
            differing,
            &mut items,
        );
        compare(
            "person",
            (&old.people, &new.people),
            |known| known.person.name.clone(),
            differing,
            &mut items,
        );
        compare(
            "repository",
            (old.repositories.as_slice(), new.repositories.as_slice()),
            |repository| repository.name.clone(),
            differing,
            &mut items,
        );
        compare(
            "change source",
            (&old.change_sources, &new.change_sources),
            |source| source.name.to_string(),
            differing,
            &mut items,
        );
        compare(
            "status target",
            (&old.status, &new.status),
            StatusConfig::name,
            differing,
            &mut items,
        );
        Self(items)
    }

    /// Adds what cannot be seen in the configurations: that there is another password where they
    /// say that it is.
    pub fn add_password(&mut self, what: &'static str, name: &str) {
        let of = |item: &&mut Item| item.what == what && item.name == name;
        match self.0.iter_mut().find(of) {
            Some(item) if item.settings.iter().any(|path| path == PASSWORD) => {}
            Some(item) => item.settings.push(PASSWORD.to_owned()),
            None => self.0.push(Item {
                what,
                name: name.to_owned(),
                becomes: Becomes::Changed,
                settings: vec![PASSWORD.to_owned()],
            }),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Item {
    /// A line for people: `builder full: changed: slaves, factory`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let becomes = match self.becomes {
            Becomes::Added => "added",
            Becomes::Removed => "removed",
            Becomes::Changed => "changed",
        };
        write!(f, "{} {}: {becomes}", self.what, self.name)?;
        if self.settings.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.settings.join(", "))
    }
}

/// Compares two lists of things with names. Their order is not compared: it decides nothing that
/// runs.
fn compare<T: PartialEq>(
    what: &'static str,
    (old, new): (&[T], &[T]),
    name: impl Fn(&T) -> String,
    settings: impl Fn(&T, &T) -> Vec<String>,
    items: &mut Vec<Item>,
) {
    let before: BTreeMap<_, _> = old.iter().map(|thing| (name(thing), thing)).collect();
    let after: BTreeSet<_> = new.iter().map(&name).collect();
    let mut push = |name, becomes, settings| {
        items.push(Item {
            what,
            name,
            becomes,
            settings,
        });
    };
    for name in before.keys().filter(|name| !after.contains(*name)) {
        push(name.clone(), Becomes::Removed, Vec::new());
    }
    for thing in new {
        match before.get(&name(thing)) {
            None => push(name(thing), Becomes::Added, Vec::new()),
            Some(&was) if was != thing => {
                push(name(thing), Becomes::Changed, settings(was, thing));
            }
            Some(_) => {}
        }
    }
}

const PASSWORD: &str = "password";

/// A factory of another name, or with more or fewer steps, is one change; in others, each setting
/// is.
fn builder(a: &Arc<BuilderConfig>, b: &Arc<BuilderConfig>) -> Vec<String> {
    let mut paths = differing(a, b);
    if a.factory.name == b.factory.name {
        let steps = differing(&a.factory, &b.factory);
        paths.extend(steps.iter().map(|path| match path.as_str() {
            // Which steps are new cannot be said.
            "steps" => "factory".to_owned(),
            path => format!("factories.{}.{path}", b.factory.name),
        }));
    }
    paths
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::parse;

    const OLD: &str = r#"
slave_port = 9989
[[slaves]]
name = "s"
password = "p"
[[slaves]]
name = "t"
type = "local"
[factories.f]
steps = [{ type = "ShellCommand", command = "true" }]
[[builders]]
name = "b"
slaves = ["s", "t"]
factory = "f"
[[schedulers]]
type = "Scheduler"
name = "quick"
tree_stable_timer = "1m"
builders = ["b"]
"#;

    fn read(text: &str) -> Config {
        let zone = Err("no zone here".to_owned());
        parse(text, "master.toml", &zone).unwrap().0
    }

    fn lines(old: &str, new: &str) -> Vec<String> {
        let difference = Difference::between(&read(old), &read(new));
        difference.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_same_twice_has_no_difference() {
        assert!(Difference::between(&read(OLD), &read(OLD)).is_empty());
    }

    #[test]
    fn each_difference_is_a_line_that_names_the_thing_and_its_settings() {
        let new = OLD
            .replace("9989", "9990")
            .replace("password = \"p\"", "password = \"q\"\nmax_builds = 2")
            .replace("command = \"true\"", "command = \"false\"")
            .replace("\"1m\"", "\"2m\"")
            .replace("name = \"quick\"", "name = \"slow\"");
        assert_eq!(
            lines(OLD, &new),
            [
                "setting slave_port: changed",
                "slave s: changed: max_builds, password",
                "builder b: changed: factories.f.steps[0].command",
                "scheduler quick: removed",
                "scheduler slow: added",
            ]
        );
        let local = OLD.replace("password = \"p\"", "type = \"local\"");
        assert_eq!(lines(OLD, &local), ["slave s: changed: type"]);
        let slower = OLD.replace("\"1m\"", "\"2m\"");
        assert_eq!(
            lines(OLD, &slower),
            ["scheduler quick: changed: tree_stable_timer"]
        );
    }

    #[test]
    fn of_a_lock_it_is_said_what_is_another() {
        let with = |lock: &str| format!("{OLD}[locks]\nl = {{ {lock} }}\n");
        let old = with("type = \"slave\"");
        for (new, expected) in [
            ("type = \"master\"", "type"),
            ("type = \"slave\", max_count = 2", "max_count"),
            (
                "type = \"slave\", max_count_for_slave = { s = 2 }",
                "max_count_for_slave.s",
            ),
        ] {
            let expected = format!("lock l: changed: {expected}");
            assert_eq!(lines(&old, &with(new)), [expected]);
        }
    }

    #[test]
    fn another_password_is_told_once_whether_its_place_is_another_or_its_content() {
        let new = OLD.replace("password = \"p\"", "password = \"q\"");
        let mut difference = Difference::between(&read(OLD), &read(&new));
        difference.add_password("slave", "s");
        difference.add_password("change source", "change");
        let lines: Vec<_> = difference.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "slave s: changed: password",
                "change source change: changed: password"
            ]
        );
    }

    #[test]
    fn what_is_nested_is_named_by_its_path() {
        let git = OLD.replace(
            r#"{ type = "ShellCommand", command = "true" }"#,
            r#"{ type = "Compile" }, { type = "Git", repourl = "u", env = { A = "1", B = "2" } }"#,
        );
        let other = git
            .replace("repourl = \"u\"", "repourl = \"v\"")
            .replace("B = \"2\"", "B = \"3\"")
            .replace("\"Compile\" }", "\"Compile\", timeout = \"5m\" }");
        assert_eq!(
            lines(&git, &other),
            [
                "builder b: changed: factories.f.steps[0].timeout, factories.f.steps[1].env.B, \
              factories.f.steps[1].repourl"
            ]
        );
        let shell = git.replace(
            "{ type = \"Compile\" },",
            "{ type = \"Git\", repourl = \"u\" },",
        );
        assert_eq!(
            lines(&git, &shell),
            ["builder b: changed: factories.f.steps[0].description, \
                 factories.f.steps[0].description_done, factories.f.steps[0].name, \
                 factories.f.steps[0].type"]
        );
        assert_eq!(lines(OLD, &git), ["builder b: changed: factory"]);
        let filter = |branch: &str| {
            OLD.replace(
                "tree_stable_timer = \"1m\"",
                &format!("filter = {{ branch = {branch} }}"),
            )
        };
        assert_eq!(
            lines(&filter("\"a\""), &filter("{ regex = \"a\" }")),
            ["scheduler quick: changed: filter.branch"]
        );
    }

    #[test]
    fn a_default_that_is_written_out_is_no_difference() {
        let written = OLD
            .replace(
                "slave_port = 9989",
                "slave_port = \"localhost:9989\"\nmax_retries = 5",
            )
            .replace("\"1m\"", "\"60s\"\nseparate = true");
        assert_eq!(lines(OLD, &written), [""; 0]);
    }

    #[test]
    fn a_secret_is_compared_but_never_shown() {
        let of = |secret: &str| {
            OLD.replace(
                "command = \"true\"",
                &format!("command = [\"push\", {{ secret = \"{secret}\" }}]"),
            )
        };
        assert_eq!(
            lines(&of("sekrit"), &of("other")),
            ["builder b: changed: factories.f.steps[0].command"]
        );
        let config = read(&of("sekrit").replace("password = \"p\"", "password = \"sekrit\""));
        let shown = format!(
            "{} {}",
            serde_json::to_string(&config.slaves).unwrap(),
            serde_json::to_string(&config.builders[0].factory).unwrap()
        );
        assert!(
            shown.contains("push") && !shown.contains("sekrit"),
            "{shown}"
        );
    }

    #[test]
    fn an_equal_factory_of_another_name_is_a_change_of_it_only() {
        let new = OLD
            .replace("factories.f", "factories.g")
            .replace("factory = \"f\"", "factory = \"g\"");
        assert_eq!(lines(OLD, &new), ["builder b: changed: factory"]);
    }
}
