//! `Try_Userpass`: where it listens, and who may hand in jobs there (TUP-01, TUP-02, TUP-07).
//!
//! Invariant: two doors are at the same addresses or share none, and a name is one user's at each.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use serde::Serialize;

use super::branches::read_branches;
use super::codebases::Codebases;
use super::kind::SchedulerSettings;
use crate::config::address::{self, Listen};
use crate::config::change_sources::ChangeSourceConfig;
use crate::config::change_sources::slave_port::SlavePort;
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;
use crate::config::shape::Shape;
use crate::config::trace::Wanted;
use crate::pb::hashed::Hashed;

/// Settings of `Try_Userpass` (TUP-01, TUP-07).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TryUserpassConfig {
    /// Where it listens; schedulers may share a port if their users differ.
    #[serde(rename = "port", serialize_with = "address::texts")]
    pub ports: Vec<Listen>,
    /// User names and passwords; a password may be an argon2 hash (`$argon2id$…`).
    #[serde(rename = "userpass")]
    pub users: Vec<(String, Secret)>,
    /// The branches that it may be handed, among which `None` is the default branch; absent: every
    /// branch.
    pub branches: Option<Vec<Option<String>>>,
    /// The codebases that have a stamp each in its sets; empty: the one that the job names.
    #[serde(flatten)]
    pub codebases: Codebases,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &["port", "userpass", "branches", "codebases"];

/// A user in the longer form.
pub(in crate::config) static USER: Shape = Shape {
    place: "schedulers.userpass",
    noun: "user",
    keys: &["user", "password", "password_file", "password_env"],
    kinds: Vec::new,
};

/// What else listens.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Listeners<'a, 'n> {
    /// The slave port.
    pub(in crate::config) slave_port: &'n SlavePort<'a, 'n>,
    /// The change sources.
    pub(in crate::config) change_sources: &'n [ChangeSourceConfig],
}

/// The doors that Try_Userpass schedulers have so far, with the names of their users.
#[derive(Debug, Default)]
pub(super) struct Doors<'a>(Vec<Door<'a>>);

/// The addresses of a door, and its users.
#[derive(Debug)]
struct Door<'a> {
    ports: Vec<Listen>,
    /// Where each name is.
    names: BTreeMap<&'a str, Range<usize>>,
}

/// A user, and where the name is.
type User<'a> = (&'a str, Range<usize>, Secret);

impl SchedulerSettings for TryUserpassConfig {
    fn takes_try_jobs(&self) -> bool {
        true
    }

    fn try_branches(&self) -> Option<&[Option<String>]> {
        self.branches.as_deref()
    }

    fn try_codebases(&self) -> Option<&Codebases> {
        Some(&self.codebases)
    }
}

impl TryUserpassConfig {
    /// Takes what the table has.
    pub(super) fn read<'a>(
        &mut self,
        table: &mut Table<'a>,
        doors: &mut Doors<'a>,
        listeners: Listeners<'a, '_>,
    ) {
        table.set_some("branches", &mut self.branches, read_branches);
        self.codebases.read(table, None);
        let port = table.require("port", "8031");
        let users = table.require("userpass", "[[\"USER\", \"PASSWORD\"]]");
        let users = users.map(|users| read_users(&users)).unwrap_or_default();
        let Some((port, ports)) = port.and_then(|port| Some((port.clone(), port.listen()?))) else {
            return;
        };
        let at_slave_port = ports == listeners.slave_port.listens;
        if !at_slave_port {
            check_port(&port, &ports, listeners);
        }
        let names = doors.names_at(&port, &ports);
        for (name, place, _) in &users {
            if at_slave_port {
                check_neighbours(&port, name, place, listeners);
            }
            if let Some(first) = names.insert(name, place.clone()) {
                port.sink.clash(
                    (place.clone(), first),
                    format!("there are two users `{name}` at this port"),
                    "here is the other",
                    "rename one of them, or give each scheduler a port of its own",
                );
            }
        }
        let users = users.into_iter();
        self.users = users
            .map(|(name, _, password)| (name.to_owned(), password))
            .collect();
        self.ports = ports;
    }
}

impl<'a> Doors<'a> {
    /// The names at these addresses, where several schedulers may listen if they name the same
    /// ones.
    fn names_at(
        &mut self,
        port: &Value<'a>,
        ports: &[Listen],
    ) -> &mut BTreeMap<&'a str, Range<usize>> {
        let found = self.0.iter().position(|door| door.ports == ports);
        let at = found.unwrap_or_else(|| {
            if self.0.iter().any(|door| overlap(&door.ports, ports)) {
                port.error(
                    "shares an address with another Try_Userpass, but not all of them",
                    "give both the same `port`, or each its own",
                );
            }
            self.0.push(Door {
                ports: ports.to_vec(),
                names: BTreeMap::new(),
            });
            self.0.len() - 1
        });
        &mut self.0.get_mut(at).expect("it was found or made").names
    }
}

fn read_users<'a>(value: &Value<'a>) -> Vec<User<'a>> {
    let entries = value.list();
    if entries.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("nobody can log in at {}", value.label);
        let help = "add a user: `userpass = [[\"USER\", \"PASSWORD\"]]`";
        value.sink.warning(value.span(), message, help);
    }
    let entries = entries.unwrap_or_default();
    entries.iter().filter_map(read_user).collect()
}

/// A pair, as Buildbot has it, or a table, for a password that is somewhere else.
fn read_user<'a>(value: &Value<'a>) -> Option<User<'a>> {
    if value.among([Wanted::List, Wanted::Table]).is_table() {
        let mut table = value.table(&USER)?;
        let name = table.require("user", "\"USER\"");
        let name = name.and_then(|name| Some((user_name(&name)?, name.span())));
        table.label = match &name {
            Some((name, _)) => format!("user `{name}` of {}", value.label).into(),
            None => Rc::clone(&table.label),
        };
        let password = table.password(true);
        if let Some(Secret::Inline(text)) = &password {
            check_hash(value, text);
        }
        table.finish();
        let (name, place) = name?;
        return Some((name, place, password?));
    }
    let help =
        "write `[\"USER\", \"PASSWORD\"]`, or `{ user = \"USER\", password_file = \"FILE\" }`";
    if !value.data().is_array() {
        return value.expected("a list of users with passwords", help);
    }
    let pair = value.list()?;
    let [name, password] = pair.as_slice() else {
        value.error("has an entry that is not a user and a password", help);
        return None;
    };
    let (user, text) = (user_name(name)?, password.text()?);
    if text.is_empty() {
        password.error("has an empty password", "choose one");
        return None;
    }
    check_hash(password, text);
    Some((user, name.span(), Secret::Inline(text.to_owned())))
}

/// Reports a password that looks like a hash and is none that can be used.
fn check_hash(value: &Value<'_>, password: &str) {
    if Hashed::looks_like(password.as_bytes())
        && let Err(bad) = Hashed::parse(password)
    {
        let what = format!("has a hash that cannot be used: {bad}");
        value.error(&what, "make one with `buildmaster hash-password`");
    }
}

fn user_name<'a>(value: &Value<'a>) -> Option<&'a str> {
    let name = value.name()?;
    if name.len() > LONGEST_NAME {
        let help = format!("a name has at most {LONGEST_NAME} bytes");
        value.error("has a name that is too long", help);
        return None;
    }
    // The reason of a set says who handed it in; these would make one user look like another
    // (TRY-05).
    if name.contains(" by user ") || name.contains(" (") {
        value.error(
            "has a name with ` by user ` or ` (` in it",
            "choose another name",
        );
        return None;
    }
    Some(name)
}

/// Reports ports that belong partly to the slave port, or to a change source.
pub(in crate::config) fn check_port(
    port: &Value<'_>,
    ports: &[Listen],
    listeners: Listeners<'_, '_>,
) {
    let slave_port = listeners.slave_port;
    if let Some(other) = slave_port
        .value
        .as_ref()
        .filter(|_| overlap(slave_port.listens, ports))
    {
        port.sink.clash(
            (port.span(), other.span()),
            "this port is a part of the slave port".to_owned(),
            "here is the other",
            "give the whole slave port to share it, or another port",
        );
    }
    let mut sources = listeners.change_sources.iter();
    if sources.any(|source| source.pb().is_some_and(|pb| overlap(&pb.ports, ports))) {
        port.error(
            "is the port of a change source",
            "give each a port of its own",
        );
    }
}

/// Reports a user of the slave port who has the name of a slave or of a change source's user.
pub(in crate::config) fn check_neighbours(
    port: &Value<'_>,
    name: &str,
    place: &Range<usize>,
    listeners: Listeners<'_, '_>,
) {
    let help = "choose another name, or use a port of its own";
    if let Some(slave) = listeners.slave_port.slaves.place(name) {
        port.sink.clash(
            (place.clone(), slave.clone()),
            format!("the user `{name}` logs in at the slave port, where a slave has this name"),
            "here is the slave",
            help,
        );
    }
    let mut sources = listeners
        .change_sources
        .iter()
        .filter_map(ChangeSourceConfig::pb);
    if sources.any(|source| source.is_at_slave_port(name)) {
        let message =
            format!("the user `{name}` logs in at the slave port, where a change source has it");
        port.sink.error(place.clone(), message, help);
    }
}

/// Whether the lists have an address in common.
pub(in crate::config) fn overlap(some: &[Listen], others: &[Listen]) -> bool {
    some.iter().any(|a| others.iter().any(|b| a.overlaps(b)))
}

/// The login looks at no more of a name (PROTOCOL section 7 has no limit).
const LONGEST_NAME: usize = 256;
