//! `[[slaves]]` (SLV-01).

use std::sync::Arc;
use std::time::Duration;

use super::checked::{SlaveConfig, SlaveKind};
use super::instances;
use super::locks::{Locks, User};
use super::mail;
use super::names::Names;
use super::quantities::{LONGEST, SHORTEST};
use super::reader::{Shape, Table};
use crate::model::SlaveName;

pub(super) static SHAPE: Shape = Shape {
    place: "slaves",
    noun: "slave",
    keys: &[
        "name",
        "type",
        "password",
        "password_file",
        "password_env",
        "max_builds",
        "properties",
        "keepalive_interval",
        "locks",
        "notify_on_missing",
        "build_wait_timeout",
        "missing_timeout",
        "stop_timeout",
        "master",
        "start",
        "stop",
        "image",
        "docker",
        "docker_args",
        "command",
    ],
};

/// Reads all slaves; their names go to `names`, those of slaves that are refused too.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
) -> Vec<Arc<SlaveConfig>> {
    let tables = root.take("slaves").map(|v| v.tables(&SHAPE));
    let slaves = tables.into_iter().flatten();
    slaves
        .filter_map(|t| read_one(t, names, locks))
        .map(Arc::new)
        .collect()
}

fn read_one<'a>(
    mut table: Table<'a>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
) -> Option<SlaveConfig> {
    let name = names.declare(&mut table);
    if let Some((name, value)) = name.as_ref().filter(|(n, _)| RESERVED.contains(n)) {
        let help = "peers log in under this name for other things; choose another";
        value.error(&format!("cannot be `{name}`"), help);
    }
    let kind = match table.take("type") {
        Some(kind) => kind.one_of(&["slave", "local", "command", "process", "docker"])?,
        None => "slave",
    };
    let latent = instances::read(&mut table, kind, name.as_ref().map(|(name, _)| *name));
    let kind = if kind == "local" || kind == "process" {
        if let Some((_, value)) = name
            .as_ref()
            .filter(|(n, _)| n.contains('/') || n.starts_with('.'))
        {
            let help = "it is the name of its directory too";
            value.error("cannot have `/` in it or begin with `.`", help);
        }
        for key in ["password", "password_file", "password_env"] {
            if let Some(password) = table.take(key) {
                let message = format!("{} needs no password", table.label);
                let is = if kind == "local" {
                    "inside"
                } else {
                    "a process of"
                };
                let help =
                    format!("it is {is} the master; remove the password, or `type = \"{kind}\"`");
                table.sink.error(password.key_span, message, help);
            }
        }
        if kind == "local" {
            Some(SlaveKind::Local)
        } else {
            latent
        }
    } else if instances::TYPES.contains(&kind) {
        latent
    } else {
        let password = table.password(false);
        password.map(|password| SlaveKind::Remote { password })
    };
    let connects = matches!(kind, Some(SlaveKind::Remote { .. }));
    let missing_timeout = if connects {
        let timeout = table.take("missing_timeout");
        let timeout = timeout.and_then(|v| v.duration(SHORTEST..=LONGEST));
        Some(timeout.unwrap_or(MISSING_TIMEOUT))
    } else {
        None
    };
    let notify_on_missing = match kind {
        Some(SlaveKind::Local) => None,
        Some(SlaveKind::Remote { .. } | SlaveKind::Latent(_)) | None => {
            let addresses = table.take("notify_on_missing");
            addresses.and_then(|value| mail::addresses(&value))
        }
    };
    if let Some(value) = table.take("notify_on_missing") {
        let message = format!("{} is never missing", table.label);
        let help = "it is inside the master; remove `notify_on_missing`";
        table.sink.error(value.key_span, message, help);
    }
    let max_builds = table.take("max_builds");
    let max_builds = max_builds.and_then(|v| v.integer(1..=u32::MAX));
    let properties = table.properties("BuildSlave");
    let keepalive_interval = table.take("keepalive_interval");
    let keepalive_interval = keepalive_interval.and_then(|v| v.duration(SHORTEST..=LONGEST));
    let user = User::Slave(name.as_ref().map_or("", |(name, _)| name));
    let locks = locks.read_uses(&mut table, &user);
    table.finish();
    Some(SlaveConfig {
        name: SlaveName::from(name?.0),
        kind: kind?,
        max_builds,
        properties,
        keepalive_interval: keepalive_interval.unwrap_or(KEEPALIVE_INTERVAL),
        locks,
        notify_on_missing: notify_on_missing.unwrap_or_default(),
        missing_timeout,
    })
}

/// Names under which clients log in at the slave port (SLV-01).
const RESERVED: [&str; 4] = ["debug", "change", "status", "statusClient"];

/// How long a slave may be away before somebody is told (SLV-01).
const MISSING_TIMEOUT: Duration = Duration::from_secs(3600);

const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3600);
