//! What the core hands to a build and gets back from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::{BuilderConfig, LogLimits, NamedValues, RepositoryConfig, SlaveConfig};
use crate::model::{
    BuildId, BuildNumber, BuilderName, Effort, Properties, RequestId, Results, SlaveName,
    SourceStamps, Timestamp,
};

/// All that a build needs to run, fixed at its start: later reconfigurations do not touch it
/// (BRC-03).
#[derive(Clone, Debug)]
pub struct BuildPlan {
    /// Its number over all builders.
    pub build: BuildId,
    /// Its number within the builder.
    pub number: BuildNumber,
    /// Its builder, with the factory.
    pub builder: Arc<BuilderConfig>,
    /// The slave it runs on.
    pub slave: SlaveName,
    /// What the slave told of itself.
    pub slave_info: Arc<BTreeMap<String, String>>,
    /// What expressions see of the slave: its name, tags, properties, type and version (CFL-90).
    pub slave_facts: Value,
    /// The register of repositories (GRD-05).
    pub repositories: Arc<Vec<RepositoryConfig>>,
    /// Values that are worked out while it runs (CFL-77).
    pub values: Arc<NamedValues>,
    /// Its page.
    pub url: String,
    /// The requests it answers for.
    pub requests: Vec<RequestId>,
    /// Time at which the latest of the requests was submitted.
    pub requested: Timestamp,
    /// What to build, merged.
    pub stamps: Arc<SourceStamps>,
    /// Why.
    pub reason: String,
    /// All properties of sources 1 to 6 (PRP-01).
    pub properties: Properties,
    /// Directory of its logs, relative to the base directory: `builders/BUILDDIR/NUMBER`.
    pub log_dir: PathBuf,
    /// Limits of its logs.
    pub log_limits: LogLimits,
    /// Where the master's pages are (`buildbot_url`).
    pub buildbot_url: String,
    /// How long a stopped step may go on (BUI-12).
    pub interrupt_grace: Duration,
}

/// What expressions see of a slave; `info` is what it said of itself.
pub(super) fn slave_facts(slave: &SlaveConfig, info: &BTreeMap<String, String>) -> Value {
    let mut facts = slave.facts();
    facts["version"] = json!(info.get("version"));
    facts
}

/// The directory of the logs of a build, relative to the base directory.
pub(super) fn log_dir(builder: &BuilderConfig, number: BuildNumber) -> PathBuf {
    Path::new("builders")
        .join(&builder.builddir)
        .join(number.to_string())
}

/// The page of a build on the site with the address `site`.
pub(super) fn url(site: &str, builder: &BuilderName, number: BuildNumber) -> String {
    let mut url = format!("{site}builders/");
    for byte in builder.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-".contains(&byte) {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    url + &format!("/builds/{number}")
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildOutcome {
    /// Its result; RETRY means that its requests are to be built again.
    pub result: Results,
    /// Short text (BUI-08).
    pub text: Vec<String>,
    /// Why it was stopped, if it was.
    pub stop_reason: Option<String>,
    /// All properties at the end.
    pub properties: Properties,
    /// Its steps with `use_progress` and what they took; nothing for those that did not run
    /// (PRG-03).
    pub took: BTreeMap<String, Option<Effort>>,
    /// Whether the slave may still run a command that was given up (BUI-12): its connection is then
    /// to be dropped.
    pub abandoned_command: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_build_has_an_address_without_odd_characters() {
        let url = url("http://x/", &"full linux/é".into(), BuildNumber(7));
        assert_eq!(url, "http://x/builders/full%20linux%2F%C3%A9/builds/7");
    }
}
