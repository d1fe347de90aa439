//! `type = "GerritChangeSource"`: events of a Gerrit server (POL-14).

use std::time::Duration;

use serde::Serialize;

use super::Around;
use super::access::SshAccess;
use super::kind::SourceSettings;
use super::poller::program;
use crate::config::quantities::LONGEST;
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;

/// Settings of `GerritChangeSource`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GerritConfig {
    /// The server.
    pub gerritserver: String,
    /// Its port for ssh: 29418.
    pub gerritport: u16,
    /// The user there.
    pub username: String,
    /// How ssh logs in, and whom it trusts.
    #[serde(flatten)]
    pub ssh_access: SshAccess,
    /// The types of events that are changes.
    pub handled_events: Vec<String>,
    /// Time after which a silent server is asked whether it is there: 15 seconds.
    pub ssh_server_alive_interval: Duration,
    /// Number of such questions without an answer after which the connection is lost: 3.
    pub ssh_server_alive_count_max: u32,
    /// Time between two questions for events that were missed: 5 minutes.
    pub catch_up_interval: Duration,
    /// Whether the server is asked for the files of each patch set: no.
    pub get_files: bool,
    /// Address of the pages of the server, whose plugin `events-log` has the events that were
    /// missed; absent: the server is asked for its changes instead.
    pub events_log: Option<String>,
    /// The password of the user for HTTP.
    pub http_password: Option<Secret>,
    /// Program: `ssh`.
    pub ssh: String,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &[
    "gerritserver",
    "gerritport",
    "username",
    "handled_events",
    "ssh_server_alive_interval",
    "ssh_server_alive_count_max",
    "catch_up_interval",
    "get_files",
    "events_log",
    "http_password",
    "http_password_file",
    "http_password_env",
    "ssh",
];

/// The keys of the password for HTTP.
const PASSWORD: [&str; 3] = ["http_password", "http_password_file", "http_password_env"];

/// The events that are changes unless the settings say otherwise.
const USUAL_EVENTS: [&str; 2] = ["patchset-created", "ref-updated"];

impl Default for GerritConfig {
    fn default() -> Self {
        Self {
            gerritserver: String::new(),
            gerritport: 29418,
            username: String::new(),
            ssh_access: SshAccess::default(),
            handled_events: USUAL_EVENTS.map(str::to_owned).into(),
            ssh_server_alive_interval: Duration::from_secs(15),
            ssh_server_alive_count_max: 3,
            catch_up_interval: Duration::from_secs(5 * 60),
            get_files: false,
            events_log: None,
            http_password: None,
            ssh: "ssh".to_owned(),
        }
    }
}

impl GerritConfig {
    /// What comes before the name of a project in its address.
    #[must_use]
    pub fn base(&self) -> String {
        let Self {
            username,
            gerritserver,
            gerritport,
            ..
        } = self;
        format!("ssh://{username}@{gerritserver}:{gerritport}")
    }
}

impl SourceSettings for GerritConfig {
    fn kind(&self) -> &'static str {
        "GerritChangeSource"
    }

    fn usual_name(&self) -> String {
        self.base()
    }

    fn read(&mut self, table: &mut Table<'_>, _: &Around<'_, '_>) {
        for (key, example, setting) in [
            (
                "gerritserver",
                "\"review.example.org\"",
                &mut self.gerritserver,
            ),
            ("username", "\"bot\"", &mut self.username),
        ] {
            let value = table.require(key, example);
            match value.as_ref().and_then(Value::name) {
                Some(word) if word.starts_with('-') || word.contains(['@', ' ']) => {
                    if let Some(value) = &value {
                        value.error("is not a name", "write the name alone");
                    }
                }
                Some(word) => word.clone_into(setting),
                None => {}
            }
        }
        table.set("gerritport", &mut self.gerritport, |v| {
            v.integer(1..=u16::MAX)
        });
        table.set("handled_events", &mut self.handled_events, |v| {
            let kinds = v.one_or_list()?.into_iter();
            kinds.map(|kind| kind.name().map(str::to_owned)).collect()
        });
        let second = Duration::from_secs(1);
        table.set(
            "ssh_server_alive_interval",
            &mut self.ssh_server_alive_interval,
            |v| v.duration(second..=LONGEST),
        );
        table.set(
            "ssh_server_alive_count_max",
            &mut self.ssh_server_alive_count_max,
            |v| v.integer(1..=1_000),
        );
        table.set("catch_up_interval", &mut self.catch_up_interval, |v| {
            v.duration(second..=LONGEST)
        });
        table.set("get_files", &mut self.get_files, Value::flag);
        table.set_some("events_log", &mut self.events_log, |v| {
            let url = v.name()?;
            if !url.starts_with("https://") && !url.starts_with("http://") {
                v.error(
                    "is not an address",
                    "for example `https://review.example.org`",
                );
            }
            Some(url.trim_end_matches('/').to_owned())
        });
        self.http_password = table.secret(PASSWORD, "secrets", false);
        if self.http_password.is_some() && self.events_log.is_none() {
            let message = format!(
                "{} has a password for HTTP and no `events_log`",
                table.label
            );
            let help = "add `events_log = \"https://review.example.org\"`";
            table.sink.warning(table.span.clone(), message, help);
        }
        self.ssh_access.read(table, None);
        self.ssh = program(table, "ssh");
    }
}
