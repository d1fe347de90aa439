//! The settings of `Patch`.

use std::time::Duration;

use serde::Serialize;

use super::kind::StepSettings;
use super::source::TIMEOUT;
use crate::config::env::Environment;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `Patch`: the patch of a try job, applied to a tree that other steps have made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PatchStepConfig {
    /// Directory of the tree, below the builder's: `build`.
    pub workdir: Template,
    /// Leading path components that are stripped; absent: as the patch says.
    pub level: Option<u32>,
    /// Directory of the patch below the tree; absent: as the patch says.
    pub subdir: Option<Template>,
    /// Longest time of a command without output: 20 min.
    pub timeout: Option<Duration>,
    /// Environment, over the builder's (BUI-16).
    pub env: Environment,
    /// Whether the environment is shown in the log: false.
    pub log_environ: bool,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &[
    "workdir",
    "level",
    "subdir",
    "timeout",
    "env",
    "log_environ",
];

/// Most path components that may be stripped.
const DEEPEST: u32 = 100;

impl Default for PatchStepConfig {
    fn default() -> Self {
        Self {
            workdir: Template::literal("build"),
            level: None,
            subdir: None,
            timeout: Some(TIMEOUT),
            env: Environment::default(),
            log_environ: false,
        }
    }
}

impl StepSettings for PatchStepConfig {
    fn takes_source(&self) -> bool {
        true
    }
}

impl PatchStepConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        table.set("workdir", &mut self.workdir, Value::template);
        table.set_some("level", &mut self.level, |v| v.integer(0..=DEEPEST));
        table.set_some("subdir", &mut self.subdir, Value::template);
        table.set("timeout", &mut self.timeout, |v| {
            v.optional_duration(SHORTEST..=LONGEST)
        });
        table.set("env", &mut self.env, Value::environment);
        table.set("log_environ", &mut self.log_environ, Value::flag);
    }
}
