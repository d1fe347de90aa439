//! `type = "BzrPoller"`: changes that the master finds in a branch of Bazaar (POL-12).

use serde::Serialize;

use super::Around;
use super::kind::SourceSettings;
use super::poller::{PollerConfig, address, program, without_password};
use crate::config::reader::{Table, Value};

/// Settings of `BzrPoller`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BzrPollerConfig {
    /// What all pollers have.
    #[serde(flatten)]
    pub poller: PollerConfig,
    /// Address of the branch, without a password.
    pub repourl: String,
    /// The branch of the changes; absent: the default branch.
    pub branch: Option<String>,
    /// Program: `bzr`.
    pub bzr: String,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &["repourl", "branch", "bzr"];

impl SourceSettings for BzrPollerConfig {
    fn kind(&self) -> &'static str {
        "BzrPoller"
    }

    fn usual_name(&self) -> String {
        self.poller.repository_at(&self.repourl)
    }

    fn poller(&self) -> Option<&PollerConfig> {
        Some(&self.poller)
    }

    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let known = self.poller.read(table, around, "bzr");
        let example = "\"https://bzr.example.org/project/trunk\"";
        self.repourl = address(table, &self.poller, known, example);
        without_password(
            table,
            known,
            "write it in the master's authentication.conf, and remove it there",
        );
        self.branch = known.and_then(|known| known.default_branch.clone());
        let text = |v: &Value<'_>| v.text().map(str::to_owned);
        table.set_some("branch", &mut self.branch, text);
        self.bzr = program(table, "bzr");
    }
}
