//! `[[user_managers]]`: who may manage the register of people with `buildbot user` of Buildbot 0.8
//! (WHO-07).

use serde::Serialize;

use super::address::{self, Listen};
use super::reader::Table;
use super::schedulers::SchedulerConfig;
use super::schedulers::try_userpass::{Listeners, check_port, overlap};
use super::secret::Secret;
use super::shape::Shape;
use super::status::StatusConfig;

/// A port for `buildbot user`, with its user.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct UserManagerConfig {
    /// Where it listens: ports that nothing else has.
    #[serde(rename = "port", serialize_with = "address::texts")]
    pub ports: Vec<Listen>,
    /// User name of the clients.
    pub user: String,
    /// Password of the clients.
    pub password: Secret,
}

pub(super) static SHAPE: Shape = Shape {
    place: "user_managers",
    noun: "user manager",
    keys: &[
        "type",
        "port",
        "user",
        "password",
        "password_file",
        "password_env",
    ],
    kinds: Vec::new,
};

/// Reads all. `listeners`, `schedulers` and `status` are what else listens.
pub(super) fn read(
    root: &mut Table<'_>,
    listeners: Listeners<'_, '_>,
    schedulers: &[std::sync::Arc<SchedulerConfig>],
    status: &[StatusConfig],
) -> Vec<UserManagerConfig> {
    let mut managers: Vec<UserManagerConfig> = Vec::new();
    let tables = root.take("user_managers").map(|v| v.tables(&SHAPE));
    for mut table in tables.into_iter().flatten() {
        if let Some(kind) = table.take("type") {
            kind.one_of(&["CommandlineUserManager"]);
        }
        let port = table.require("port", "9990");
        let user = table.require("user", "\"manager\"");
        let mut manager = UserManagerConfig {
            ports: Vec::new(),
            user: user
                .and_then(|user| user.name().map(str::to_owned))
                .unwrap_or_default(),
            password: Secret::default(),
        };
        table.set_password(&mut manager.password);
        if let Some(port) = port {
            manager.ports = port.listen().unwrap_or_default();
            check_port(&port, &manager.ports, listeners);
            let tried = schedulers.iter().filter_map(|s| s.kind.try_userpass());
            let told = status.iter().filter_map(StatusConfig::pb_listener);
            let others = tried
                .map(|door| &door.ports)
                .chain(told.map(|door| &door.ports));
            let mut others = others.chain(managers.iter().map(|other| &other.ports));
            if others.any(|other| overlap(other, &manager.ports))
                || overlap(listeners.slave_port.listens, &manager.ports)
            {
                port.error("is a port of something else", "give it a port of its own");
            }
        }
        table.finish();
        managers.push(manager);
    }
    managers
}
