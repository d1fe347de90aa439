//! The settings of `SVN` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{Location, SourceMethod, SourceSettings, secretly, strings};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `SVN`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SvnStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the repository.
    #[serde(flatten)]
    pub location: Location,
    /// User of the repository.
    pub username: Option<Template>,
    /// Password of the user.
    #[serde(serialize_with = "secretly")]
    pub password: Option<Template>,
    /// Further arguments of each command.
    pub extra_args: Vec<String>,
    /// Files and directories that a clean tree keeps.
    pub keep_on_purge: Vec<String>,
    /// Whether a clean tree has no ignored files.
    pub ignore_ignores: bool,
    /// Whether each build starts with a clean tree, also in mode `incremental`.
    pub always_purge: bool,
    /// How deep the checkout goes.
    pub depth: Option<&'static str>,
    /// Whether `got_revision` is the revision of the last change in the tree.
    pub prefer_last_changed_rev: bool,
}

/// The keys that only these steps have.
pub(in crate::config) const KEYS: &[&str] = &[
    "username",
    "password",
    "extra_args",
    "keep_on_purge",
    "ignore_ignores",
    "always_purge",
    "depth",
    "prefer_last_changed_rev",
];

impl Default for SvnStepConfig {
    fn default() -> Self {
        Self {
            source: SourceSettings::default(),
            location: Location::default(),
            username: None,
            password: None,
            extra_args: Vec::new(),
            keep_on_purge: Vec::new(),
            ignore_ignores: true,
            always_purge: false,
            depth: None,
            prefer_last_changed_rev: false,
        }
    }
}

impl StepSettings for SvnStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        self.source.needed("SVN", "svn")
    }
}

impl SvnStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.source
            .read(table, "default_branch", SourceMethod::Fresh);
        self.location =
            Location::read(table, &self.source, "\"https://example.org/project/trunk\"");
        table.set_some("username", &mut self.username, Value::template);
        table.set_some("password", &mut self.password, Value::secret_template);
        table.set("extra_args", &mut self.extra_args, strings);
        table.set("keep_on_purge", &mut self.keep_on_purge, strings);
        table.set("ignore_ignores", &mut self.ignore_ignores, Value::flag);
        table.set("always_purge", &mut self.always_purge, Value::flag);
        table.set_some("depth", &mut self.depth, |v| {
            v.one_of(&["empty", "files", "immediates", "infinity"])
        });
        table.set(
            "prefer_last_changed_rev",
            &mut self.prefer_last_changed_rev,
            Value::flag,
        );
    }
}
