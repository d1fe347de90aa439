//! What a build for several requests is made of: stamps, reason, properties (BRQ-08, PRP-01).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{BuilderConfig, Config, SlaveConfig};
use crate::model::{BuildNumber, BuildRequest, Properties, SourceStamps, Timestamp};

/// The stamps that serve all of `requests` (SST-06, CBS-07), whatever their priorities.
pub(super) fn stamps(requests: &[&BuildRequest]) -> Arc<SourceStamps> {
    let mut by_age = requests.to_vec();
    by_age.sort_by_key(|request| request.id);
    let stamps: Vec<_> = by_age.iter().map(|r| Arc::clone(&r.stamps)).collect();
    SourceStamps::merged(&stamps)
}

/// Time at which the latest of the requests was submitted.
pub(super) fn latest_submission(requests: &[&BuildRequest]) -> Timestamp {
    let times = requests.iter().map(|request| request.submitted_at);
    times.max().unwrap_or(Timestamp(0))
}

/// Each distinct reason that is not empty, once, in queue order (BRQ-08).
pub(super) fn reason(requests: &[&BuildRequest]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    for request in requests {
        if !request.reason.is_empty() && !reasons.contains(&&*request.reason) {
            reasons.push(&request.reason);
        }
    }
    reasons.join(", ")
}

/// What the properties of a build at its start come from.
#[derive(Debug)]
pub(super) struct PropertySources<'a> {
    pub(super) config: &'a Config,
    pub(super) requests: &'a [&'a BuildRequest],
    pub(super) stamps: &'a SourceStamps,
    pub(super) number: BuildNumber,
    pub(super) builder: &'a BuilderConfig,
    pub(super) slave: &'a SlaveConfig,
    pub(super) slave_info: &'a BTreeMap<String, String>,
}

impl PropertySources<'_> {
    /// Sources 1 to 6 of PRP-01, later ones over earlier ones.
    pub(super) fn properties(&self) -> Properties {
        let mut all = self.config.properties.clone();
        for change in self.stamps.changes() {
            all.update(&change.properties);
        }
        let mut owners: Vec<Value> = Vec::new();
        for request in self.requests {
            all.update(&request.properties);
            if let Some(owner) = request.properties.get("owner")
                && !owners.contains(owner)
            {
                owners.push(owner.clone());
            }
        }
        if !owners.is_empty() {
            all.set("owners", owners, "Build");
        }
        all.set("buildnumber", self.number.0, "Build");
        // Of several codebases, none is the one of these properties (CBS-06).
        if let Some(stamp) = self.stamps.single() {
            all.set("branch", stamp.branch.clone(), "Build");
            all.set("revision", stamp.revision_to_build(), "Build");
            all.set("repository", stamp.repository.as_str(), "Build");
            all.set("codebase", stamp.codebase.as_str(), "Build");
            all.set("project", stamp.project.as_str(), "Build");
        }
        all.set("buildername", self.builder.name.as_str(), "Builder");
        all.update(&self.builder.properties);
        all.set("slavename", self.slave.name.as_str(), "BuildSlave");
        all.update(&self.slave.properties);
        if let Some(directory) = self.directory() {
            all.set("builddir", directory.as_str(), "BuildSlave");
            all.set("workdir", directory, "BuildSlave");
        }
        all
    }

    /// The builder's directory on the slave, spelled the slave's way (SLV-13).
    fn directory(&self) -> Option<String> {
        let base = self.slave_info.get("basedir")?;
        let own = &self.builder.slavebuilddir;
        let windows = self.slave_info.get("system").is_some_and(|s| s == "nt");
        let (separator, own) = if windows {
            ("\\", own.replace('/', "\\"))
        } else {
            ("/", own.clone())
        };
        let ends = base.ends_with('/') || windows && base.ends_with('\\');
        let separator = if ends { "" } else { separator };
        Some(format!("{base}{separator}{own}"))
    }
}
