//! What is different between two configurations: the plan of a reconfiguration, for people
//! (MAS-03).
//!
//! Settings are compared as they are checked, by the names of their keys in the file: a default
//! that is written out makes no difference. Nobody has to list the settings here.

mod settings;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::settings::differing;
use super::builders::BuilderConfig;
use super::status::StatusConfig;
use super::toplevel::Config;

/// All differences, in the order in which they take effect; none if both are the same.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Difference(pub Vec<Item>);

/// One difference.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Item {
    /// What it is about: `slave`, `builder`, `scheduler`, `change source`, `value`, `setting`.
    pub what: Cow<'static, str>,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub becomes: Becomes,
    /// The paths of its settings that are other ones: `max_builds`,
    /// `factories.check.steps[2].command`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
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
                what: "setting".into(),
                name,
                becomes: Becomes::Changed,
                settings: Vec::new(),
            });
        }
        let values = |config: &'_ Config| config.values.0.clone().into_iter().collect::<Vec<_>>();
        compare(
            "value",
            (&values(old), &values(new)),
            |(name, _)| name.clone(),
            |_, _| Vec::new(),
            &mut items,
        );
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
                what: what.into(),
                name: name.to_owned(),
                becomes: Becomes::Changed,
                settings: vec![PASSWORD.to_owned()],
            }),
        }
    }

    /// Lines for people. What the same is said of is put together from five names on (CFL-78):
    /// `78 builders: changed: factory (apm/nand, ath/tiny, …)`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut alike: BTreeMap<_, Vec<&Item>> = BTreeMap::new();
        for item in &self.0 {
            alike.entry(item.sort()).or_default().push(item);
        }
        let mut lines = Vec::new();
        for item in &self.0 {
            let sort = item.sort();
            if alike.get(&sort).is_some_and(|all| all.len() < ENOUGH) {
                lines.push(item.to_string());
            } else if let Some(all) = alike.remove(&sort) {
                lines.extend(together(&all));
            }
        }
        lines
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
        let said = self.becomes.said_of(&self.settings);
        write!(f, "{} {}: {said}", self.what, self.name)
    }
}

impl Item {
    /// What is equal for items of which the same can be said. Factories have the names of their
    /// builders' arguments, so a setting of a step is one of the factory.
    fn sort(&self) -> (&str, Becomes, BTreeSet<&str>) {
        let settings = self.settings.iter();
        let settings = settings.map(|path| match path.starts_with(FACTORIES) {
            true => "factory",
            false => path.as_str(),
        });
        (&self.what, self.becomes, settings.collect())
    }
}

impl Becomes {
    fn said_of(self, settings: &[impl AsRef<str>]) -> String {
        let becomes = match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        };
        let settings: Vec<&str> = settings.iter().map(AsRef::as_ref).collect();
        match settings.as_slice() {
            [] => becomes.to_owned(),
            settings => format!("{becomes}: {}", settings.join(", ")),
        }
    }
}

/// One line for all of `items`, of which the same is said; nothing if there are none.
fn together(items: &[&Item]) -> Option<String> {
    let first = items.first()?;
    let is_same = items.iter().all(|item| item.settings == first.settings);
    let said = match is_same {
        true => first.becomes.said_of(&first.settings),
        false => {
            let (_, becomes, settings) = first.sort();
            becomes.said_of(&settings.into_iter().collect::<Vec<_>>())
        }
    };
    let names = items.iter().take(ENOUGH - 1).map(|item| item.name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    let plural = match &*first.what {
        "person" => "people".to_owned(),
        "repository" => "repositories".to_owned(),
        what => format!("{what}s"),
    };
    Some(format!("{} {plural}: {said} ({names}, …)", items.len()))
}

/// From this number of items with the same change on, one line shows them all.
const ENOUGH: usize = 5;

/// With what the paths of settings of steps begin.
const FACTORIES: &str = "factories.";

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
            what: what.into(),
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

/// Other steps in a factory of another name, or more or fewer steps, are one change; else each
/// setting of a step is one. What a factory is called is none (CFL-76).
fn builder(a: &Arc<BuilderConfig>, b: &Arc<BuilderConfig>) -> Vec<String> {
    let mut paths = differing(a, b);
    if a.factory == b.factory {
        return paths;
    }
    if a.factory.name != b.factory.name {
        paths.push("factory".to_owned());
        return paths;
    }
    let steps = differing(&a.factory, &b.factory);
    paths.extend(steps.iter().map(|path| match path.as_str() {
        // Which steps are new cannot be said.
        "steps" => "factory".to_owned(),
        path => format!("{FACTORIES}{}.{path}", b.factory.name),
    }));
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
    fn cfl_76_an_equal_factory_of_another_name_is_no_change() {
        let new = OLD
            .replace("factories.f", "factories.g")
            .replace("factory = \"f\"", "factory = \"g\"");
        assert_eq!(lines(OLD, &new), [""; 0]);
        let other = new.replace("command = \"true\"", "command = \"false\"");
        assert_eq!(lines(OLD, &other), ["builder b: changed: factory"]);
    }

    /// Builders that share a factory with an argument, and a bundle under its steps.
    fn farm(names: &[&str], timeout: &str) -> String {
        let mut text = format!(
            "[defaults.ShellCommand]\ntimeout = \"{timeout}\"\n\
             [[slaves]]\nname = \"s\"\ntype = \"local\"\n[factories.f]\n\
             steps = [{{ type = \"ShellCommand\", command = [\"make\", \"{{{{ target }}}}\"] }}]\n"
        );
        for name in names {
            text.push_str(&format!(
                "[[builders]]\nname = \"{name}\"\nslaves = [\"s\"]\nfactory = \"f\"\n\
                 with = {{ target = \"{name}\" }}\n"
            ));
        }
        text
    }

    #[test]
    fn cfl_76_a_builder_before_all_others_changes_none_of_them() {
        let old = farm(&["b", "c", "d"], "5m");
        let new = farm(&["a", "b", "c", "d"], "5m");
        assert_eq!(lines(&old, &new), ["builder a: added"]);
    }

    #[test]
    fn cfl_77_a_value_is_one_change_and_none_of_the_builders_that_use_it() {
        let old = format!("[values]\njobs = \"2\"\ngone = \"1\"\n{OLD}").replace(
            "command = \"true\"",
            "command = [\"make\", \"-j%(kw:jobs)s\"]",
        );
        let old = old.replace("slave_port = 9989\n", "");
        let old = format!("slave_port = 9989\n{old}");
        let new = old.replace("jobs = \"2\"", "jobs = \"3\"");
        assert_eq!(lines(&old, &new), ["value jobs: changed"]);
        let new = old.replace("gone = \"1\"", "come = \"1\"");
        assert_eq!(
            lines(&old, &new),
            ["value gone: removed", "value come: added"]
        );
    }

    #[test]
    fn cfl_78_lines_that_say_the_same_are_put_together_from_five_names_on() {
        let put_together = |names: &[&str], other: &[&str], timeout: &str| {
            let (old, new) = (farm(names, "5m"), farm(other, timeout));
            Difference::between(&read(&old), &read(&new)).lines()
        };
        let four = ["a", "b", "c", "d"];
        assert_eq!(
            put_together(&four, &four, "6m"),
            [
                "builder a: changed: factories.f-1.steps[0].timeout",
                "builder b: changed: factories.f-2.steps[0].timeout",
                "builder c: changed: factories.f-3.steps[0].timeout",
                "builder d: changed: factories.f-4.steps[0].timeout",
            ]
        );
        let six = ["a", "b", "c", "d", "e", "f"];
        assert_eq!(
            put_together(&six, &six, "6m"),
            ["6 builders: changed: factory (a, b, c, d, …)"]
        );
        assert_eq!(
            put_together(&["z"], &["z", "a", "b", "c", "d", "e"], "5m"),
            ["5 builders: added (a, b, c, d, …)"]
        );
        assert_eq!(lines(&farm(&six, "5m"), &farm(&six, "6m")).len(), 6);
    }
}
