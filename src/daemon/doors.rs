//! The doors of a master: its ports, and the users that may log in at each.
//!
//! Invariants: everything that can fail (an unreadable password, a port in use) fails while a new
//! configuration is prepared, before anything changes. A port that both configurations have stays
//! open, and connected peers stay connected (TUP-08).

mod wanted;

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{mpsc, watch};

use self::wanted::Wanted;
use super::instances::Access;
use super::keepalive::Keepalives;
use super::passwords::Passwords;
use crate::buildslave::own_environment;
use crate::config::{Config, Listen};
use crate::control::OpenPort;
use crate::model::SlaveName;
use crate::net::listen::{Bound, Opened, open};
use crate::net::{Directory, Door, Gatekeeper, Login, Tasks};
use crate::process::Environment;

/// The open doors.
#[derive(Debug)]
pub(super) struct Doors {
    /// One door for each set of ports with its own users.
    groups: BTreeMap<Group, Arc<Door>>,
    ports: Vec<Port>,
    /// The door for slaves inside the master.
    local: Arc<Door>,
    /// The passwords of the slaves inside the master, generated for this run.
    local_passwords: BTreeMap<SlaveName, String>,
    /// The passwords from the configuration.
    passwords: Passwords,
    keepalives: watch::Sender<Arc<Keepalives>>,
    /// The environment of this process without the variables that hold passwords in this
    /// configuration or in an earlier configuration of this run.
    environment: watch::Sender<Arc<Environment>>,
    /// The connection data for instances of latent slaves.
    access: watch::Sender<Arc<Access>>,
    /// The channel for completed logins.
    logins: mpsc::Sender<Login>,
    gatekeeper: Arc<Gatekeeper>,
    tasks: Tasks,
}

/// The key of a door: ports with the same key share their users.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Group {
    /// The slave port.
    Slaves,
    /// Separate ports, as the configuration writes them.
    Own(Vec<String>),
}

impl Group {
    fn own(ports: &[Listen]) -> Self {
        Self::Own(ports.iter().map(ToString::to_string).collect())
    }
}

/// An open port.
#[derive(Debug)]
struct Port {
    address: Listen,
    bound: Bound,
    /// Dropping it closes the port.
    door: watch::Sender<Arc<Door>>,
}

/// The doors of a new configuration, ready to be opened.
#[derive(Debug)]
pub(super) struct Prepared {
    wanted: Wanted,
    new_ports: Vec<(Listen, Opened)>,
}

impl Doors {
    /// Creates doors that are all closed.
    pub(super) fn new(
        logins: mpsc::Sender<Login>,
        gatekeeper: Arc<Gatekeeper>,
        tasks: Tasks,
    ) -> Self {
        let local = Door::new(
            Directory::new(),
            logins.clone(),
            Arc::clone(&gatekeeper),
            tasks.clone(),
        );
        Self {
            groups: BTreeMap::new(),
            ports: Vec::new(),
            local,
            local_passwords: BTreeMap::new(),
            passwords: Passwords::default(),
            keepalives: watch::Sender::new(Arc::default()),
            environment: watch::Sender::new(Arc::new(own_environment())),
            access: watch::Sender::new(Arc::default()),
            logins,
            gatekeeper,
            tasks,
        }
    }

    /// Reads the passwords of `config` and opens its new ports without accepting connections.
    ///
    /// # Errors
    /// A password cannot be read, or a port cannot be opened. Nothing has changed.
    pub(super) fn prepare(&self, config: &Config) -> anyhow::Result<Prepared> {
        let wanted = Wanted::by(self, config)?;
        let mut new_ports = Vec::new();
        for (addresses, _) in wanted.groups.values() {
            for address in addresses {
                if self.ports.iter().any(|port| port.address == *address) {
                    continue;
                }
                let opened = open(address).with_context(|| match self.clashing(address) {
                    Some(other) => format!(
                        "this master already listens on {}; restart the master to change the port",
                        other.bound
                    ),
                    None => "cannot open a port of the configuration".to_owned(),
                })?;
                new_ports.push((address.clone(), opened));
            }
        }
        Ok(Prepared { wanted, new_ports })
    }

    /// The owners of changed passwords: their kind and their name.
    pub(super) fn other_passwords<'a>(
        &'a self,
        prepared: &'a Prepared,
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        prepared.wanted.passwords.changed_since(&self.passwords)
    }

    /// Opens and closes the prepared doors. Returns the open ports.
    pub(super) fn commit(&mut self, prepared: Prepared) -> Vec<OpenPort> {
        let Prepared { wanted, new_ports } = prepared;
        let mut new_ports = new_ports;
        let mut old_ports = std::mem::take(&mut self.ports);
        let mut old_groups = std::mem::take(&mut self.groups);
        let slave_port = wanted.groups.get(&Group::Slaves);
        let slave_port = slave_port.map_or_else(Vec::new, |(addresses, _)| addresses.clone());
        for (group, (addresses, directory)) in wanted.groups {
            let door = match old_groups.remove(&group) {
                Some(door) => {
                    door.replace_directory(directory);
                    door
                }
                None => {
                    let gatekeeper = Arc::clone(&self.gatekeeper);
                    Door::new(
                        directory,
                        self.logins.clone(),
                        gatekeeper,
                        self.tasks.clone(),
                    )
                }
            };
            for address in addresses {
                if let Some(at) = old_ports.iter().position(|port| port.address == address) {
                    let port = old_ports.swap_remove(at);
                    port.door.send_replace(Arc::clone(&door));
                    self.ports.push(port);
                } else if let Some(at) = new_ports.iter().position(|(new, _)| *new == address) {
                    let (address, opened) = new_ports.swap_remove(at);
                    let (cell, door) = watch::channel(Arc::clone(&door));
                    let bound = opened.serve(door, &self.tasks);
                    self.ports.push(Port {
                        address,
                        bound,
                        door: cell,
                    });
                }
            }
            self.groups.insert(group, door);
        }
        self.passwords = wanted.passwords;
        self.local.replace_directory(wanted.locals);
        self.local_passwords = wanted.local_passwords;
        self.keepalives.send_replace(Arc::new(wanted.keepalives));
        self.gatekeeper.set_client_limits(wanted.clients);
        let environment = Arc::new(wanted.environment);
        self.environment.send_replace(Arc::clone(&environment));
        let address = slave_port.iter().find_map(|address| {
            let port = self.ports.iter().find(|port| port.address == *address)?;
            match port.bound {
                Bound::Tcp(address) => Some(address),
                Bound::Unix(_) => None,
            }
        });
        self.access.send_replace(Arc::new(Access {
            environment,
            passwords: wanted.instance_passwords,
            address,
        }));
        self.ports
            .iter()
            .map(|port| OpenPort {
                configured: port.address.clone(),
                bound: port.bound.for_people(),
            })
            .collect()
    }

    /// The open addresses, as the configuration writes them.
    pub(super) fn addresses(&self) -> Vec<Listen> {
        self.ports.iter().map(|port| port.address.clone()).collect()
    }

    /// The door for slaves inside the master.
    pub(super) const fn local(&self) -> &Arc<Door> {
        &self.local
    }

    /// The slaves inside the master, with their passwords.
    pub(super) const fn locals(&self) -> &BTreeMap<SlaveName, String> {
        &self.local_passwords
    }

    /// The configured keepalives of slaves.
    pub(super) fn keepalives(&self) -> watch::Receiver<Arc<Keepalives>> {
        self.keepalives.subscribe()
    }

    /// The environment of the commands of local slaves.
    pub(super) fn environment(&self) -> watch::Receiver<Arc<Environment>> {
        self.environment.subscribe()
    }

    /// The configured connection data for instances of latent slaves.
    pub(super) fn access(&self) -> watch::Receiver<Arc<Access>> {
        self.access.subscribe()
    }

    /// An open port that conflicts with `address`.
    fn clashing(&self, address: &Listen) -> Option<&Port> {
        self.ports
            .iter()
            .find(|port| port.address.overlaps(address))
    }
}

impl Bound {
    /// The address alone.
    pub(super) fn for_people(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => path.display().to_string(),
        }
    }
}

/// `ports` without the IPv6 loopback if this machine has none. A port without an address means both
/// loopbacks.
pub(super) fn present(ports: &[Listen]) -> Vec<Listen> {
    let loopback = |l: &Listen| matches!(l, Listen::Tcp(a) if a.ip() == Ipv6Addr::LOCALHOST);
    let has_v6 = std::net::TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).is_ok();
    ports
        .iter()
        .filter(|l| has_v6 || ports.len() == 1 || !loopback(l))
        .cloned()
        .collect()
}
