//! `type = "PB"`: changes that `buildbot sendchange` and hooks hand in over the wire (CHG-01).

use std::ops::Range;

use serde::Serialize;

use super::Around;
use super::kind::SourceSettings;
use super::slave_port::SlavePort;
use crate::config::address::{self, Listen};
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;

/// Settings of `PB`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PbSourceConfig {
    /// A port of its own, which may be several addresses; empty: the slave port.
    #[serde(rename = "port", serialize_with = "address::texts")]
    pub ports: Vec<Listen>,
    /// User name: `change`.
    pub user: String,
    /// Password.
    pub password: Secret,
    /// Files outside are dropped from the change, those inside lose the prefix.
    pub prefix: Option<String>,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &[
    "port",
    "user",
    "password",
    "password_file",
    "password_env",
    "prefix",
];

impl Default for PbSourceConfig {
    fn default() -> Self {
        Self {
            ports: Vec::new(),
            user: "change".to_owned(),
            password: Secret::default(),
            prefix: None,
        }
    }
}

impl PbSourceConfig {
    /// Whether `user` logs in at the slave port to hand in changes here.
    pub(in crate::config) fn is_at_slave_port(&self, user: &str) -> bool {
        self.ports.is_empty() && self.user == user
    }
}

impl SourceSettings for PbSourceConfig {
    fn kind(&self) -> &'static str {
        "PB"
    }

    /// Its user, which is what a sender knows it by.
    fn usual_name(&self) -> String {
        let ports: Vec<_> = self.ports.iter().map(ToString::to_string).collect();
        match ports.as_slice() {
            [] => self.user.clone(),
            ports => format!("{} at {}", self.user, ports.join(", ")),
        }
    }

    /// It shares the slave port and its users with those before it.
    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let slave_port = around.slave_port;
        let before: Vec<_> = around
            .before
            .iter()
            .filter_map(|other| other.pb())
            .collect();
        let port = table.take("port");
        match &port {
            Some(value) => {
                if let Some(ports) = value.listen() {
                    check_port(value, &ports, slave_port, &before);
                    self.ports = ports;
                }
            }
            None if !slave_port.is_given => {
                let message = format!("{} needs a port", table.label);
                let help =
                    "add `slave_port = 9989` at the top of the file, or a `port` of its own here";
                table.sink.missing(table.span.clone(), message, help);
            }
            None => {}
        }
        let user = table.take("user");
        let name = user.as_ref().map_or(Some(self.user.as_str()), Value::name);
        if let Some(name) = name {
            if port.is_none() {
                let place = user.as_ref().map_or(table.span.clone(), Value::span);
                check_user(table, place, name, slave_port, &before);
            }
            self.user = name.to_owned();
        }
        table.set_password(&mut self.password);
        table.set_some("prefix", &mut self.prefix, |v| v.text().map(str::to_owned));
    }

    fn password(&self) -> Option<&Secret> {
        Some(&self.password)
    }
}

fn check_port(
    port: &Value<'_>,
    listens: &[Listen],
    slave_port: &SlavePort<'_, '_>,
    before: &[&PbSourceConfig],
) {
    let taken = |others: &[Listen]| listens.iter().any(|l| others.iter().any(|o| l.overlaps(o)));
    if let Some(other) = slave_port
        .value
        .as_ref()
        .filter(|_| taken(slave_port.listens))
    {
        port.sink.clash(
            (port.span(), other.span()),
            "this port is the slave port".to_owned(),
            "here is the other",
            "leave `port` out to share it",
        );
    } else if before.iter().any(|other| taken(&other.ports)) {
        port.error(
            "is the port of another change source",
            "give each a port of its own",
        );
    }
}

fn check_user(
    table: &Table<'_>,
    place: Range<usize>,
    user: &str,
    slave_port: &SlavePort<'_, '_>,
    before: &[&PbSourceConfig],
) {
    let help = "give it another `user`, or a `port` of its own";
    if let Some(slave) = slave_port.slaves.place(user) {
        table.sink.clash(
            (place.clone(), slave.clone()),
            format!("the user `{user}` logs in at the slave port, where a slave has this name"),
            "here is the slave",
            help,
        );
    }
    if before.iter().any(|other| other.is_at_slave_port(user)) {
        let message = format!("two change sources have the user `{user}` at the slave port");
        table.sink.error(place, message, help);
    }
}
