//! `type = "StashStatusPush"`: a Bitbucket Server, which was called Stash, is told what builds make
//! of commits (PSH-05).

use super::Around;
use super::commit_status::{CommitStatusConfig, StashServer};
use super::webhook::read_url;
use crate::config::reader::Table;

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &[
    "name",
    "builders",
    "tags",
    "base_url",
    "user",
    "password",
    "password_file",
    "password_env",
    "key_format",
    "name_format",
];

/// What a table says that says nothing.
pub(super) fn usual() -> CommitStatusConfig {
    CommitStatusConfig {
        context: "%(builder)s".to_owned(),
        ..CommitStatusConfig::default()
    }
}

/// Takes what the table has.
pub(super) fn read(
    target: &mut CommitStatusConfig,
    table: &mut Table<'_>,
    around: &Around<'_, '_>,
) {
    target
        .telling
        .read_builders(table, "StashStatusPush", around);
    let url = table.require("base_url", "\"https://bitbucket.example.org\"");
    let user = table.require("user", "\"ci\"");
    let password = table.password(false);
    table.set("key_format", &mut target.context, |value| {
        value.name().map(str::to_owned)
    });
    let mut name_format = None;
    table.set_some("name_format", &mut name_format, |value| {
        value.name().map(str::to_owned)
    });
    let url = url.and_then(|value| read_url(&value));
    let user = user.and_then(|value| value.name().map(str::to_owned));
    if let (Some(base_url), Some(user), Some(password)) = (url, user, password) {
        target.stash = Some(StashServer {
            base_url,
            user,
            password,
            name_format,
        });
    }
}
