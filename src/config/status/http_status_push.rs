//! `type = "HttpStatusPush"`: builds are posted in the packets of Buildbot 0.8 (PSH-05).

use std::collections::BTreeMap;

use serde::Serialize;

use super::Around;
use super::telling::Telling;
use super::webhook::read_url;
use crate::config::reader::{Table, Value};
use crate::model::NewsMode;

/// Settings of `HttpStatusPush`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpStatusPushConfig {
    /// Which builds are told: all.
    #[serde(flatten)]
    pub telling: Telling,
    /// Where it posts.
    pub server_url: String,
    /// Further fields of the form that it posts.
    pub extra_post_params: BTreeMap<String, String>,
    /// Whether fields that say nothing are left out.
    pub filter: bool,
    /// Whether it may post to this machine and to private networks.
    pub allow_private: bool,
}

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &["server_url", "extra_post_params", "filter", "allow_private"];

impl Default for HttpStatusPushConfig {
    fn default() -> Self {
        Self {
            telling: Telling::default(),
            server_url: String::new(),
            extra_post_params: BTreeMap::new(),
            filter: true,
            allow_private: false,
        }
    }
}

impl HttpStatusPushConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let has_modes = table.peek("mode").is_some();
        self.telling.read(table, "HttpStatusPush", around);
        if !has_modes {
            self.telling.modes = NewsMode::OF_ALL.to_vec();
        }
        let url = table.require("server_url", "\"https://status.example.org/\"");
        if let Some(url) = url.and_then(|value| read_url(&value)) {
            self.server_url = url;
        }
        table.set("extra_post_params", &mut self.extra_post_params, |value| {
            if !value.data().is_table() {
                return value.expected("a table", "for example `{ project = \"widget\" }`");
            }
            let entries = value.entries();
            let entries = entries.iter();
            let texts = entries.map(|(name, value)| {
                let text = value.text()?.to_owned();
                Some(((*name).to_owned(), text))
            });
            texts.collect()
        });
        table.set("filter", &mut self.filter, Value::flag);
        table.set("allow_private", &mut self.allow_private, Value::flag);
    }
}
