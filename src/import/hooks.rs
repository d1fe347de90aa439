//! Hooks of code hosts: the dialects of `www` and of `WebStatus`.

use serde_json::Value as Json;

use super::desk::Desk;
use super::farm::Plain;
use super::item::{Item, Table};
use super::values::{mark, part};
use crate::model::HookDialect;

impl Desk {
    /// What the pages say of hooks: `key` is `change_hook_dialects` or `change_hook_auth`.
    pub(super) fn hooks(&mut self, key: &str, value: &Json, plain: &mut Plain) {
        if value.is_null() {
            return;
        }
        let dialects = value.as_object().filter(|_| key == "change_hook_dialects");
        let Some(dialects) = dialects.filter(|_| mark(value).is_none()) else {
            self.misses(format!(
                "`{key}` of the pages: give each `ChangeHook` of [[change_sources]] a secret"
            ));
            return;
        };
        for (dialect, options) in dialects {
            match HookDialect::named(dialect) {
                _ if matches!(options, Json::Null | Json::Bool(false)) => {}
                Some(dialect) => {
                    let table = self.hook(dialect.name(), options);
                    plain.change_sources.push(table);
                }
                None => {
                    let options = options.as_object().into_iter().flatten();
                    let names: Vec<&str> = options.map(|(name, _)| name.as_str()).collect();
                    let with = match names.is_empty() {
                        true => String::new(),
                        false => format!(" with {}", names.join(", ")),
                    };
                    self.misses(format!("hooks of the dialect `{dialect}`{with}"));
                }
            }
        }
    }

    /// A change source for the hooks of a dialect.
    fn hook(&mut self, dialect: &str, options: &Json) -> Table {
        let mut table = Table::default();
        table.set("type", Item::text("ChangeHook"));
        table.set("dialect", Item::text(dialect));
        for (name, value) in options.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                (_, Json::Null) | ("strict", Json::Bool(true)) => {}
                ("secret", Json::String(secret)) => {
                    let file = self.secret(&format!("hook-{dialect}"), secret);
                    table.set("secret_file", Item::Text(file));
                }
                ("secret", _) if mark(value) == Some("secret") => {
                    let file = self.named_secret(part(value, "name"));
                    table.set("secret_file", Item::Text(file));
                }
                ("codebase", Json::String(codebase)) => {
                    table.set("codebase", Item::text(codebase));
                }
                _ => {
                    self.functions_within(value);
                    self.misses(format!("`{name}` of hooks of the dialect `{dialect}`"));
                }
            }
        }
        if table.get("secret_file").is_none() {
            table.set("insecure", Item::Flag(true));
            self.look_at(format!(
                "hooks of the dialect `{dialect}` are taken from anybody, as before: give them a \
                 secret"
            ));
        }
        table
    }
}
