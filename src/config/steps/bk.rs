//! The settings of `BK` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{Location, SourceMethod, SourceSettings, strings};
use crate::config::reader::Table;

/// Settings of `BK`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BkStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the repository.
    #[serde(flatten)]
    pub location: Location,
    /// Further arguments of `bk clone`.
    pub extra_args: Vec<String>,
}

/// The key that only these steps have.
pub(super) const KEYS: &[&str] = &["extra_args"];

impl StepSettings for BkStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        self.source.needed("BK", "bk")
    }
}

impl BkStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.source
            .read(table, "default_branch", SourceMethod::Clobber);
        self.location = Location::read(table, &self.source, "\"bk://example.org/project\"");
        table.set("extra_args", &mut self.extra_args, strings);
    }
}
