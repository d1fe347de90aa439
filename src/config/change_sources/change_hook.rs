//! `type = "ChangeHook"`: code hosts and scripts that tell of a push by HTTP (section 8.4 of what
//! comes in).

use serde::Serialize;

use super::Around;
use super::approval::ApprovalRules;
use super::fields::ChangeFields;
use super::kind::SourceSettings;
use super::network::Network;
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;
use crate::model::HookDialect;

/// Settings of `ChangeHook`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeHookConfig {
    /// Who sends.
    pub dialect: HookDialect,
    /// What senders sign with, or send along; absent: anybody may send.
    pub secret: Option<Secret>,
    /// The secret before, which is right as well while senders are given the new one.
    pub previous_secret: Option<Secret>,
    /// Where requests may come from; empty: from everywhere.
    pub allow_from: Vec<Network>,
    /// Whether tags are changes: no.
    pub tags: bool,
    /// Which pull requests need an approval.
    #[serde(flatten)]
    pub approval: ApprovalRules,
    /// What is not said in a request.
    #[serde(flatten)]
    pub fields: ChangeFields,
    /// Largest body in bytes: 5 MiB.
    pub max_size: u64,
    /// Maximum number of requests of one address in a minute: 60.
    pub max_per_minute: u32,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &[
    "dialect",
    "secret",
    "secret_file",
    "secret_env",
    "previous_secret",
    "previous_secret_file",
    "previous_secret_env",
    "insecure",
    "allow_from",
    "tags",
    "max_size",
    "max_per_minute",
];

/// The keys of the secret, and of the one before it.
const SECRET: [&str; 3] = ["secret", "secret_file", "secret_env"];
const PREVIOUS: [&str; 3] = [
    "previous_secret",
    "previous_secret_file",
    "previous_secret_env",
];

/// Largest `max_size`: bodies are read as a whole.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Largest `max_per_minute`.
const MOST_PER_MINUTE: u32 = 100_000;

impl Default for ChangeHookConfig {
    fn default() -> Self {
        Self {
            dialect: HookDialect::default(),
            secret: None,
            previous_secret: None,
            allow_from: Vec::new(),
            tags: false,
            approval: ApprovalRules::default(),
            fields: ChangeFields::default(),
            max_size: 5 * 1024 * 1024,
            max_per_minute: 60,
        }
    }
}

impl SourceSettings for ChangeHookConfig {
    fn kind(&self) -> &'static str {
        "ChangeHook"
    }

    /// The dialect, which is the end of its address.
    fn usual_name(&self) -> String {
        self.dialect.name().to_owned()
    }

    fn read(&mut self, table: &mut Table<'_>, _around: &Around<'_, '_>) {
        if let Some(dialect) = table.require("dialect", "\"github\"") {
            let names = HookDialect::ALL.map(HookDialect::name);
            let named = dialect.one_of(&names).and_then(HookDialect::named);
            self.dialect = named.unwrap_or_default();
        }
        let is_open = table.take("insecure").and_then(|v| Some((v.flag()?, v)));
        let mut keys = SECRET.iter().chain(&PREVIOUS);
        let says_secret = keys.any(|key| table.peek(key).is_some() || table.has_misspelt(key));
        self.secret = table.secret(SECRET, "secrets", false);
        self.previous_secret = table.secret(PREVIOUS, "secrets", false);
        match is_open {
            Some((true, value)) if says_secret => {
                value.error("contradicts the secret", "remove one of the two");
            }
            Some((true, _)) => {}
            _ if self.secret.is_none() && !table.has_misspelt("insecure") => {
                needs_secret(table, says_secret);
            }
            _ => {}
        }
        table.set("allow_from", &mut self.allow_from, |v| {
            let entries = v.one_or_list()?;
            Some(entries.iter().filter_map(network).collect())
        });
        table.set("tags", &mut self.tags, Value::flag);
        self.approval.read(table);
        self.fields.read(table);
        table.set("max_size", &mut self.max_size, |v| {
            let size = v.size()?;
            if !(1..=LARGEST).contains(&size) {
                v.error("must be between 1 byte and 64 MiB", "\"5MiB\" is usual");
                return None;
            }
            Some(size)
        });
        table.set("max_per_minute", &mut self.max_per_minute, |v| {
            v.integer(1..=MOST_PER_MINUTE)
        });
    }

    fn password(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }
}

fn needs_secret(table: &Table<'_>, says_secret: bool) {
    let message = format!("{} needs a secret", table.label);
    let help = match says_secret {
        true => "the new secret is called `secret`, the old one `previous_secret`",
        false => {
            "add `secret_file = \"FILE\"`, `secret = \"…\"` or `secret_env = \"VARIABLE\"`, or write \
             `insecure = true` to take changes from anybody"
        }
    };
    table.sink.missing(table.span.clone(), message, help);
}

fn network(value: &Value<'_>) -> Option<Network> {
    let network = value.name()?.parse().ok();
    if network.is_none() {
        value.error(
            "is not an address",
            "write an IP address or a network, such as `192.0.2.7` or `192.0.2.0/24`",
        );
    }
    network
}
