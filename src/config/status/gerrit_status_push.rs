//! `type = "GerritStatusPush"`: the builds of a set review a change at Gerrit (PSH-05).

use std::path::PathBuf;

use serde::Serialize;

use super::Around;
use super::telling::Telling;
use crate::config::needs::Needed;
use crate::config::reader::{Table, Value};
use crate::model::NewsMode;

/// Settings of `GerritStatusPush`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GerritStatusPushConfig {
    /// Which builds are told: all, when their set has ended.
    #[serde(flatten)]
    pub telling: Telling,
    /// The server.
    pub server: String,
    /// Its port for ssh: 29418.
    pub port: u16,
    /// The user there.
    pub username: String,
    /// File with the private key.
    pub identity_file: Option<PathBuf>,
    /// Whom Gerrit mails about the review: `NONE`, `OWNER`, `OWNER_REVIEWERS` or `ALL`; absent: as
    /// the server has it.
    pub notify: Option<String>,
    /// The label that gets 1 or -1: `Verified`.
    pub label: String,
    /// Program: `ssh`.
    pub ssh: String,
}

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &[
    "server",
    "port",
    "username",
    "identity_file",
    "notify",
    "label",
    "ssh",
];

/// Whom Gerrit may mail.
const NOTIFY: [&str; 4] = ["NONE", "OWNER", "OWNER_REVIEWERS", "ALL"];

impl Default for GerritStatusPushConfig {
    fn default() -> Self {
        Self {
            telling: Telling {
                by_set: true,
                ..Telling::default()
            },
            server: String::new(),
            port: 29418,
            username: String::new(),
            identity_file: None,
            notify: None,
            label: "Verified".to_owned(),
            ssh: "ssh".to_owned(),
        }
    }
}

impl GerritStatusPushConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let has_modes = table.peek("mode").is_some();
        self.telling.read(table, "GerritStatusPush", around);
        if !has_modes {
            self.telling.modes = NewsMode::OF_ALL.to_vec();
        }
        if let Some(server) = table.require("server", "\"review.example.org\"") {
            self.server = read_word(&server).unwrap_or_default();
        }
        if let Some(user) = table.require("username", "\"ci\"") {
            self.username = read_word(&user).unwrap_or_default();
        }
        table.set("port", &mut self.port, |v| v.integer(1..=u16::MAX));
        table.set_some("identity_file", &mut self.identity_file, |value| {
            value.name().map(PathBuf::from)
        });
        table.set_some("notify", &mut self.notify, |value| {
            value.one_of(&NOTIFY).map(str::to_owned)
        });
        table.set("label", &mut self.label, read_word);
        table.set("ssh", &mut self.ssh, |value| {
            let program = value.name()?;
            value.needs(Needed::Program {
                program: program.to_owned(),
                otherwise: "its letters will wait in the outbox".to_owned(),
                help: "install it, or set `ssh` to its path".to_owned(),
            });
            Some(program.to_owned())
        });
    }
}

/// A word that neither ssh nor Gerrit takes for something else.
fn read_word(value: &Value<'_>) -> Option<String> {
    let word = value.name()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if word.starts_with('-') || !word.chars().all(fits) {
        value.error(
            "is not such a name",
            "write letters, digits, `.`, `-` and `_`",
        );
        return None;
    }
    Some(word.to_owned())
}
