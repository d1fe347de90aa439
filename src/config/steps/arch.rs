//! The settings of `Arch` and `Bazaar` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{SourceMethod, SourceSettings};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `Arch` and `Bazaar`. Their branches are versions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArchStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the archive.
    pub url: Template,
    /// Name of the archive; absent: the name that the archive gives itself.
    pub archive: Option<Template>,
    /// Program: `tla` or `baz`.
    pub program: &'static str,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &["url", "version", "archive"];

impl ArchStepConfig {
    /// The settings of a step that runs `program`.
    pub(super) fn of(program: &'static str) -> Self {
        Self {
            source: SourceSettings::default(),
            url: Template::literal(""),
            archive: None,
            program,
        }
    }

    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let url = table.require("url", "\"http://example.org/archive\"");
        if let Some(url) = url.and_then(|v| v.template()) {
            self.url = url;
        }
        let version = table.require("version", "\"project--main--1.0\"");
        self.source.branch = version.and_then(|version| version.template());
        if let Some(flag) = table.take("slave_side") {
            flag.error(
                "is not possible",
                "only slaves of Buildbot 0.7 have a command for it",
            );
        }
        self.source.read(table, "version", SourceMethod::Fresh);
        if self.program == "baz" {
            let archive = table.require("archive", "\"me@example.org--2004\"");
            self.archive = archive.and_then(|archive| archive.template());
        }
        table.set_some("archive", &mut self.archive, Value::template);
    }
}

impl StepSettings for ArchStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        let kind = if self.program == "baz" {
            "Bazaar"
        } else {
            "Arch"
        };
        self.source.needed(kind, self.program)
    }
}
