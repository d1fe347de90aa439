//! The doors of a master: its ports, and the users that may log in at each.
//!
//! Invariants: everything that can fail (an unreadable password, a port in use) fails while a new
//! configuration is prepared, before anything changes. A port that both configurations have stays
//! open, and connected peers stay connected (TUP-08).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{mpsc, watch};

use super::instances::Access;
use super::keepalive::{Keepalive, Keepalives};
use super::passwords::Passwords;
use crate::buildslave::own_environment;
use crate::config::{ChangeSourceConfig, ClientLimits, Config, Listen, SlaveKind};
use crate::control::OpenPort;
use crate::model::SlaveName;
use crate::net::listen::{Bound, Opened, open};
use crate::net::{Directory, Door, Gatekeeper, Login, Tasks, UserKind};
use crate::pb::hashed::Hashed;
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

/// The doors of a configuration, with passwords read.
#[derive(Debug)]
struct Wanted {
    groups: BTreeMap<Group, (Vec<Listen>, Directory)>,
    locals: Directory,
    local_passwords: BTreeMap<SlaveName, String>,
    instance_passwords: BTreeMap<SlaveName, Vec<u8>>,
    keepalives: Keepalives,
    clients: ClientLimits,
    environment: Environment,
    passwords: Passwords,
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
        let wanted = self.wanted(config)?;
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

    fn wanted(&self, config: &Config) -> anyhow::Result<Wanted> {
        let mut passwords = Passwords::default();
        let mut slaves = Directory::new();
        let mut locals = Directory::new();
        let mut local_passwords = BTreeMap::new();
        let mut instance_passwords = BTreeMap::new();
        let new_password = || format!("{:032x}", rand::random::<u128>());
        for slave in &config.slaves {
            let name = slave.name.as_str();
            let kind = UserKind::Slave(slave.name.clone());
            match &slave.kind {
                SlaveKind::Remote(remote) => {
                    let password = passwords.read("slave", name, &remote.password)?;
                    slaves.insert(name, &password, kind);
                }
                SlaveKind::Local => {
                    let known = self.local_passwords.get(&slave.name).cloned();
                    let password = known.unwrap_or_else(new_password);
                    locals.insert(name, password.as_bytes(), kind);
                    local_passwords.insert(slave.name.clone(), password);
                }
                SlaveKind::Latent(latent) => {
                    let password = match latent.kind.password() {
                        Some(password) => passwords.read("slave", name, password)?,
                        None => {
                            let known = self.access.borrow().passwords.get(&slave.name).cloned();
                            known.unwrap_or_else(|| new_password().into_bytes())
                        }
                    };
                    slaves.insert(name, &password, kind);
                    instance_passwords.insert(slave.name.clone(), password);
                }
            }
        }
        let mut groups = BTreeMap::new();
        for source in &config.change_sources {
            match source {
                ChangeSourceConfig::Pb(pb) => {
                    let password = passwords.read("change source", &source.name(), &pb.password)?;
                    let kind = UserKind::Change {
                        prefix: pb.prefix.clone(),
                    };
                    if pb.ports.is_empty() {
                        slaves.insert(&pb.user, &password, kind);
                    } else {
                        let own = || (present(&pb.ports), Directory::new());
                        let group = groups.entry(Group::own(&pb.ports)).or_insert_with(own);
                        group.1.insert(&pb.user, &password, kind);
                    }
                }
            }
        }
        for scheduler in &config.schedulers {
            let Some(settings) = scheduler.kind.try_userpass() else {
                continue;
            };
            let directory = if settings.ports == config.slave_port {
                &mut slaves
            } else {
                let group = Group::own(&settings.ports);
                let own = || (present(&settings.ports), Directory::new());
                &mut groups.entry(group).or_insert_with(own).1
            };
            let builders: Arc<[_]> = scheduler.builders.as_slice().into();
            for (user, password) in &settings.users {
                let name = scheduler.name.as_str();
                let password = passwords.read_of_user(user, "scheduler", name, password)?;
                let kind = UserKind::Try {
                    scheduler: scheduler.name.clone(),
                    user: user.clone(),
                    builders: Arc::clone(&builders),
                };
                if Hashed::looks_like(&password) {
                    let text = String::from_utf8_lossy(&password);
                    let hash = Hashed::parse(&text).context("invalid password hash");
                    let of = || format!("user \"{user}\" of scheduler \"{name}\"");
                    directory.insert_hashed(user, hash.with_context(of)?, kind);
                } else {
                    directory.insert(user, &password, kind);
                }
            }
        }
        groups.insert(Group::Slaves, (present(&config.slave_port), slaves));
        let mut environment = Environment::clone(&self.environment.borrow());
        for variable in passwords.variables() {
            environment.remove(OsStr::new(variable));
        }
        let timeout = config.keepalive_timeout;
        let of = |interval| Keepalive { interval, timeout };
        let keepalives = config.slaves.iter();
        let keepalives = keepalives.map(|s| (s.name.clone(), of(s.keepalive_interval)));
        Ok(Wanted {
            groups,
            locals,
            local_passwords,
            instance_passwords,
            keepalives: keepalives.collect(),
            clients: config.clients,
            environment,
            passwords,
        })
    }

    /// An open port that conflicts with `address`.
    fn clashing(&self, address: &Listen) -> Option<&Port> {
        self.ports
            .iter()
            .find(|port| port.address.overlaps(address))
    }
}

impl Bound {
    fn for_people(&self) -> String {
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
