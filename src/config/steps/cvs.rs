//! The settings of `CVS` (section 21).

use std::time::Duration;

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{SourceMethod, SourceSettings, secretly, strings};
use crate::config::quantities::LONGEST;
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `CVS`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CvsStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the repository.
    pub cvsroot: Template,
    /// Module.
    pub cvsmodule: Template,
    /// Time between the latest change and the time to check out. Absent: the mid-point between the
    /// latest change and the latest request.
    pub checkout_delay: Option<Duration>,
    /// Password for `cvs login`.
    #[serde(serialize_with = "secretly")]
    pub login: Option<Template>,
    /// Options of cvs itself.
    pub global_options: Vec<String>,
    /// Further options of `cvs checkout` and `cvs export`.
    pub extra_options: Vec<String>,
}

/// The keys that only these steps have.
pub(in crate::config) const KEYS: &[&str] = &[
    "cvsroot",
    "cvsmodule",
    "branch",
    "checkout_delay",
    "login",
    "global_options",
    "extra_options",
];

impl Default for CvsStepConfig {
    fn default() -> Self {
        Self {
            source: SourceSettings::default(),
            cvsroot: Template::literal(""),
            cvsmodule: Template::literal(""),
            checkout_delay: None,
            login: None,
            global_options: Vec::new(),
            extra_options: Vec::new(),
        }
    }
}

impl StepSettings for CvsStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        self.source.needed("CVS", "cvs")
    }
}

impl CvsStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.source.read(table, "branch", SourceMethod::Fresh);
        let root = table.require("cvsroot", "\":pserver:anonymous@example.org:/cvs\"");
        if let Some(root) = root.and_then(|v| v.template()) {
            self.cvsroot = root;
        }
        let module = table.require("cvsmodule", "\"project\"");
        if let Some(module) = module.and_then(|v| v.template()) {
            self.cvsmodule = module;
        }
        table.set_some("checkout_delay", &mut self.checkout_delay, |v| {
            v.duration(Duration::ZERO..=LONGEST)
        });
        table.set_some("login", &mut self.login, Value::secret_template);
        table.set("global_options", &mut self.global_options, strings);
        table.set("extra_options", &mut self.extra_options, strings);
    }
}
