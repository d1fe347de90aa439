//! `type = "PullRequestPoller"`: pull requests that the master finds at a code host (POL-13).

use serde::Serialize;

use super::Around;
use super::approval::ApprovalRules;
use super::kind::SourceSettings;
use super::poller::PollerConfig;
use super::ref_rules::BranchRules;
use crate::config::reader::{Table, Value};
use crate::config::repositories::{CodeHost, RepositoryConfig};

/// Settings of `PullRequestPoller`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PullPollerConfig {
    /// What all pollers have.
    #[serde(flatten)]
    pub poller: PollerConfig,
    /// Address of the repository.
    pub repourl: String,
    /// The code host.
    pub host: Option<CodeHost>,
    /// The target branches whose pull requests are changes: all.
    pub branches: BranchRules,
    /// The authors whose pull requests are changes: all.
    pub authors: BranchRules,
    /// The labels that a pull request needs one of: none.
    pub labels: BranchRules,
    /// Whether the pull requests that are open at the first poll are changes: no.
    pub start_with_open: bool,
    /// Which pull requests need an approval.
    #[serde(flatten)]
    pub approval: ApprovalRules,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &["branches", "authors", "labels", "start"];

/// The kinds of code host whose pull requests can be polled.
const HOSTS: [&str; 6] = [
    "github",
    "gitlab",
    "gitea",
    "forgejo",
    "bitbucketcloud",
    "bitbucketserver",
];

impl SourceSettings for PullPollerConfig {
    fn kind(&self) -> &'static str {
        "PullRequestPoller"
    }

    fn usual_name(&self) -> String {
        format!(
            "pull requests of {}",
            self.poller.repository_at(&self.repourl)
        )
    }

    fn polls(&self) -> Option<String> {
        None
    }

    fn poller(&self) -> Option<&PollerConfig> {
        Some(&self.poller)
    }

    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let place = table.peek("repository");
        if place.is_none() {
            drop(table.require("repository", "\"NAME\""));
        }
        let known = self.poller.read(table, around, "git");
        if let (Some(place), Some(known)) = (&place, known) {
            self.take_host(place, known);
        }
        for (key, rules) in [
            ("branches", &mut self.branches),
            ("authors", &mut self.authors),
            ("labels", &mut self.labels),
        ] {
            table.set(key, rules, BranchRules::read);
        }
        table.set("start", &mut self.start_with_open, |v| {
            Some(v.one_of(&["now", "open"])? == "open")
        });
        self.approval.read(table);
    }
}

impl PullPollerConfig {
    fn take_host(&mut self, place: &Value<'_>, known: &RepositoryConfig) {
        let help = "add `host = { type = \"github\", token_file = \"FILE\" }` to the repository";
        match &known.host {
            Some(host) if HOSTS.contains(&host.kind) => self.host = Some(host.clone()),
            Some(host) => {
                let what = format!(
                    "is at a {} host, which has no pull requests here",
                    host.kind
                );
                place.error(&what, "use a poller of another kind");
            }
            None => place.error("is a repository without a `host`", help),
        }
        match known.url() {
            Some(url) => url.clone_into(&mut self.repourl),
            None => place.error(
                "is a repository without an address that is a text",
                "add one to its `urls`",
            ),
        }
    }
}
