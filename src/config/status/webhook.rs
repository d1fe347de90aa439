//! `type = "webhook"`: builds are told to a server by HTTP (PSH-01 to PSH-03).

use serde::Serialize;

use super::Around;
use super::telling::Telling;
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;

/// Settings of `webhook`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WebhookConfig {
    /// Which builds are told.
    #[serde(flatten)]
    pub telling: Telling,
    /// Where it posts.
    pub url: String,
    /// The secret that signs what it posts.
    pub secret: Option<Secret>,
    /// The secret before; both sign while the receiver changes over.
    pub previous_secret: Option<Secret>,
    /// Whether it may post to this machine and to private networks.
    pub allow_private: bool,
    /// The name of the file in `templates` that makes the body; absent: the facts as JSON.
    pub template: Option<String>,
}

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &[
    "url",
    "secret",
    "secret_file",
    "secret_env",
    "previous_secret",
    "previous_secret_file",
    "previous_secret_env",
    "allow_private",
    "template",
];

impl WebhookConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        self.telling.read(table, "webhook", around);
        let url = table.require("url", "\"https://chat.example.org/hooks/ci\"");
        if let Some(url) = url.and_then(|value| read_url(&value)) {
            self.url = url;
        }
        let keys = ["secret", "secret_file", "secret_env"];
        self.secret = table.secret(keys, "secrets", false);
        let keys = [
            "previous_secret",
            "previous_secret_file",
            "previous_secret_env",
        ];
        self.previous_secret = table.secret(keys, "previous secrets", false);
        table.set("allow_private", &mut self.allow_private, Value::flag);
        table.set_some(
            "template",
            &mut self.template,
            super::mail_notifier::read_template,
        );
    }
}

/// An address with HTTP, without a user: a password there would be in the log.
pub(super) fn read_url(value: &Value<'_>) -> Option<String> {
    let text = value.name()?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if host.is_none_or(|host| host.is_empty() || host.contains('@')) || text.contains(' ') {
        value.error(
            "is not an address for HTTP",
            "for example `https://chat.example.org/hooks/ci`, without user and password",
        );
        return None;
    }
    Some(text.to_owned())
}
