//! The settings of `Repo` (section 21).

use std::time::Duration;

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{SourceMethod, SourceSettings};
use crate::config::quantities::LONGEST;
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `Repo`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RepoStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the repository with the manifests.
    pub manifest_url: Template,
    /// Manifest.
    pub manifest_file: Template,
    /// Manifest that replaces the manifest: a path in the tree or an address.
    pub manifest_override_url: Option<Template>,
    /// Archive on the slave that a new tree starts from.
    pub tarball: Option<Template>,
    /// Maximum age of the archive. Absent: the archive is never made.
    pub update_tarball_age: Option<Duration>,
    /// Number of repositories that are fetched at the same time.
    pub jobs: Option<u32>,
    /// Whether all branches are fetched.
    pub sync_all_branches: bool,
    /// Changes of Gerrit to apply: `PROJECT CHANGE/PATCHSET`.
    pub repo_downloads: Vec<Template>,
    /// Depth of shallow clones; 0: all commits.
    pub depth: u32,
    /// Whether submodules are fetched.
    pub submodules: bool,
    /// Whether the log does not show the progress.
    pub sync_quietly: bool,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &[
    "manifest_url",
    "manifest_branch",
    "manifest_file",
    "manifest_override_url",
    "tarball",
    "update_tarball_age",
    "jobs",
    "sync_all_branches",
    "repo_downloads",
    "depth",
    "submodules",
    "sync_quietly",
];

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

impl Default for RepoStepConfig {
    fn default() -> Self {
        Self {
            source: SourceSettings {
                branch: Some(Template::literal("master")),
                ..SourceSettings::default()
            },
            manifest_url: Template::literal(""),
            manifest_file: Template::literal("default.xml"),
            manifest_override_url: None,
            tarball: None,
            update_tarball_age: Some(WEEK),
            jobs: None,
            sync_all_branches: false,
            repo_downloads: Vec::new(),
            depth: 0,
            submodules: false,
            sync_quietly: false,
        }
    }
}

impl StepSettings for RepoStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        self.source.needed("Repo", "repo")
    }
}

impl RepoStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let url = table.require("manifest_url", "\"https://example.org/manifests.git\"");
        if let Some(url) = url.and_then(|v| v.template()) {
            self.manifest_url = url;
        }
        self.source
            .read(table, "manifest_branch", SourceMethod::Fresh);
        table.set("manifest_file", &mut self.manifest_file, Value::template);
        for (key, text) in [
            ("manifest_override_url", &mut self.manifest_override_url),
            ("tarball", &mut self.tarball),
        ] {
            table.set_some(key, text, Value::template);
        }
        table.set("update_tarball_age", &mut self.update_tarball_age, |v| {
            v.optional_duration(Duration::ZERO..=LONGEST)
        });
        table.set_some("jobs", &mut self.jobs, |v| v.integer(1..=1000));
        table.set("repo_downloads", &mut self.repo_downloads, |v| {
            v.list()?.iter().map(Value::template).collect()
        });
        table.set("depth", &mut self.depth, |v| v.integer(0..=u32::MAX));
        for (key, flag) in [
            ("sync_all_branches", &mut self.sync_all_branches),
            ("submodules", &mut self.submodules),
            ("sync_quietly", &mut self.sync_quietly),
        ] {
            table.set(key, flag, Value::flag);
        }
    }
}
