//! What latent slaves have: how long their instances live, and the table of the ways to start them
//! (LAT-01, LAT-11).

use std::net::Ipv6Addr;
use std::time::Duration;

use serde::Serialize;

use super::command::CommandInstance;
use super::docker::DockerInstance;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;
use crate::config::trace::Wanted;
use crate::model::{InstanceStop, StopMeans};

/// What latent slaves have (LAT-01).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LatentConfig {
    /// How its instance is started and stopped.
    #[serde(flatten)]
    pub kind: InstanceKind,
    /// Where the instance finds the master; absent: at the first address of the slave port.
    pub master: Option<MasterAddress>,
    /// How long an instance without a build is kept: 10 min; zero: it is stopped after every build;
    /// absent: it is never stopped for that.
    pub build_wait_timeout: Option<Duration>,
    /// How long an instance may take from its start until it has attached: 20 min.
    pub missing_timeout: Duration,
    /// How long the command may take that stops it: 1 min.
    pub stop_timeout: Duration,
}

/// The keys of every latent slave.
pub(super) const KEYS: &[&str] = &[
    "notify_on_missing",
    "build_wait_timeout",
    "missing_timeout",
    "stop_timeout",
];

impl LatentConfig {
    /// How its instance is stopped.
    #[must_use]
    pub fn stop(&self) -> InstanceStop {
        let means = match &self.kind {
            InstanceKind::Command(command) => StopMeans::Command {
                words: command.stop.clone(),
            },
            InstanceKind::Process => StopMeans::Process,
            InstanceKind::Docker(docker) => StopMeans::Docker {
                program: docker.docker.clone(),
            },
        };
        InstanceStop {
            means,
            limit: self.stop_timeout,
        }
    }
}

/// How an instance is started and stopped (LAT-11).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum InstanceKind {
    /// By two commands.
    Command(CommandInstance),
    /// The native slave as a process of its own on this machine, below `instances/NAME` in the base
    /// directory.
    #[default]
    Process,
    /// A container.
    Docker(DockerInstance),
}

/// Where slaves find the master.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MasterAddress {
    /// A name or address.
    pub host: String,
    /// A port, if not that of the slave port.
    pub port: Option<u16>,
}

impl Default for LatentConfig {
    fn default() -> Self {
        Self {
            kind: InstanceKind::default(),
            master: None,
            build_wait_timeout: Some(Duration::from_secs(600)),
            missing_timeout: Duration::from_secs(1200),
            stop_timeout: Duration::from_secs(60),
        }
    }
}

impl InstanceKind {
    /// The value of the slave's `type`.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Process => "process",
            Self::Docker(_) => "docker",
        }
    }

    /// The slave's password, if it has one of its own.
    #[must_use]
    pub const fn password(&self) -> Option<&Secret> {
        match self {
            Self::Command(command) => Some(&command.password),
            Self::Process => None,
            Self::Docker(docker) => Some(&docker.password),
        }
    }

    fn read(&mut self, table: &mut Table<'_>, name: Option<&str>) {
        match self {
            Self::Command(command) => command.read(table),
            Self::Process => {}
            Self::Docker(docker) => docker.read(table, name),
        }
    }
}

impl LatentConfig {
    /// Takes what the table has of the slave called `name`.
    pub(super) fn read(&mut self, table: &mut Table<'_>, name: Option<&str>) {
        table.set("build_wait_timeout", &mut self.build_wait_timeout, |v| {
            if is_negative(v) {
                return Some(None);
            }
            v.duration(Duration::ZERO..=LONGEST).map(Some)
        });
        let time = |v: &Value<'_>| v.duration(SHORTEST..=LONGEST);
        table.set("missing_timeout", &mut self.missing_timeout, time);
        table.set("stop_timeout", &mut self.stop_timeout, time);
        if self.kind != InstanceKind::Process {
            table.set_some("master", &mut self.master, read_address);
        }
        self.kind.read(table, name);
    }
}

/// `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
fn read_address(value: &Value<'_>) -> Option<MasterAddress> {
    const HELP: &str = "write HOST or HOST:PORT, as the instances reach the master";
    let text = value.name()?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if text.parse::<Ipv6Addr>().is_err() => match port.parse() {
            Ok(port) if port != 0 => (host, Some(port)),
            Ok(_) | Err(_) => {
                value.error("has no port number after its colon", HELP);
                return None;
            }
        },
        Some(_) | None => (text, None),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() || host.contains(char::is_whitespace) {
        value.error("has no host", HELP);
        return None;
    }
    Some(MasterAddress {
        host: host.to_owned(),
        port,
    })
}

fn is_negative(value: &Value<'_>) -> bool {
    let number = value.among([Wanted::Text, Wanted::Number]).as_integer();
    number.is_some_and(|number| number.as_str().starts_with('-'))
}
