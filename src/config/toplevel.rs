//! The top level of the file, and what its parts have to do with each other (MAS-02).
//!
//! Things are read in the order in which they refer to each other, whatever their order in the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::builders::{self, Known};
use super::change_sources::{self, SlavePort};
use super::checked::{
    BuilderConfig, Config, InstanceKind, Listen, LogLimits, SlaveConfig, SlaveKind, StepKind,
};
use super::clients;
use super::horizons;
use super::locks::Locks;
use super::mail;
use super::names::Names;
use super::needs::{Need, Needed};
use super::quantities::{LONGEST, SHORTEST};
use super::reader::{Shape, Table};
use super::schedulers::try_userpass::Listeners;
use super::schedulers::{self, Builders};
use super::{MachineZone, Merging};
use super::{slaves, steps};
use crate::model::SlaveName;

pub(super) static SHAPE: Shape = Shape {
    place: "",
    noun: "",
    keys: &[
        "title",
        "title_url",
        "buildbot_url",
        "slave_port",
        "properties",
        "slaves",
        "locks",
        "factories",
        "builders",
        "schedulers",
        "change_sources",
        "merge_requests",
        "merge_compare_properties",
        "start_build_timeout",
        "attach_timeout",
        "keepalive_timeout",
        "client_idle_timeout",
        "max_client_connections",
        "interrupt_grace",
        "orphan_request_grace",
        "max_retries",
        "duplicate_slave",
        "choose_slaves",
        "log_max_size",
        "log_max_tail_size",
        "log_rotation",
        "build_horizon",
        "log_horizon",
        "change_horizon",
        "mail_command",
        "mail_from",
    ],
};

pub(super) static LOG_ROTATION: Shape = Shape {
    place: "log_rotation",
    noun: "log_rotation",
    keys: &["size", "count"],
};

/// Reads all. What it gives back is of use only if no error was noted.
pub(super) fn read(mut root: Table<'_>, file: &str, zone: &MachineZone) -> Config {
    let mut slave_names = Names::new("slave");
    let mut locks = Locks::read(&mut root);
    let slaves = slaves::read(&mut root, &mut slave_names, &mut locks);
    locks.read_counts(&slave_names);
    let slave_port = root.take("slave_port");
    let listens = slave_port
        .as_ref()
        .and_then(|v| v.listen())
        .unwrap_or_default();
    let port = SlavePort {
        is_given: slave_port.is_some() || root.has_misspelt("slave_port"),
        value: slave_port,
        listens: &listens,
        slaves: &slave_names,
    };
    if !port.is_given {
        let is_remote = |kind: &SlaveKind| *kind != SlaveKind::Local;
        let remote = slaves.iter().find(|s| is_remote(&s.kind));
        if let Some(remote) = remote {
            let place = slave_names.place(remote.name.as_str()).cloned();
            let message = format!("slave `{}` has no port to connect to", remote.name);
            let help = "add `slave_port = 9989` at the top of the file, or `type = \"local\"` to the slave";
            root.sink.missing(place.unwrap_or_default(), message, help);
        }
    }
    let has_tcp = listens.iter().any(|l| matches!(l, Listen::Tcp(_)));
    if !has_tcp && !listens.is_empty() {
        let lost = |s: &&Arc<SlaveConfig>| {
            let address = s.kind.latent().map(|latent| &latent.master);
            address.is_some_and(|master| master.as_ref().is_none_or(|m| m.port.is_none()))
        };
        if let Some(slave) = slaves.iter().find(lost) {
            let place = slave_names.place(slave.name.as_str()).cloned();
            let message = format!("slave `{}` has no TCP port to connect to", slave.name);
            let help = "give `slave_port` a port, or the slave `master = \"HOST:PORT\"`";
            root.sink.error(place.unwrap_or_default(), message, help);
        }
    }
    let change_sources = change_sources::read(&mut root, &port);

    let mut factory_names = Names::new("factory");
    let factories = steps::read(&mut root, &mut factory_names, &mut locks);
    let merging = root.merging(Merging::default());
    let known = Known {
        slaves: &slave_names,
        factory_names,
        factories,
        merging,
    };
    let mut builder_names = Names::new("builder");
    let builders = builders::read(&mut root, &known, &mut builder_names, &mut locks);
    locks.check(&root, &slaves, &builders);
    let mut builder_names = Builders {
        names: builder_names,
        scheduled: BTreeSet::new(),
    };
    let schedulers = schedulers::read(
        &mut root,
        &mut builder_names,
        zone,
        Listeners {
            slave_port: &port,
            change_sources: &change_sources,
        },
    );
    warn_of_idle_builders(&root, &builder_names);
    note_git(&root, &slaves, &builders, &builder_names);

    let mut time = |key, default| {
        let time = root.take(key).and_then(|v| v.duration(SHORTEST..=LONGEST));
        time.unwrap_or(Duration::from_secs(default))
    };
    let start_build_timeout = time("start_build_timeout", 10);
    let attach_timeout = time("attach_timeout", 30);
    let keepalive_timeout = time("keepalive_timeout", 30);
    let interrupt_grace = time("interrupt_grace", 60);
    let orphan_request_grace = root.take("orphan_request_grace");
    let orphan_request_grace =
        orphan_request_grace.and_then(|v| v.duration(Duration::ZERO..=LONGEST));
    let max_retries = root.take("max_retries");
    let max_retries = max_retries.and_then(|v| v.integer(0..=u32::MAX));
    let duplicate_slave = root.take("duplicate_slave");
    let duplicate_slave = duplicate_slave.and_then(|v| v.one_of(&["arbitrate", "replace"]));
    let choose_slaves = root.take("choose_slaves").and_then(|v| v.slave_choice());
    let logs = LogLimits {
        max_size: root.take("log_max_size").and_then(|v| v.size()),
        max_tail_size: root.take("log_max_tail_size").and_then(|v| v.size()),
    };
    let log_rotation = read_log_rotation(&mut root);
    let clients = clients::read(&mut root);
    let horizons = horizons::read(&mut root);
    let wish = slaves.iter().find(|s| !s.notify_on_missing.is_empty());
    let wish = wish.and_then(|s| slave_names.place(s.name.as_str()).cloned());
    let mail = mail::read(&mut root, wish);
    let mut text = |key, default: &str| {
        let text = root.take(key).and_then(|v| v.text());
        text.unwrap_or(default).to_owned()
    };
    let title = text("title", "Buildbot");
    let title_url = text("title_url", "");
    let buildbot_url = text("buildbot_url", "http://localhost:8010/");
    let file_name = Path::new(file).file_name().and_then(|n| n.to_str());
    let properties = root.properties(file_name.unwrap_or(file));
    root.finish();
    Config {
        title,
        title_url,
        buildbot_url,
        slave_port: listens,
        properties,
        slaves,
        builders,
        locks: locks.defined,
        schedulers,
        change_sources,
        start_build_timeout,
        attach_timeout,
        keepalive_timeout,
        clients,
        mail,
        interrupt_grace,
        orphan_request_grace: orphan_request_grace.unwrap_or_default(),
        max_retries: max_retries.unwrap_or(5),
        duplicate_slave_replaces: duplicate_slave == Some("replace"),
        choose_slaves: choose_slaves.unwrap_or_default(),
        logs,
        log_rotation,
        horizons,
    }
}

/// A builder that nothing starts is an error in Buildbot, a warning here (MAS-02). Where there are
/// errors, it may well be a consequence of one.
fn warn_of_idle_builders(root: &Table<'_>, builders: &Builders<'_>) {
    if root.sink.has_errors() {
        return;
    }
    for (name, place) in builders.names.iter() {
        if !builders.scheduled.contains(name) {
            let message = format!("no scheduler starts builder `{name}`");
            let help = "add it to the `builders` of one, unless it is only wanted by hand";
            root.sink.warning(place.clone(), message, help);
        }
    }
}

/// Slaves on this machine run the master's own git.
fn note_git(
    root: &Table<'_>,
    slaves: &[Arc<SlaveConfig>],
    builders: &[Arc<BuilderConfig>],
    names: &Builders<'_>,
) {
    let is_here = |name: &SlaveName| {
        slaves.iter().any(|slave| {
            let is_process = slave
                .kind
                .latent()
                .is_some_and(|l| l.kind == InstanceKind::Process);
            slave.name == *name && (slave.kind == SlaveKind::Local || is_process)
        })
    };
    for builder in builders {
        let has_own_path = |env: &BTreeMap<String, _>| env.contains_key("PATH");
        let uses_git = builder.factory.steps.iter().any(|step| match &step.kind {
            StepKind::Git(git) => !has_own_path(&git.env),
            StepKind::Shell(_) => false,
        });
        let slave = builder.slaves.iter().find(|name| is_here(name));
        let place = names.names.place(builder.name.as_str());
        let (Some(slave), Some(place), true) = (slave, place, uses_git) else {
            continue;
        };
        if !has_own_path(&builder.env) {
            root.sink.need(Need {
                owner: format!("builder `{}`", builder.name),
                what: Needed::Program {
                    program: "git".to_owned(),
                    otherwise: format!(
                        "its Git step fails on slave `{slave}`, which runs on this machine"
                    ),
                    help: "install git, or give the builder slaves that have it".to_owned(),
                },
                span: place.clone(),
            });
        }
    }
}

fn read_log_rotation(root: &mut Table<'_>) -> (u64, u32) {
    let table = root
        .take("log_rotation")
        .and_then(|v| v.table(&LOG_ROTATION));
    let Some(mut table) = table else {
        return LOG_ROTATION_DEFAULT;
    };
    let size = table.take("size").and_then(|v| {
        let size = v.size()?;
        if size == 0 {
            v.error("is out of range", "at least one byte");
        }
        Some(size)
    });
    let count = table.take("count").and_then(|v| v.integer(0..=9999));
    table.finish();
    let (default_size, default_count) = LOG_ROTATION_DEFAULT;
    (size.unwrap_or(default_size), count.unwrap_or(default_count))
}

/// As Buildbot's `buildbot.tac` has it.
const LOG_ROTATION_DEFAULT: (u64, u32) = (10_000_000, 10);
