//! The settings of `Darcs` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{Location, SourceMethod, SourceSettings};
use crate::config::reader::Table;

/// Settings of `Darcs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DarcsStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the repository.
    #[serde(flatten)]
    pub location: Location,
}

impl StepSettings for DarcsStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        self.source.needed("Darcs", "darcs")
    }
}

impl DarcsStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.source
            .read(table, "default_branch", SourceMethod::Copy);
        self.location = Location::read(table, &self.source, "\"https://example.org/project\"");
    }
}
