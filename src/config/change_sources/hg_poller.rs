//! `type = "HgPoller"`: changes that the master finds in a repository of Mercurial (POL-12).

use serde::Serialize;

use super::Around;
use super::access::SshAccess;
use super::kind::SourceSettings;
use super::poller::{PollerConfig, address, program, without_password};
use super::ref_rules::BranchRules;
use crate::config::reader::Table;

/// Settings of `HgPoller`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HgPollerConfig {
    /// What all pollers have.
    #[serde(flatten)]
    pub poller: PollerConfig,
    /// Address of the repository, without a password.
    pub repourl: String,
    /// The named branches that are followed: all, or none if bookmarks are.
    pub branches: BranchRules,
    /// Whether named branches are followed.
    pub has_branches: bool,
    /// The bookmarks that are followed, as branches of their names: none.
    pub bookmarks: Option<BranchRules>,
    /// Program: `hg`.
    pub hg: String,
    /// Settings of ssh.
    #[serde(flatten)]
    pub ssh: SshAccess,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &["repourl", "branch", "branches", "bookmarks", "hg"];

impl Default for HgPollerConfig {
    fn default() -> Self {
        Self {
            poller: PollerConfig::default(),
            repourl: String::new(),
            branches: BranchRules::default(),
            has_branches: true,
            bookmarks: None,
            hg: String::new(),
            ssh: SshAccess::default(),
        }
    }
}

impl SourceSettings for HgPollerConfig {
    fn kind(&self) -> &'static str {
        "HgPoller"
    }

    fn usual_name(&self) -> String {
        self.poller.repository_at(&self.repourl)
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
        self.ssh.read(table, known);
        table.set_some("bookmarks", &mut self.bookmarks, BranchRules::read);
        let names_branches = ["branch", "branches"]
            .iter()
            .any(|key| table.place(key).is_some());
        self.has_branches = self.bookmarks.is_none() || names_branches;
        self.branches = BranchRules::take(table, known);
        self.hg = program(table, "hg");
    }
}
