//! Who may log in, where, and what becomes of them.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::sync::mpsc;
use tracing::{debug, info, info_span};

use super::sessions::Keepalive;
use crate::config::{
    ChangeSourceConfig, Config, Listen, SchedulerConfig, SchedulerKind, Secret, SlaveKind,
};
use crate::control::Control;
use crate::model::{BuilderName, SchedulerName, SlaveName};
use crate::net::listen::{Bound, listen};
use crate::net::{Directory, Door, Login, LoginAnswer, Peer, Tasks, UserKind};
use crate::pb::Luid;
use crate::{changes, status};

/// Logins that may wait to be taken in; more wait at their connections.
const LOGINS: usize = 64;

/// A slave that gave the right password.
#[derive(Debug)]
pub(super) struct SlaveLogin {
    /// Its name.
    pub(super) name: SlaveName,
    /// Its connection.
    pub(super) peer: Peer,
    /// The object to drive it by.
    pub(super) bot: Luid,
    /// To answer when it is attached.
    pub(super) answer: LoginAnswer,
    /// How it is checked while it is connected.
    pub(super) keepalive: Keepalive,
}

/// The open doors.
#[derive(Debug)]
pub(super) struct Doors {
    /// Where we listen, for people.
    pub(super) addresses: Vec<String>,
    /// Slaves that come in.
    pub(super) slaves: mpsc::Receiver<SlaveLogin>,
    /// For slaves inside the master.
    pub(super) local: Arc<Door>,
    /// The passwords of the slaves inside the master, made for this run.
    pub(super) local_passwords: BTreeMap<SlaveName, String>,
}

/// Opens all ports of the configuration.
///
/// # Errors
/// A password cannot be read, or a port cannot be opened.
pub(super) fn open(config: &Config, control: &Control, tasks: &Tasks) -> anyhow::Result<Doors> {
    let (tell, logins) = mpsc::channel(LOGINS);
    let mut people = Directory::new();
    let mut locals = Directory::new();
    let mut local_passwords = BTreeMap::new();
    for slave in &config.slaves {
        let name = slave.name.as_str();
        let kind = UserKind::Slave(slave.name.clone());
        match &slave.kind {
            SlaveKind::Remote { password } => {
                let password = read(password).with_context(|| format!("slave \"{name}\""))?;
                people.insert(name, &password, kind);
            }
            SlaveKind::Local => {
                let password = format!("{:032x}", rand::random::<u128>());
                locals.insert(name, password.as_bytes(), kind);
                local_passwords.insert(slave.name.clone(), password);
            }
        }
    }
    let mut own_ports = Vec::new();
    for source in &config.change_sources {
        let ChangeSourceConfig::Pb {
            ports,
            user,
            password,
            prefix,
        } = source;
        let password = read(password).with_context(|| format!("change source \"{user}\""))?;
        let kind = UserKind::Change {
            prefix: prefix.clone(),
        };
        if ports.is_empty() {
            people.insert(user, &password, kind);
        } else {
            let mut directory = Directory::new();
            directory.insert(user, &password, kind);
            own_ports.push((ports, directory));
        }
    }
    for scheduler in &config.schedulers {
        let SchedulerKind::TryUserpass(settings) = &scheduler.kind else {
            continue;
        };
        let directory = if settings.ports == config.slave_port {
            &mut people
        } else {
            directory_at(&mut own_ports, &settings.ports)
        };
        for (user, password) in &settings.users {
            let of = || format!("user \"{user}\" of scheduler \"{}\"", scheduler.name);
            let password = read(password).with_context(of)?;
            let kind = UserKind::Try {
                scheduler: scheduler.name.clone(),
                user: user.clone(),
            };
            directory.insert(user, &password, kind);
        }
    }

    let mut addresses = Vec::new();
    let mut open = |ports: &[Listen], directory| -> anyhow::Result<()> {
        let door = Door::new(directory, tell.clone(), tasks.clone());
        let bound = listen(&present(ports), &door, tasks)?;
        addresses.extend(bound.iter().map(|bound| match bound {
            Bound::Tcp(address) => address.to_string(),
            Bound::Unix(path) => path.display().to_string(),
        }));
        Ok(())
    };
    open(&config.slave_port, people)?;
    for (ports, directory) in own_ports {
        open(ports, directory)?;
    }
    let local = Door::new(locals, tell, tasks.clone());
    let keepalives = keepalives(config);
    let tries = tries(config);
    let (slave_tell, slaves) = mpsc::channel(LOGINS);
    tasks.spawn(
        info_span!("logins"),
        receive(
            logins,
            slave_tell,
            (keepalives, tries),
            control.clone(),
            tasks.clone(),
        ),
    );
    Ok(Doors {
        addresses,
        slaves,
        local,
        local_passwords,
    })
}

/// Takes in who has logged in, and sends each to the one who serves his kind.
async fn receive(
    mut logins: mpsc::Receiver<Login>,
    slaves: mpsc::Sender<SlaveLogin>,
    (keepalives, tries): (
        BTreeMap<SlaveName, Keepalive>,
        BTreeMap<SchedulerName, Vec<BuilderName>>,
    ),
    control: Control,
    tasks: Tasks,
) {
    loop {
        let login = tokio::select! {
            login = logins.recv() => login,
            () = tasks.stopping() => return,
        };
        let Some(Login {
            kind,
            peer,
            mind,
            answer,
        }) = login
        else {
            return;
        };
        match kind {
            UserKind::Slave(name) => {
                let (Some(bot), Some(keepalive)) = (mind, keepalives.get(&name).copied()) else {
                    info!(slave = %name, peer.addr = peer.address(), "a slave without a bot: dropped");
                    peer.close("a slave must bring its bot");
                    continue;
                };
                let login = SlaveLogin {
                    name,
                    peer,
                    bot,
                    answer,
                    keepalive,
                };
                if slaves.send(login).await.is_err() {
                    return;
                }
            }
            UserKind::Change { prefix } => {
                debug!(peer.addr = peer.address(), "change source connected");
                let span = info_span!("changes", peer.addr = peer.address());
                tasks.spawn(
                    span,
                    changes::pb::serve(peer, answer, prefix, control.clone()),
                );
            }
            UserKind::Try { scheduler, user } => {
                debug!(peer.addr = peer.address(), %user, "try client connected");
                let span = info_span!("try", peer.addr = peer.address(), %scheduler, ?user);
                let user = status::pb::User {
                    builders: tries.get(&scheduler).cloned().unwrap_or_default(),
                    scheduler,
                    name: user,
                };
                let basedir = PathBuf::from(".");
                tasks.spawn(
                    span,
                    status::pb::serve(peer, answer, user, control.clone(), basedir),
                );
            }
        }
    }
}

fn keepalives(config: &Config) -> BTreeMap<SlaveName, Keepalive> {
    let timeout = config.keepalive_timeout;
    let of = |interval| Keepalive { interval, timeout };
    config
        .slaves
        .iter()
        .map(|s| (s.name.clone(), of(s.keepalive_interval)))
        .collect()
}

/// The builders of each scheduler.
fn tries(config: &Config) -> BTreeMap<SchedulerName, Vec<BuilderName>> {
    let of = |s: &Arc<SchedulerConfig>| (s.name.clone(), s.builders.clone());
    config.schedulers.iter().map(of).collect()
}

/// The users at `ports`, where several schedulers may have theirs.
fn directory_at<'d, 'c>(
    own_ports: &'d mut Vec<(&'c Vec<Listen>, Directory)>,
    ports: &'c Vec<Listen>,
) -> &'d mut Directory {
    let found = own_ports.iter().position(|(other, _)| *other == ports);
    let at = found.unwrap_or_else(|| {
        own_ports.push((ports, Directory::new()));
        own_ports.len() - 1
    });
    &mut own_ports.get_mut(at).expect("it was found or made").1
}

/// The password that `secret` means.
fn read(secret: &Secret) -> anyhow::Result<Vec<u8>> {
    let password = match secret {
        Secret::Inline(password) => password.clone().into_bytes(),
        Secret::File(path) => {
            let mut bytes = std::fs::read(path)
                .with_context(|| format!("cannot read the password file {}", path.display()))?;
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            bytes
        }
        Secret::Env(name) => match std::env::var(name) {
            Ok(password) => password.into_bytes(),
            Err(_) => bail!("the environment variable {name} with the password is not set"),
        },
    };
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password)
}

/// `ports` without the loopback of IPv6 if this machine has none: a port without an address means
/// both loopbacks.
fn present(ports: &[Listen]) -> Vec<Listen> {
    let loopback = |l: &Listen| matches!(l, Listen::Tcp(a) if a.ip() == Ipv6Addr::LOCALHOST);
    let has_v6 = std::net::TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).is_ok();
    ports
        .iter()
        .filter(|l| has_v6 || ports.len() == 1 || !loopback(l))
        .cloned()
        .collect()
}
