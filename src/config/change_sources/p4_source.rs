//! `type = "P4Source"`: changes that the master finds at a server of Perforce (POL-12).

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::Around;
use super::access::LoginAccess;
use super::kind::SourceSettings;
use super::poller::{PollerConfig, program};
use super::svn_poller::{Layout, pattern_layout};
use crate::config::quantities::LONGEST;
use crate::config::reader::{Table, Value};
use crate::config::repositories::RepositoryConfig;
use crate::config::zones::read_zone;
use crate::model::Zone;

/// Settings of `P4Source`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct P4SourceConfig {
    /// What all pollers have.
    #[serde(flatten)]
    pub poller: PollerConfig,
    /// The server, such as `ssl:perforce:1666`; absent: that of the environment.
    pub p4port: Option<String>,
    /// What is polled: the beginning of paths in the depot, `//`.
    pub p4base: String,
    /// How paths below it are split into branch and file.
    pub split_file: Layout,
    /// User and password.
    #[serde(flatten)]
    pub login: LoginAccess,
    /// Whether the password gets a ticket, which then stands for it.
    pub use_tickets: bool,
    /// How long a ticket is used: 1 day.
    pub ticket_login_interval: Duration,
    /// Zone of the times that the server tells.
    #[serde(serialize_with = "zone_name")]
    pub server_tz: Zone,
    /// Program: `p4`.
    pub p4: String,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &[
    "p4port",
    "p4base",
    "split_file",
    "use_tickets",
    "ticket_login_interval",
    "server_tz",
    "p4",
];

/// The first directory is the branch.
const FIRST_DIRECTORY: &str = "(?P<branch>[^/]+)/(?P<file>.*)";

impl Default for P4SourceConfig {
    fn default() -> Self {
        Self {
            poller: PollerConfig::default(),
            p4port: None,
            p4base: "//".to_owned(),
            split_file: Layout::default(),
            login: LoginAccess::default(),
            use_tickets: false,
            ticket_login_interval: Duration::from_secs(24 * 60 * 60),
            server_tz: Zone::UTC,
            p4: "p4".to_owned(),
        }
    }
}

impl P4SourceConfig {
    /// What is polled, with the server.
    #[must_use]
    pub fn address(&self) -> String {
        let port = self.p4port.as_deref().unwrap_or_default();
        format!("{port}{}", self.p4base)
    }
}

impl SourceSettings for P4SourceConfig {
    fn kind(&self) -> &'static str {
        "P4Source"
    }

    fn usual_name(&self) -> String {
        self.poller.repository_at(&self.address())
    }

    fn poller(&self) -> Option<&PollerConfig> {
        Some(&self.poller)
    }

    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let known = self.poller.read(table, around, "p4");
        if let Some((port, base)) = known.and_then(RepositoryConfig::url).and_then(split) {
            self.p4port = (!port.is_empty()).then(|| port.to_owned());
            base.clone_into(&mut self.p4base);
        }
        let word = |v: &Value<'_>| {
            let word = v.name()?;
            if word.starts_with('-') {
                return v.expected("a name", "it cannot begin with `-`");
            }
            Some(word.to_owned())
        };
        table.set_some("p4port", &mut self.p4port, word);
        table.set("p4base", &mut self.p4base, |v| {
            let base = word(v)?;
            if !base.starts_with("//") {
                v.error("does not begin with `//`", "for example `//depot/project/`");
            }
            Some(base)
        });
        table.set("split_file", &mut self.split_file, read_split);
        self.login.read(table, known);
        let tickets = table.take("use_tickets");
        self.use_tickets = tickets.as_ref().and_then(Value::flag).unwrap_or_default();
        if let (Some(tickets), true, None) = (&tickets, self.use_tickets, &self.login.password) {
            tickets.error("needs a password", "add `password_file = \"FILE\"`");
        }
        table.set(
            "ticket_login_interval",
            &mut self.ticket_login_interval,
            |v| v.duration(Duration::from_secs(1)..=LONGEST),
        );
        table.set("server_tz", &mut self.server_tz, read_zone);
        self.p4 = program(table, "p4");
    }
}

/// The server and the base of an address such as `perforce:1666//depot/project`.
fn split(address: &str) -> Option<(&str, &str)> {
    let at = address.find("//")?;
    address.split_at_checked(at)
}

fn read_split(value: &Value<'_>) -> Option<Layout> {
    let name = value.name()?;
    let pattern = match name {
        "none" => return Some(Layout::Trunk),
        "branch" => FIRST_DIRECTORY,
        pattern => pattern,
    };
    let help = "write \"none\", \"branch\", or an expression with groups such as \
                `(?P<branch>[^/]+)/(?P<file>.*)`";
    pattern_layout(value, pattern, help)
}

fn zone_name<S: Serializer>(zone: &Zone, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}
