//! `[[change_sources]]`.

use std::ops::Range;

use super::checked::{ChangeSourceConfig, Listen};
use super::names::Names;
use super::reader::{Shape, Table, Value};

pub(super) static SHAPE: Shape = Shape {
    place: "change_sources",
    noun: "change source",
    keys: &[
        "type",
        "port",
        "user",
        "password",
        "password_file",
        "password_env",
        "prefix",
    ],
};

/// The slave port, and who logs in there.
#[derive(Debug)]
pub(super) struct SlavePort<'a, 'n> {
    /// Whether there is one, if misspelt.
    pub(super) is_given: bool,
    /// Its setting, if there is one.
    pub(super) value: Option<Value<'a>>,
    /// Its addresses.
    pub(super) listens: &'n [Listen],
    /// The slaves.
    pub(super) slaves: &'n Names<'a>,
}

/// Reads all change sources.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    slave_port: &SlavePort<'a, '_>,
) -> Vec<ChangeSourceConfig> {
    let mut sources: Vec<ChangeSourceConfig> = Vec::new();
    let tables = root.take("change_sources").map(|v| v.tables(&SHAPE));
    for table in tables.into_iter().flatten() {
        if let Some(source) = read_one(table, slave_port, &sources) {
            sources.push(source);
        }
    }
    sources
}

fn read_one<'a>(
    mut table: Table<'a>,
    slave_port: &SlavePort<'a, '_>,
    before: &[ChangeSourceConfig],
) -> Option<ChangeSourceConfig> {
    table.require("type", "\"PB\"")?.one_of(&["PB"])?;
    let port = table.take("port");
    let listens = port.as_ref().map(|v| v.listen());
    match (&port, &listens) {
        (Some(port), Some(Some(listens))) => check_port(port, listens, slave_port, before),
        (None, _) if !slave_port.is_given => {
            let message = format!("{} needs a port", table.label);
            let help =
                "add `slave_port = 9989` at the top of the file, or a `port` of its own here";
            table.sink.missing(table.span.clone(), message, help);
        }
        (_, _) => {}
    }
    let user = table.take("user");
    let user_name = user.as_ref().map_or(Some("change"), Value::name);
    if let (Some(name), None) = (user_name, &port) {
        let place = user.as_ref().map_or(table.span.clone(), Value::span);
        check_user(&table, place, name, slave_port, before);
    }
    let password = table.password(false);
    let prefix = table.take("prefix").and_then(|v| v.text());
    table.finish();
    Some(ChangeSourceConfig::Pb {
        ports: listens.unwrap_or(Some(Vec::new()))?,
        user: user_name?.to_owned(),
        password: password?,
        prefix: prefix.map(str::to_owned),
    })
}

fn check_port(
    port: &Value<'_>,
    listens: &[Listen],
    slave_port: &SlavePort<'_, '_>,
    before: &[ChangeSourceConfig],
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
    } else if before
        .iter()
        .any(|ChangeSourceConfig::Pb { ports, .. }| taken(ports))
    {
        port.error(
            "is that of another change source",
            "give each a port of its own",
        );
    }
}

fn check_user(
    table: &Table<'_>,
    place: Range<usize>,
    user: &str,
    slave_port: &SlavePort<'_, '_>,
    before: &[ChangeSourceConfig],
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
    let same = |source: &ChangeSourceConfig| {
        let ChangeSourceConfig::Pb { ports, user: u, .. } = source;
        ports.is_empty() && u == user
    };
    if before.iter().any(same) {
        let message = format!("two change sources have the user `{user}` at the slave port");
        table.sink.error(place, message, help);
    }
}
