//! Who may log in, and where: the ports of the configuration that is in force.
//!
//! Invariants: everything that can fail (a password that cannot be read, a port that is taken)
//! fails while another configuration is prepared, when nothing has changed yet; a port that both
//! configurations have stays open, and whoever is connected stays connected (TUP-08).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{mpsc, watch};

use super::instances::Access;
use super::passwords::Passwords;
use super::sessions::{Keepalive, Keepalives};
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
    /// One for each set of ports with users of its own.
    groups: BTreeMap<Group, Arc<Door>>,
    ports: Vec<Port>,
    /// For slaves inside the master.
    local: Arc<Door>,
    /// The passwords of the slaves inside the master, made for this run.
    local_passwords: BTreeMap<SlaveName, String>,
    /// Those that the configuration names.
    passwords: Passwords,
    keepalives: watch::Sender<Arc<Keepalives>>,
    /// This process's environment without the variables in which this configuration, or one before
    /// it in this run, has passwords.
    environment: watch::Sender<Arc<Environment>>,
    /// What the instances of latent slaves are told.
    access: watch::Sender<Arc<Access>>,
    /// Where those go who have logged in.
    logins: mpsc::Sender<Login>,
    gatekeeper: Arc<Gatekeeper>,
    tasks: Tasks,
}

/// What ports have in common that share their users.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Group {
    /// The slave port.
    Slaves,
    /// Ports of their own, as they are written.
    Own(Vec<String>),
}

impl Group {
    fn own(ports: &[Listen]) -> Self {
        Self::Own(ports.iter().map(ToString::to_string).collect())
    }
}

/// A port that is open.
#[derive(Debug)]
struct Port {
    address: Listen,
    bound: Bound,
    /// Dropping it closes the port.
    door: watch::Sender<Arc<Door>>,
}

/// What a configuration wants, with passwords read.
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

/// Another configuration's doors, ready to be opened.
#[derive(Debug)]
pub(super) struct Prepared {
    wanted: Wanted,
    new_ports: Vec<(Listen, Opened)>,
}

impl Doors {
    /// Doors that are all closed.
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

    /// Reads the passwords of `config` and opens those of its ports that are not open yet, without
    /// letting anybody in.
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
                        "the master itself listens on {}; stop and start it to change that",
                        other.bound
                    ),
                    None => "a port of the configuration cannot be opened".to_owned(),
                })?;
                new_ports.push((address.clone(), opened));
            }
        }
        Ok(Prepared { wanted, new_ports })
    }

    /// Who has another password in what was prepared: what it is, and its name.
    pub(super) fn other_passwords<'a>(
        &'a self,
        prepared: &'a Prepared,
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        prepared.wanted.passwords.changed_since(&self.passwords)
    }

    /// Opens and closes ports, as it was prepared. Answers with the ports that are open now.
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

    /// The addresses that are open, as the configuration names them.
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

    /// How slaves are checked while they are connected, as it is configured.
    pub(super) fn keepalives(&self) -> watch::Receiver<Arc<Keepalives>> {
        self.keepalives.subscribe()
    }

    /// What local slaves start commands with.
    pub(super) fn environment(&self) -> watch::Receiver<Arc<Environment>> {
        self.environment.subscribe()
    }

    /// What the instances of latent slaves are told, as it is configured.
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
                    let hash = Hashed::parse(&text).context("the hash of the password is unusable");
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

    /// An open port that is in the way of `address`.
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

/// `ports` without the loopback of IPv6 if this machine has none: a port without an address means
/// both loopbacks.
pub(super) fn present(ports: &[Listen]) -> Vec<Listen> {
    let loopback = |l: &Listen| matches!(l, Listen::Tcp(a) if a.ip() == Ipv6Addr::LOCALHOST);
    let has_v6 = std::net::TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).is_ok();
    ports
        .iter()
        .filter(|l| has_v6 || ports.len() == 1 || !loopback(l))
        .cloned()
        .collect()
}
