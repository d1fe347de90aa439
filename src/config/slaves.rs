//! `[[slaves]]` (SLV-01): the table of the kinds, and what all of them have.

mod command;
mod docker;
mod latent;
mod remote;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::choosing::read_tags;
use super::hold::Hold;
use super::locks::{LockAccess, Locks, User};
use super::mail;
use super::names::Names;
use super::passwords;
use super::properties;
use super::quantities::{LONGEST, SHORTEST};
use super::reader::{Table, Value};
use super::secret::Secret;
use super::shape::{KindShape, Shape};
use super::zones::MachineZone;
use crate::model::{Properties, SlaveName};

pub use self::command::CommandInstance;
pub use self::docker::DockerInstance;
pub use self::latent::{InstanceKind, LatentConfig, MasterAddress};
pub use self::remote::RemoteConfig;

/// A slave (SLV-01).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlaveConfig {
    /// Its name.
    pub name: SlaveName,
    /// What it is.
    #[serde(flatten)]
    pub kind: SlaveKind,
    /// Names by which builders select it (CFL-50).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Builds at once; absent is unlimited.
    pub max_builds: Option<u32>,
    /// Properties of its builds, with source "BuildSlave".
    #[serde(serialize_with = "properties::plain")]
    pub properties: Properties,
    /// Time between keepalives from the master: 1 h.
    pub keepalive_interval: Duration,
    /// Locks that each build on it holds while it uses the slave (LCK-05).
    pub locks: Vec<LockAccess>,
    /// Times in which no build starts on it (CFL-133).
    pub hold: Hold,
    /// Addresses to mail to when it is missing (SLV-07).
    pub notify_on_missing: Vec<String>,
}

impl SlaveConfig {
    /// What expressions see as `slave` before it has connected (CONFIG section 15).
    #[must_use]
    pub fn facts(&self) -> Json {
        let properties = self.properties.iter();
        let properties = properties.map(|(name, p)| (name.to_owned(), p.value.clone()));
        json!({
            "name": self.name.as_str(),
            "tags": self.tags,
            "properties": properties.collect::<Json>(),
            "type": self.kind.name(),
        })
    }
}

/// Kinds of slave.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum SlaveKind {
    /// Connects over TCP by itself.
    #[serde(rename = "slave")]
    Remote(RemoteConfig),
    /// The native slave inside the master; its work is below `slaves/NAME` in the base directory.
    #[default]
    Local,
    /// An instance that is started when a build wants it, and connects then (section 15).
    #[serde(untagged)]
    Latent(Box<LatentConfig>),
}

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// A slave of this kind whose table says nothing.
    usual: fn() -> SlaveKind,
}

/// The kinds of slave.
static KINDS: [Kind; 5] = [
    Kind {
        shape: KindShape {
            name: USUAL,
            keys: &[&passwords::KEYS, remote::KEYS],
        },
        usual: || SlaveKind::Remote(RemoteConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "local",
            keys: &[],
        },
        usual: || SlaveKind::Local,
    },
    Kind {
        shape: KindShape {
            name: "command",
            keys: &[&passwords::KEYS, latent::KEYS, command::KEYS],
        },
        usual: || latent(InstanceKind::Command(CommandInstance::default())),
    },
    Kind {
        shape: KindShape {
            // A native slave on this machine, which has no settings of its own (LAT-11).
            name: "process",
            keys: &[latent::KEYS],
        },
        usual: || latent(InstanceKind::Process),
    },
    Kind {
        shape: KindShape {
            name: "docker",
            keys: &[&passwords::KEYS, latent::KEYS, docker::KEYS],
        },
        usual: || latent(InstanceKind::Docker(DockerInstance::default())),
    },
];

/// The kind of slaves that do not say it.
const USUAL: &str = "slave";

/// What happens without the programs of the slave that `value` belongs to.
fn without_instances(value: &Value<'_>) -> String {
    format!("no instance of {} can be started or stopped", value.label)
}

fn latent(kind: InstanceKind) -> SlaveKind {
    SlaveKind::Latent(Box::new(LatentConfig {
        kind,
        ..LatentConfig::default()
    }))
}

pub(super) static SHAPE: Shape = Shape {
    place: "slaves",
    noun: "slave",
    keys: &[
        "name",
        "type",
        "tags",
        "max_builds",
        "properties",
        "keepalive_interval",
        "locks",
        "hold",
    ],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

impl Default for SlaveConfig {
    fn default() -> Self {
        Self {
            name: SlaveName::default(),
            kind: SlaveKind::default(),
            tags: Vec::new(),
            max_builds: None,
            properties: Properties::default(),
            keepalive_interval: Duration::from_secs(3600),
            locks: Vec::new(),
            hold: Hold::default(),
            notify_on_missing: Vec::new(),
        }
    }
}

impl SlaveConfig {
    /// Of a slave that is not configured any more, and of which no more is known than its name.
    #[must_use]
    pub fn removed(name: SlaveName) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// How long it may be away before people are mailed; absent for those that do not connect by
    /// themselves.
    #[must_use]
    pub const fn missing_timeout(&self) -> Option<Duration> {
        match &self.kind {
            SlaveKind::Remote(remote) => Some(remote.missing_timeout),
            SlaveKind::Local | SlaveKind::Latent(_) => None,
        }
    }
}

impl SlaveKind {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Remote(_) => USUAL,
            Self::Local => "local",
            Self::Latent(latent) => latent.kind.name(),
        }
    }

    /// What latent slaves have; nothing if it is not one.
    #[must_use]
    pub fn latent(&self) -> Option<&LatentConfig> {
        match self {
            Self::Latent(latent) => Some(latent),
            Self::Remote(_) | Self::Local => None,
        }
    }

    /// Its password, if it has one of its own.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        match self {
            Self::Remote(remote) => Some(&remote.password),
            Self::Local => None,
            Self::Latent(latent) => latent.kind.password(),
        }
    }

    /// Whether it runs on the machine of the master and with the master's programs.
    pub(super) fn is_here(&self) -> bool {
        match self {
            Self::Remote(_) => false,
            Self::Local => true,
            Self::Latent(latent) => latent.kind == InstanceKind::Process,
        }
    }

    /// Takes what the table has of the slave called `name`.
    fn read(&mut self, table: &mut Table<'_>, name: Option<&str>) {
        match self {
            Self::Remote(remote) => remote.read(table),
            Self::Local => {}
            Self::Latent(latent) => latent.read(table, name),
        }
    }
}

/// Reads all slaves; their names go to `names`, those of slaves that are refused too.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
    zone: &MachineZone,
) -> Vec<Arc<SlaveConfig>> {
    let tables = root.take("slaves").map(|v| v.tables(&SHAPE));
    let slaves = tables.into_iter().flatten();
    slaves
        .filter_map(|t| read_one(t, names, locks, zone))
        .map(Arc::new)
        .collect()
}

fn read_one<'a>(
    mut table: Table<'a>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
    zone: &MachineZone,
) -> Option<SlaveConfig> {
    let name = names.declare(&mut table);
    if let Some((name, value)) = name.as_ref().filter(|(n, _)| RESERVED.contains(n)) {
        let help = "clients log in with this name; choose another";
        value.error(&format!("cannot be `{name}`"), help);
    }
    let kind = table.kind(&KINDS, |kind| kind.shape, Some(USUAL))?;
    let mut slave = SlaveConfig {
        kind: (kind.usual)(),
        ..SlaveConfig::default()
    };
    if let Some((_, value)) = name
        .as_ref()
        .filter(|(n, _)| slave.kind.is_here() && (n.contains('/') || n.starts_with('.')))
    {
        let help = "it is the name of its directory too";
        value.error("cannot have `/` in it or begin with `.`", help);
    }
    let known = name.as_ref().map(|(name, _)| *name);
    slave.kind.read(&mut table, known);
    if slave.kind != SlaveKind::Local {
        table.set(
            "notify_on_missing",
            &mut slave.notify_on_missing,
            mail::addresses,
        );
    }
    table.set("tags", &mut slave.tags, read_tags);
    table.set_some("max_builds", &mut slave.max_builds, |v| {
        v.integer(1..=u32::MAX)
    });
    slave.properties = table.properties("BuildSlave");
    table.set("hold", &mut slave.hold, |v| Hold::read(v, zone));
    table.set("keepalive_interval", &mut slave.keepalive_interval, |v| {
        v.duration(SHORTEST..=LONGEST)
    });
    slave.locks = locks.read_uses(&mut table, &User::Slave(known.unwrap_or_default()));
    table.finish();
    slave.name = SlaveName::from(name?.0);
    Some(slave)
}

/// Names under which clients log in at the slave port (SLV-01).
const RESERVED: [&str; 4] = ["debug", "change", "status", "statusClient"];
