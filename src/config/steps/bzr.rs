//! The settings of `Bzr` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{Location, SourceMethod, SourceSettings};
use crate::config::reader::{Table, Value};

/// Settings of `Bzr`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BzrStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the repository.
    #[serde(flatten)]
    pub location: Location,
    /// Whether the directory of the builder becomes a repository that its branches share, so that
    /// history is fetched once.
    pub force_shared_repo: bool,
}

/// The key that only these steps have.
pub(super) const KEYS: &[&str] = &["force_shared_repo"];

impl StepSettings for BzrStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        self.source.needed("Bzr", "bzr")
    }
}

impl BzrStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.source
            .read(table, "default_branch", SourceMethod::Fresh);
        self.location =
            Location::read(table, &self.source, "\"https://example.org/project/trunk\"");
        table.set(
            "force_shared_repo",
            &mut self.force_shared_repo,
            Value::flag,
        );
    }
}
