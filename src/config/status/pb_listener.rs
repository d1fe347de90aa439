//! `type = "PBListener"`: where live status clients connect, and how they log in (LIV-01).

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::config::address::{self, Listen};
use crate::config::reader::{Table, Value};
use crate::config::schedulers::SchedulerConfig;
use crate::config::schedulers::try_userpass::{Listeners, check_neighbours, check_port, overlap};
use crate::config::secret::Secret;

/// Settings of `PBListener`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PbListenerConfig {
    /// Where it listens; the slave port can be shared.
    #[serde(rename = "port", serialize_with = "address::texts")]
    pub ports: Vec<Listen>,
    /// User name of the clients: `statusClient`.
    pub user: String,
    /// Password of the clients.
    pub password: Secret,
}

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &["port", "user", "password", "password_file", "password_env"];

impl Default for PbListenerConfig {
    fn default() -> Self {
        Self {
            ports: Vec::new(),
            user: "statusClient".to_owned(),
            password: Secret::default(),
        }
    }
}

impl PbListenerConfig {
    /// The name for people: the user and the port.
    pub(super) fn name(&self) -> String {
        let ports: Vec<_> = self.ports.iter().map(ToString::to_string).collect();
        format!("{} at {}", self.user, ports.join(", "))
    }

    /// Takes what the table has; its port and its user must not be those of anybody else.
    pub(super) fn read(
        &mut self,
        table: &mut Table<'_>,
        listeners: Listeners<'_, '_>,
        schedulers: &[Arc<SchedulerConfig>],
        before: &[&Self],
    ) {
        let port = table.require("port", "9988");
        let user = table.take("user");
        let name = user.as_ref().map_or(Some(self.user.as_str()), Value::name);
        if let Some(name) = name {
            self.user = name.to_owned();
        }
        table.set_password(&mut self.password);
        let Some((port, ports)) = port.and_then(|port| Some((port.clone(), port.listen()?))) else {
            return;
        };
        let place = user.map_or_else(|| table.span.clone(), |user| user.span());
        self.ports = ports;
        if self.ports == listeners.slave_port.listens {
            check_neighbours(&port, &self.user, &place, listeners);
            self.check_users_at_slave_port(&port, &place, schedulers, before);
            return;
        }
        check_port(&port, &self.ports, listeners);
        let mut tried = schedulers.iter().filter_map(|s| s.kind.try_userpass());
        if tried.any(|other| overlap(&other.ports, &self.ports)) {
            let help = "give each a port of its own";
            port.error("is the port of a Try_Userpass scheduler", help);
        }
        if before
            .iter()
            .any(|other| overlap(&other.ports, &self.ports))
        {
            let help = "give each a port of its own";
            port.error("is the port of another PBListener", help);
        }
    }

    fn check_users_at_slave_port(
        &self,
        port: &Value<'_>,
        place: &Range<usize>,
        schedulers: &[Arc<SchedulerConfig>],
        before: &[&Self],
    ) {
        let mut tried = schedulers.iter().filter_map(|s| s.kind.try_userpass());
        let tries = tried.any(|other| {
            other.ports == self.ports && other.users.iter().any(|(name, _)| *name == self.user)
        });
        let mut before = before.iter();
        let listens = before.any(|other| other.ports == self.ports && other.user == self.user);
        let other = match (tries, listens) {
            (true, _) => "a Try_Userpass scheduler",
            (false, true) => "another PBListener",
            (false, false) => return,
        };
        let message = format!(
            "the user `{}` logs in at the slave port, where {other} has it",
            self.user
        );
        let help = "choose another `user`, or use a port of its own";
        port.sink.error(place.clone(), message, help);
    }
}
