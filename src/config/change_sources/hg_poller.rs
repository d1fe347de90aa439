//! `type = "HgPoller"`: changes that the master finds in a repository of Mercurial (POL-12).

use serde::Serialize;

use super::Around;
use super::access::SshAccess;
use super::kind::SourceSettings;
use super::poller::{PollerConfig, address, program, without_password};
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
    /// Settings of ssh.
    #[serde(flatten)]
    pub ssh: SshAccess,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &["repourl", "branches", "hg"];

impl SourceSettings for HgPollerConfig {
    fn kind(&self) -> &'static str {
        "HgPoller"
    }

    fn usual_name(&self) -> String {
        self.poller.repository_at(&self.repourl)
    }

    fn polls(&self) -> Option<String> {
        Some(self.poller.repository_at(&self.repourl))
    }

    fn poller(&self) -> Option<&PollerConfig> {
        Some(&self.poller)
    }

    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let known = self.poller.read(table, around, "hg");
        let example = "\"https://hg.example.org/project\"";
        self.repourl = address(table, &self.poller, known, example);
        without_password(
            table,
            known,
            "write it in the section [auth] of the master's hgrc, and remove it there",
        );
        self.branches = BranchRules::of(known);
        self.ssh.read(table, known);
        table.set("branches", &mut self.branches, BranchRules::read);
        self.hg = program(table, "hg");
    }
}
