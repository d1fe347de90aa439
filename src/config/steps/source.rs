//! The settings that all source steps have (section 21).

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::config::env::Environment;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::secret::fingerprint;
use crate::config::template::Template;

/// Longest time without output by default, of all steps.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// Settings of every source step (section 21 of the semantics).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceSettings {
    /// Branch if the source stamp names none; absent: the default of the repository.
    pub branch: Option<Template>,
    /// How the tree of the last build is used (SRC-04).
    #[serde(flatten)]
    pub mode: SourceMode,
    /// Whether the source stamp is ignored, with its patch (SRC-01).
    pub always_use_latest: bool,
    /// Codebase of the step; absent: the codebase of the build.
    pub codebase: Option<String>,
    /// Pause before a retry of a failed checkout, and number of retries (SRC-07).
    pub retry: Option<(Duration, u32)>,
    /// Maximum time of a command without output: 20 min.
    pub timeout: Option<Duration>,
    /// Directory below the builder's: `build`.
    pub workdir: Template,
    /// Environment, over the builder's (BUI-16).
    pub env: Environment,
    /// Whether the log shows the environment: false.
    pub log_environ: bool,
    /// Whether the slave's own version control command gets the tree: false.
    pub slave_side: bool,
}

/// How the tree of the last build is used (SRC-04).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(tag = "mode", content = "method", rename_all = "lowercase")]
pub enum SourceMode {
    /// It is updated. Files of the last build stay.
    #[default]
    Incremental,
    /// It is made anew.
    Full(SourceMethod),
}

/// How a tree without files of the last build is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceMethod {
    /// Removes the tree and checks out.
    Clobber,
    /// Updates the tree, and removes all files that are not in the repository.
    Fresh,
    /// Updates the tree, and removes the files that are neither in the repository nor ignored.
    Clean,
    /// Updates a tree beside the work directory, and copies it there.
    Copy,
    /// Updates a tree beside the work directory, and copies it there without the files of the
    /// version control system.
    Export,
}

impl SourceMethod {
    const ALL: [Self; 5] = [
        Self::Clobber,
        Self::Fresh,
        Self::Clean,
        Self::Copy,
        Self::Export,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Clobber => "clobber",
            Self::Fresh => "fresh",
            Self::Clean => "clean",
            Self::Copy => "copy",
            Self::Export => "export",
        }
    }
}

/// The keys of [`SourceSettings`], without the one for the branch.
pub(in crate::config) const KEYS: &[&str] = &[
    "mode",
    "method",
    "always_use_latest",
    "codebase",
    "retry",
    "timeout",
    "workdir",
    "env",
    "log_environ",
    "slave_side",
];

/// Maximum number of retries.
const MOST_RETRIES: u32 = 1000;

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            branch: None,
            mode: SourceMode::Incremental,
            always_use_latest: false,
            codebase: None,
            retry: None,
            timeout: Some(TIMEOUT),
            workdir: Template::literal("build"),
            env: Environment::default(),
            log_environ: false,
            slave_side: false,
        }
    }
}

impl SourceSettings {
    /// Reads the settings. `branch` is the key for the branch, `usual` the method of mode `full`.
    pub(super) fn read(
        &mut self,
        table: &mut Table<'_>,
        branch: &'static str,
        usual: SourceMethod,
    ) {
        table.set_some(branch, &mut self.branch, Value::template);
        table.set("slave_side", &mut self.slave_side, Value::flag);
        self.mode = read_mode(table, usual, self.slave_side);
        table.set(
            "always_use_latest",
            &mut self.always_use_latest,
            Value::flag,
        );
        table.set_some("codebase", &mut self.codebase, |v| {
            v.name().map(str::to_owned)
        });
        table.set_some("retry", &mut self.retry, read_retry);
        table.set("timeout", &mut self.timeout, |v| {
            v.optional_duration(SHORTEST..=LONGEST)
        });
        table.set("workdir", &mut self.workdir, Value::template);
        table.set("env", &mut self.env, Value::environment);
        table.set("log_environ", &mut self.log_environ, Value::flag);
    }

    /// `program`, which the step needs on the slave, unless the step has a search path of its own.
    pub(super) fn needed(
        &self,
        kind: &'static str,
        program: &'static str,
    ) -> Option<(&'static str, &'static str)> {
        (!self.env.may_have("PATH")).then_some((kind, program))
    }
}

/// The address of a repository (SRC-08).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// The address itself.
    Repourl(Template),
    /// What the addresses of all branches start with.
    BaseUrl(Template),
}

/// The keys of [`Location`], with the key for the branch.
pub(in crate::config) const LOCATION_KEYS: &[&str] = &["repourl", "base_url", "default_branch"];

impl Default for Location {
    fn default() -> Self {
        Self::Repourl(Template::literal(""))
    }
}

impl Location {
    /// Reads the location. A base address needs a default branch in `source`.
    pub(super) fn read(table: &mut Table<'_>, source: &SourceSettings, example: &str) -> Self {
        let Some(base) = table.take("base_url") else {
            let repourl = table.require("repourl", example);
            let repourl = repourl.and_then(|v| v.template());
            return repourl.map_or_else(Self::default, Self::Repourl);
        };
        if let Some(repourl) = table.take("repourl") {
            repourl.error("cannot be used with `base_url`", "remove one of the two");
        } else if source.branch.is_none() {
            base.error(
                "needs `default_branch`",
                "add `default_branch = \"trunk\"`, the branch of builds without a branch",
            );
        }
        base.template().map_or_else(Self::default, Self::BaseUrl)
    }
}

/// Serializes a password so that it cannot be read.
#[expect(clippy::ref_option, reason = "serde calls it")]
pub(super) fn secretly<S: Serializer>(
    password: &Option<Template>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let password = password.as_ref();
    password
        .map(|password| fingerprint(&password.to_string()))
        .serialize(serializer)
}

/// Serializes a password so that it cannot be read.
pub(super) fn secretly_one<S: Serializer>(
    password: &Template,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&fingerprint(&password.to_string()))
}

/// A list of strings.
pub(super) fn strings(value: &Value<'_>) -> Option<Vec<String>> {
    let entries = value.list()?;
    let texts = entries.iter().map(|entry| entry.text().map(str::to_owned));
    texts.collect()
}

/// Reads `mode`, and `method` in mode `full`.
fn read_mode(table: &mut Table<'_>, usual: SourceMethod, slave_side: bool) -> SourceMode {
    let mode = table.take("mode");
    match mode.and_then(|v| v.one_of(&["incremental", "full"])) {
        Some("full") => {
            let names = SourceMethod::ALL.map(SourceMethod::name);
            let value = table.take("method");
            let name = value.as_ref().and_then(|v| v.one_of(&names));
            let mut methods = SourceMethod::ALL.into_iter();
            let method = methods.find(|m| Some(m.name()) == name).unwrap_or(usual);
            let is_unknown = matches!(method, SourceMethod::Fresh | SourceMethod::Clean);
            match value {
                Some(value) if slave_side && is_unknown => value.error(
                    "cannot be used with `slave_side = true`",
                    "write \"clobber\", \"copy\" or \"export\"",
                ),
                None if slave_side => return SourceMode::Full(SourceMethod::Clobber),
                Some(_) | None => {}
            }
            SourceMode::Full(method)
        }
        Some(_) | None => SourceMode::Incremental,
    }
}

fn read_retry(value: &Value<'_>) -> Option<(Duration, u32)> {
    let entries = value.list()?;
    let [delay, count] = entries.as_slice() else {
        let help = "give the delay and the number of retries: `[\"10s\", 3]`";
        return value.expected("a list of two", help);
    };
    let delay = delay.duration(Duration::ZERO..=LONGEST);
    let count = count.integer(0..=MOST_RETRIES);
    delay.zip(count)
}
