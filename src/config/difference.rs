//! What is different between two configurations: the plan of a reconfiguration, for people (MAS-03).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::{
    BuilderConfig, ChangeSourceConfig, Config, LockConfig, LockKind, SchedulerConfig, SlaveConfig,
    SlaveKind,
};

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
    /// Its settings that are other ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<&'static str>,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Becomes {
    /// It is new.
    Added,
    /// It goes.
    Removed,
    /// It stays with other settings.
    Changed,
}

impl Difference {
    /// What makes `new` out of `old`.
    #[must_use]
    pub fn between(old: &Config, new: &Config) -> Self {
        let mut items = Vec::new();
        for name in settings(old, new) {
            items.push(Item {
                what: "setting",
                name: name.to_owned(),
                becomes: Becomes::Changed,
                settings: Vec::new(),
            });
        }
        compare(
            "slave",
            (&old.slaves, &new.slaves),
            |s| s.name.to_string(),
            |a, b| slave(a, b),
            &mut items,
        );
        compare(
            "lock",
            (&old.locks, &new.locks),
            |l| l.name.to_string(),
            lock,
            &mut items,
        );
        compare(
            "builder",
            (&old.builders, &new.builders),
            |b| b.name.to_string(),
            |a, b| builder(a, b),
            &mut items,
        );
        compare(
            "scheduler",
            (&old.schedulers, &new.schedulers),
            |s| s.name.to_string(),
            |a, b| scheduler(a, b),
            &mut items,
        );
        compare(
            "change source",
            (&old.change_sources, &new.change_sources),
            ChangeSourceConfig::name,
            change_source,
            &mut items,
        );
        Self(items)
    }

    /// Adds what cannot be seen in the configurations: that there is another password where they say that it is.
    pub fn add_password(&mut self, what: &'static str, name: &str) {
        let of = |item: &&mut Item| item.what == what && item.name == name;
        match self.0.iter_mut().find(of) {
            Some(item) if item.settings.contains(&PASSWORD) => {}
            Some(item) => item.settings.push(PASSWORD),
            None => self.0.push(Item {
                what,
                name: name.to_owned(),
                becomes: Becomes::Changed,
                settings: vec![PASSWORD],
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

/// Compares two lists of things with names. Their order is not compared: it decides nothing that runs.
fn compare<T: PartialEq>(
    what: &'static str,
    (old, new): (&[T], &[T]),
    name: impl Fn(&T) -> String,
    settings: impl Fn(&T, &T) -> Vec<&'static str>,
    items: &mut Vec<Item>,
) {
    let before: BTreeMap<_, _> = old.iter().map(|it| (name(it), it)).collect();
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
    for it in new {
        match before.get(&name(it)) {
            None => push(name(it), Becomes::Added, Vec::new()),
            Some(&was) if was != it => push(name(it), Becomes::Changed, settings(was, it)),
            Some(_) => {}
        }
    }
}

const PASSWORD: &str = "password";

/// Names of those settings that differ.
fn differing<const N: usize>(settings: [(&'static str, bool); N]) -> Vec<&'static str> {
    let differ = settings.into_iter().filter(|&(_, differs)| differs);
    differ.map(|(name, _)| name).collect()
}

/// The settings of the whole. Everything is named, so that a new setting is not forgotten here.
fn settings(a: &Config, b: &Config) -> Vec<&'static str> {
    let Config {
        title,
        title_url,
        buildbot_url,
        slave_port,
        properties,
        slaves: _,
        builders: _,
        schedulers: _,
        change_sources: _,
        locks: _,
        start_build_timeout,
        attach_timeout,
        keepalive_timeout,
        clients,
        interrupt_grace,
        orphan_request_grace,
        max_retries,
        duplicate_slave_replaces,
        choose_slaves,
        logs,
        log_rotation,
        horizons,
        mail,
    } = a;
    differing([
        ("title", *title != b.title),
        ("title_url", *title_url != b.title_url),
        ("buildbot_url", *buildbot_url != b.buildbot_url),
        ("slave_port", *slave_port != b.slave_port),
        ("properties", *properties != b.properties),
        (
            "start_build_timeout",
            *start_build_timeout != b.start_build_timeout,
        ),
        ("attach_timeout", *attach_timeout != b.attach_timeout),
        (
            "keepalive_timeout",
            *keepalive_timeout != b.keepalive_timeout,
        ),
        ("client_idle_timeout", clients.idle != b.clients.idle),
        (
            "max_client_connections",
            clients.connections != b.clients.connections,
        ),
        ("interrupt_grace", *interrupt_grace != b.interrupt_grace),
        (
            "orphan_request_grace",
            *orphan_request_grace != b.orphan_request_grace,
        ),
        ("max_retries", *max_retries != b.max_retries),
        (
            "duplicate_slave",
            *duplicate_slave_replaces != b.duplicate_slave_replaces,
        ),
        ("choose_slaves", *choose_slaves != b.choose_slaves),
        ("log_max_size", logs.max_size != b.logs.max_size),
        (
            "log_max_tail_size",
            logs.max_tail_size != b.logs.max_tail_size,
        ),
        ("log_rotation", *log_rotation != b.log_rotation),
        ("build_horizon", horizons.builds != b.horizons.builds),
        ("log_horizon", horizons.logs != b.horizons.logs),
        ("change_horizon", horizons.changes != b.horizons.changes),
        ("mail_command", mail.command != b.mail.command),
        ("mail_from", mail.from != b.mail.from),
    ])
}

fn slave(a: &SlaveConfig, b: &SlaveConfig) -> Vec<&'static str> {
    let SlaveConfig {
        name: _,
        kind,
        max_builds,
        properties,
        keepalive_interval,
        notify_on_missing,
        missing_timeout,
        locks,
    } = a;
    let same_kind = kind.name() == b.kind.name();
    let instance = |kind: &SlaveKind| matches!(kind, SlaveKind::Latent(_));
    let other = if instance(kind) { "instance" } else { PASSWORD };
    differing([
        ("type", !same_kind),
        (other, same_kind && *kind != b.kind),
        ("max_builds", *max_builds != b.max_builds),
        ("properties", *properties != b.properties),
        ("locks", *locks != b.locks),
        (
            "missing_timeout",
            same_kind && *missing_timeout != b.missing_timeout,
        ),
        (
            "keepalive_interval",
            *keepalive_interval != b.keepalive_interval,
        ),
        (
            "notify_on_missing",
            *notify_on_missing != b.notify_on_missing,
        ),
    ])
}

fn lock(a: &LockConfig, b: &LockConfig) -> Vec<&'static str> {
    let LockConfig {
        name: _,
        kind,
        max_count,
    } = a;
    let for_slaves = |kind: &LockKind| match kind {
        LockKind::Master => None,
        LockKind::Slave {
            max_count_for_slave,
        } => Some(max_count_for_slave.clone()),
    };
    let (own, its) = (for_slaves(kind), for_slaves(&b.kind));
    let same_type = own.is_some() == its.is_some();
    differing([
        ("type", !same_type),
        ("max_count", *max_count != b.max_count),
        ("max_count_for_slave", same_type && own != its),
    ])
}

fn builder(a: &BuilderConfig, b: &BuilderConfig) -> Vec<&'static str> {
    let BuilderConfig {
        name: _,
        slaves,
        builddir,
        slavebuilddir,
        factory,
        env,
        tags,
        description,
        properties,
        locks,
        merging,
        next_slave,
        priority,
        ignore_patch,
    } = a;
    differing([
        ("slaves", *slaves != b.slaves),
        ("builddir", *builddir != b.builddir),
        ("slavebuilddir", *slavebuilddir != b.slavebuilddir),
        ("factory", *factory != b.factory),
        ("env", *env != b.env),
        ("tags", *tags != b.tags),
        ("description", *description != b.description),
        ("properties", *properties != b.properties),
        ("locks", *locks != b.locks),
        ("merge_requests", merging.rule != b.merging.rule),
        (
            "merge_compare_properties",
            merging.compare_properties != b.merging.compare_properties,
        ),
        ("next_slave", *next_slave != b.next_slave),
        ("priority", *priority != b.priority),
        ("ignore_patch", *ignore_patch != b.ignore_patch),
    ])
}

fn scheduler(a: &SchedulerConfig, b: &SchedulerConfig) -> Vec<&'static str> {
    let SchedulerConfig {
        name: _,
        builders,
        properties,
        reason,
        priority,
        kind,
    } = a;
    let same_type = kind.name() == b.kind.name();
    let same_upstream = kind.upstream() == b.kind.upstream();
    differing([
        ("type", !same_type),
        ("upstream", same_type && !same_upstream),
        (
            "what and when it builds",
            same_type && same_upstream && *kind != b.kind,
        ),
        ("builders", *builders != b.builders),
        ("properties", *properties != b.properties),
        ("reason", *reason != b.reason),
        ("priority", *priority != b.priority),
    ])
}

fn change_source(a: &ChangeSourceConfig, b: &ChangeSourceConfig) -> Vec<&'static str> {
    let ChangeSourceConfig::Pb {
        ports: _,
        user: _,
        password,
        prefix,
    } = a;
    let ChangeSourceConfig::Pb {
        password: other_password,
        prefix: other_prefix,
        ..
    } = b;
    differing([
        (PASSWORD, password != other_password),
        ("prefix", prefix != other_prefix),
    ])
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
                "slave s: changed: password, max_builds",
                "builder b: changed: factory",
                "scheduler quick: removed",
                "scheduler slow: added",
            ]
        );
        let local = OLD.replace("password = \"p\"", "type = \"local\"");
        assert_eq!(lines(OLD, &local), ["slave s: changed: type"]);
        let slower = OLD.replace("\"1m\"", "\"2m\"");
        assert_eq!(
            lines(OLD, &slower),
            ["scheduler quick: changed: what and when it builds"]
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
                "max_count_for_slave",
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
    fn an_equal_factory_of_another_name_is_a_change_of_it_only() {
        let new = OLD
            .replace("factories.f", "factories.g")
            .replace("factory = \"f\"", "factory = \"g\"");
        assert_eq!(lines(OLD, &new), ["builder b: changed: factory"]);
    }
}
