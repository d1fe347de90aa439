//! The settings of `Monotone` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{SourceMethod, SourceSettings};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `Monotone`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MonotoneStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the server.
    pub repourl: Template,
    /// Whether the log shows the progress of a pull.
    pub progress: bool,
    /// Program.
    pub monotone: String,
    /// Database, below the directory of the builder or absolute.
    pub db_path: Template,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &["repourl", "branch", "progress", "monotone", "db_path"];

impl Default for MonotoneStepConfig {
    fn default() -> Self {
        Self {
            source: SourceSettings::default(),
            repourl: Template::literal(""),
            progress: false,
            monotone: "mtn".to_owned(),
            db_path: Template::literal("db.mtn"),
        }
    }
}

impl StepSettings for MonotoneStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        // Another program is named with its path.
        let is_usual = self.monotone == "mtn";
        is_usual.then(|| self.source.needed("Monotone", "mtn"))?
    }
}

impl MonotoneStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let repourl = table.require("repourl", "\"mtn://example.org\"");
        if let Some(repourl) = repourl.and_then(|v| v.template()) {
            self.repourl = repourl;
        }
        let branch = table.require("branch", "\"org.example.project\"");
        self.source.branch = branch.and_then(|branch| branch.template());
        self.source.read(table, "branch", SourceMethod::Copy);
        table.set("progress", &mut self.progress, Value::flag);
        table.set("monotone", &mut self.monotone, |v| {
            v.name().map(str::to_owned)
        });
        table.set("db_path", &mut self.db_path, Value::template);
    }
}
