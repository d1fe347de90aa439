//! What is remembered of a step when it has ended.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{Effort, Properties, Results};

/// The effect of a finished step on its build: enough to continue the build after the step without
/// running the step again.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct StepOutcome {
    /// Contribution to the build's result (BUI-07); absent if the step was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contribution: Option<Results>,
    /// Whether only `always_run` steps run after the step (BUI-06).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminates: bool,
    /// Contribution to the build's text (BUI-08).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_text: Vec<String>,
    /// Time and output of the step.
    pub took: Effort,
    /// Properties that the step set.
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    pub properties: Properties,
    /// Numbers about the work of the step, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statistics: BTreeMap<String, Number>,
    /// Whether pages and listings leave the step out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// The commands that the step ran on the slave, at most [`StepOutcome::MOST_COMMANDS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<StepCommand>,
    /// The line of its logs that says first what went wrong; absent unless it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<FirstError>,
    /// The fingerprints of its errors; empty unless it failed (PRB-03).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub symptoms: BTreeSet<String>,
    /// Whether its failure says nothing about the sources (INF-01).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_infrastructure: bool,
}

impl StepOutcome {
    /// Most commands of a step that are remembered: a source step runs some.
    pub const MOST_COMMANDS: usize = 8;
}

/// A command that a step ran, as it may be seen: words that are hidden are those shown in their
/// place, and secrets are masked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct StepCommand {
    /// The command line, or the words as a shell would read them.
    pub command: String,
    /// The directory in which it ran: below the builder's, or absolute.
    pub workdir: String,
    /// Seconds without output after which it is killed; null without such a limit.
    #[serde(default)]
    pub timeout: Option<f64>,
    /// Seconds after which it is killed; null without such a limit.
    #[serde(default)]
    pub max_time: Option<f64>,
    /// Lines of output after which it is killed; null without such a limit.
    #[serde(default)]
    pub max_lines: Option<u64>,
}

/// A line of a log that says what went wrong.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct FirstError {
    /// The log.
    pub log: String,
    /// The number of the line, from 1.
    pub line: u64,
    /// The line, without colours; the beginning of a long one.
    pub text: String,
}

/// The first error of a build.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct BuildError {
    /// The step.
    pub step: String,
    /// The log of the step.
    pub log: String,
    /// The number of the line, from 1.
    pub line: u64,
    /// The line, without colours; the beginning of a long one.
    pub text: String,
}
