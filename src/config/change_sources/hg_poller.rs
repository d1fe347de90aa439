//! `type = "HgPoller"`: changes that the master finds in a repository of Mercurial (POL-12).

use serde::Serialize;

use super::Around;
use super::kind::SourceSettings;
use super::poller::{PollerConfig, program, read_url};
use super::ref_rules::BranchRules;
use crate::config::reader::Table;

/// Settings of `HgPoller`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HgPollerConfig {
    /// What all pollers have.
    #[serde(flatten)]
    pub poller: PollerConfig,
    /// Address of the repository, without a password.
    pub repourl: String,
    /// The named branches that are followed: all.
    pub branches: BranchRules,
    /// Program: `hg`.
    pub hg: String,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &["repourl", "branches", "hg"];

impl SourceSettings for HgPollerConfig {
    fn kind(&self) -> &'static str {
        "HgPoller"
    }

    fn usual_name(&self) -> String {
        self.repourl.clone()
    }

    fn poller(&self) -> Option<&PollerConfig> {
        Some(&self.poller)
    }

    fn read(&mut self, table: &mut Table<'_>, _: &Around<'_, '_>) {
        let url = table.require("repourl", "\"https://hg.example.org/project\"");
        if let Some(url) = url.as_ref().and_then(read_url) {
            self.repourl = url;
        }
        self.poller.read(table);
        table.set("branches", &mut self.branches, BranchRules::read);
        self.hg = program(table, "hg");
    }
}
