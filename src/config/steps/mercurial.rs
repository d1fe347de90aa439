//! The settings of `Mercurial` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{Location, SourceMethod, SourceSettings};
use crate::config::reader::{Table, Value};

/// Settings of `Mercurial`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MercurialStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the repository.
    #[serde(flatten)]
    pub location: Location,
    /// Whether branches are directories beside each other, not names in one repository.
    pub branches_are_directories: bool,
    /// Whether a tree of another branch is removed.
    pub clobber_on_branch_change: bool,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &["branch_type", "clobber_on_branch_change"];

impl Default for MercurialStepConfig {
    fn default() -> Self {
        Self {
            source: SourceSettings::default(),
            location: Location::default(),
            branches_are_directories: true,
            clobber_on_branch_change: true,
        }
    }
}

impl StepSettings for MercurialStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        self.source.needed("Mercurial", "hg")
    }
}

impl MercurialStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.source
            .read(table, "default_branch", SourceMethod::Fresh);
        self.location = Location::read(table, &self.source, "\"https://example.org/project\"");
        if let Some(kind) = table.take("branch_type") {
            let kind = kind.one_of(&["dirname", "inrepo"]);
            self.branches_are_directories = kind != Some("inrepo");
        }
        table.set(
            "clobber_on_branch_change",
            &mut self.clobber_on_branch_change,
            Value::flag,
        );
    }
}
