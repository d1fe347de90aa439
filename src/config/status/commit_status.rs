//! `type = "commit-status"`: code hosts are told what builds make of commits (PSH-04).

use serde::Serialize;

use super::Around;
use super::telling::Telling;
use crate::config::reader::Table;
use crate::config::repositories::RepositoryConfig;
use crate::config::secret::Secret;

/// Settings of `commit-status`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommitStatusConfig {
    /// The name of the target, and the builders whose builds are told.
    #[serde(flatten)]
    pub telling: Telling,
    /// What the state is called at the code host; `%(builder)s` is the name of the builder.
    pub context: String,
    /// The server to which states of all commits go; absent: the code hosts of the repositories.
    #[serde(flatten)]
    pub stash: Option<StashServer>,
}

/// The server of a `StashStatusPush`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StashServer {
    /// Its address.
    pub base_url: String,
    /// The user there.
    pub user: String,
    /// The password of the user.
    pub password: Secret,
    /// What people see as the name of the state: the key.
    pub name_format: Option<String>,
}

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &["name", "builders", "tags", "context"];

impl Default for CommitStatusConfig {
    fn default() -> Self {
        Self {
            telling: Telling::default(),
            context: "buildmaster/%(builder)s".to_owned(),
            stash: None,
        }
    }
}

impl CommitStatusConfig {
    /// Takes what the table has. A repository must be at a code host that takes states.
    pub(super) fn read(
        &mut self,
        table: &mut Table<'_>,
        around: &Around<'_, '_>,
        repositories: &[RepositoryConfig],
    ) {
        self.telling.read_builders(table, "commit-status", around);
        let context = &mut self.context;
        table.set("context", context, |value| value.name().map(str::to_owned));
        let takes = |repository: &RepositoryConfig| {
            let host = repository.host.as_ref();
            host.is_some_and(|host| host.token.is_some() && host.kind != "gerrit")
        };
        if !repositories.iter().any(takes) {
            let message = format!("{} has no repository to tell of", table.label);
            let help = "add `host = { type = \"github\", token_file = \"FILE\" }` to a table of \
                        [[repositories]]";
            table.sink.error(table.span.clone(), message, help);
        }
    }

    /// What the state of a builder is called.
    #[must_use]
    pub fn context_of(&self, builder: &str) -> String {
        of_builder(&self.context, builder)
    }

    /// The name of a state beside what it is called.
    #[must_use]
    pub fn name_of(&self, builder: &str) -> Option<String> {
        let name = self.stash.as_ref()?.name_format.as_ref()?;
        Some(of_builder(name, builder))
    }
}

/// A text with the name of the builder, which the configuration of Buildbot calls a property.
fn of_builder(text: &str, builder: &str) -> String {
    let places = [
        "%(builder)s",
        "%(prop:builderName)s",
        "%(prop:buildername)s",
    ];
    let mut text = text.to_owned();
    for place in places {
        text = text.replace(place, builder);
    }
    text
}
