//! Who may log in where by a configuration, with the passwords read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;

use anyhow::Context;

use super::{Doors, Group, present};
use crate::config::{
    ClientLimits, Config, Listen, PbListenerConfig, PbSourceConfig, SchedulerConfig, SlaveConfig,
    SlaveKind, TryUserpassConfig, UserManagerConfig,
};
use crate::daemon::keepalive::{Keepalive, Keepalives};
use crate::daemon::passwords::Passwords;
use crate::model::{SlaveName, SourceName};
use crate::net::{Directory, UserKind};
use crate::pb::hashed::Hashed;
use crate::process::Environment;

/// The doors of a configuration, with passwords read.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) groups: BTreeMap<Group, (Vec<Listen>, Directory)>,
    pub(super) locals: Directory,
    pub(super) local_passwords: BTreeMap<SlaveName, String>,
    pub(super) instance_passwords: BTreeMap<SlaveName, Vec<u8>>,
    pub(super) keepalives: Keepalives,
    pub(super) clients: ClientLimits,
    pub(super) environment: Environment,
    pub(super) passwords: Passwords,
}

/// What is wanted, while a configuration is gone through.
struct Gathering<'d> {
    /// The doors of now, whose own passwords stay.
    doors: &'d Doors,
    passwords: Passwords,
    /// Those who log in at the slave port.
    slaves: Directory,
    groups: BTreeMap<Group, (Vec<Listen>, Directory)>,
    locals: Directory,
    local_passwords: BTreeMap<SlaveName, String>,
    instance_passwords: BTreeMap<SlaveName, Vec<u8>>,
}

impl Wanted {
    /// What `config` wants in place of `doors`.
    ///
    /// # Errors
    /// A password cannot be read or used.
    pub(super) fn by(doors: &Doors, config: &Config) -> anyhow::Result<Self> {
        let mut gathering = Gathering {
            doors,
            passwords: Passwords::default(),
            slaves: Directory::new(),
            groups: BTreeMap::new(),
            locals: Directory::new(),
            local_passwords: BTreeMap::new(),
            instance_passwords: BTreeMap::new(),
        };
        for slave in &config.slaves {
            gathering.add_slave(slave)?;
        }
        for source in &config.change_sources {
            if let Some(pb) = source.pb() {
                gathering.add_senders(&source.name, pb)?;
            }
        }
        for scheduler in &config.schedulers {
            if let Some(door) = scheduler.kind.try_userpass() {
                gathering.add_users(scheduler, door, &config.slave_port)?;
            }
        }
        for target in &config.status {
            if let Some(listener) = target.pb_listener() {
                gathering.add_status_clients(&target.name(), listener, &config.slave_port)?;
            }
        }
        for manager in &config.user_managers {
            gathering.add_user_manager(manager)?;
        }
        Ok(gathering.finish(config))
    }
}

impl Gathering<'_> {
    fn add_slave(&mut self, slave: &SlaveConfig) -> anyhow::Result<()> {
        let new_password = || format!("{:032x}", rand::random::<u128>());
        let name = slave.name.as_str();
        let kind = UserKind::Slave(slave.name.clone());
        match &slave.kind {
            SlaveKind::Remote(remote) => {
                let password = self.passwords.read("slave", name, &remote.password)?;
                self.slaves.insert(name, &password, kind);
            }
            SlaveKind::Local => {
                let known = self.doors.local_passwords.get(&slave.name).cloned();
                let password = known.unwrap_or_else(new_password);
                self.locals.insert(name, password.as_bytes(), kind);
                self.local_passwords.insert(slave.name.clone(), password);
            }
            SlaveKind::Latent(latent) => {
                let password = match latent.kind.password() {
                    Some(password) => self.passwords.read("slave", name, password)?,
                    None => {
                        let access = self.doors.access.borrow();
                        let known = access.passwords.get(&slave.name).cloned();
                        known.unwrap_or_else(|| new_password().into_bytes())
                    }
                };
                self.slaves.insert(name, &password, kind);
                self.instance_passwords.insert(slave.name.clone(), password);
            }
        }
        Ok(())
    }

    /// Those who send changes to the source called `name`.
    fn add_senders(&mut self, name: &SourceName, pb: &PbSourceConfig) -> anyhow::Result<()> {
        let password = &pb.password;
        let password = self
            .passwords
            .read("change source", name.as_str(), password)?;
        let kind = UserKind::Change {
            source: name.clone(),
            prefix: pb.prefix.clone(),
        };
        let directory = match pb.ports.as_slice() {
            [] => &mut self.slaves,
            ports => self.own(ports),
        };
        directory.insert(&pb.user, &password, kind);
        Ok(())
    }

    /// Those who hand in try jobs for `scheduler`.
    fn add_users(
        &mut self,
        scheduler: &SchedulerConfig,
        door: &TryUserpassConfig,
        slave_port: &[Listen],
    ) -> anyhow::Result<()> {
        let name = scheduler.name.as_str();
        let builders: Arc<[_]> = scheduler.builders.as_slice().into();
        for (user, password) in &door.users {
            let password = self
                .passwords
                .read_of_user(user, "scheduler", name, password)?;
            let kind = UserKind::Try {
                scheduler: scheduler.name.clone(),
                user: user.clone(),
                builders: Arc::clone(&builders),
            };
            let directory = match door.ports == slave_port {
                true => &mut self.slaves,
                false => self.own(&door.ports),
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
        if door.users.is_empty() && door.ports != slave_port {
            self.own(&door.ports);
        }
        Ok(())
    }

    /// The clients of the status target called `name`.
    fn add_status_clients(
        &mut self,
        name: &str,
        listener: &PbListenerConfig,
        slave_port: &[Listen],
    ) -> anyhow::Result<()> {
        let password = self
            .passwords
            .read("status target", name, &listener.password)?;
        let directory = match listener.ports == slave_port {
            true => &mut self.slaves,
            false => self.own(&listener.ports),
        };
        let user = listener.user.clone();
        directory.insert(&listener.user, &password, UserKind::Status { user });
        Ok(())
    }

    /// Those who manage the register of people.
    fn add_user_manager(&mut self, manager: &UserManagerConfig) -> anyhow::Result<()> {
        let (user, password) = (&manager.user, &manager.password);
        let password = self.passwords.read("user manager", user, password)?;
        let directory = self.own(&manager.ports);
        directory.insert(user, &password, UserKind::Users);
        Ok(())
    }

    /// Those who log in at ports of their own.
    fn own(&mut self, ports: &[Listen]) -> &mut Directory {
        let group = self.groups.entry(Group::own(ports));
        &mut group
            .or_insert_with(|| (present(ports), Directory::new()))
            .1
    }

    fn finish(mut self, config: &Config) -> Wanted {
        let slave_port = (present(&config.slave_port), self.slaves);
        self.groups.insert(Group::Slaves, slave_port);
        let mut environment = Environment::clone(&self.doors.environment.borrow());
        for variable in self.passwords.variables() {
            environment.remove(OsStr::new(variable));
        }
        for variable in config.secret_variables() {
            environment.remove(OsStr::new(variable));
        }
        let timeout = config.keepalive_timeout;
        let of = |interval| Keepalive { interval, timeout };
        let keepalives = config.slaves.iter();
        let keepalives = keepalives.map(|s| (s.name.clone(), of(s.keepalive_interval)));
        Wanted {
            groups: self.groups,
            locals: self.locals,
            local_passwords: self.local_passwords,
            instance_passwords: self.instance_passwords,
            keepalives: keepalives.collect(),
            clients: config.clients,
            environment,
            passwords: self.passwords,
        }
    }
}
