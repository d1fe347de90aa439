//! `type = "GitPoller"`: changes that the master finds in a repository of git (POL-03 to POL-09).

use serde::Serialize;

use super::Around;
use super::access::{LoginAccess, SshAccess};
use super::kind::SourceSettings;
use super::poller::{PollerConfig, address, program};
use super::ref_rules::BranchRules;
use crate::config::pattern::FilePatterns;
use crate::config::reader::{Table, Value};

/// Settings of `GitPoller`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GitPollerConfig {
    /// What all pollers have.
    #[serde(flatten)]
    pub poller: PollerConfig,
    /// Address of the repository, without a password.
    pub repourl: String,
    /// The branches that are followed: all.
    pub branches: BranchRules,
    /// Whether tags are changes: no.
    pub tags: bool,
    /// Further references that are followed as branches, by their whole names: `refs/pull/*/head`.
    pub refs: Option<FilePatterns>,
    /// What the first poll gives.
    pub start: GitStart,
    /// What a new branch gives.
    pub new_branch: NewBranch,
    /// Which commits of a branch are changes.
    pub history: History,
    /// Program: `git`.
    pub git: String,
    /// User and password for addresses with `http`.
    #[serde(flatten)]
    pub login: LoginAccess,
    /// Settings of ssh.
    #[serde(flatten)]
    pub ssh: SshAccess,
}

/// What the first poll of a repository gives (POL-03).
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub enum GitStart {
    /// Nothing: the branches are remembered as they are.
    #[default]
    Now,
    /// One change for each branch.
    Tip,
    /// The commits of each branch after this one.
    Revision(String),
}

/// What a branch gives that appears after the first poll (POL-06).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum NewBranch {
    /// The commits that no known branch has, or else its tip.
    #[default]
    Tip,
    /// The commits that no known branch has.
    Commits,
    /// Nothing.
    Nothing,
}

/// Which commits of a branch are changes (POL-05).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum History {
    /// All.
    #[default]
    All,
    /// Those of the mainline: the first parents.
    FirstParent,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &[
    "repourl",
    "branch",
    "branches",
    "tags",
    "refs",
    "start",
    "new_branch",
    "history",
    "git",
];

impl SourceSettings for GitPollerConfig {
    fn kind(&self) -> &'static str {
        "GitPoller"
    }

    fn usual_name(&self) -> String {
        self.poller.repository_at(&self.repourl)
    }

    fn poller(&self) -> Option<&PollerConfig> {
        Some(&self.poller)
    }

    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let known = self.poller.read(table, around, "git");
        let example = "\"https://example.org/project.git\"";
        self.repourl = address(table, &self.poller, known, example);
        self.branches = BranchRules::take(table, known);
        table.set("tags", &mut self.tags, Value::flag);
        table.set_some("refs", &mut self.refs, read_refs);
        table.set("start", &mut self.start, read_start);
        table.set("new_branch", &mut self.new_branch, |v| {
            Some(match v.one_of(&["tip", "commits", "nothing"])? {
                "commits" => NewBranch::Commits,
                "nothing" => NewBranch::Nothing,
                _ => NewBranch::Tip,
            })
        });
        table.set("history", &mut self.history, |v| {
            Some(match v.one_of(&["all", "first-parent"])? {
                "first-parent" => History::FirstParent,
                _ => History::All,
            })
        });
        self.git = program(table, "git");
        self.login.read(table, known);
        self.ssh.read(table, known);
    }
}

fn read_refs(value: &Value<'_>) -> Option<FilePatterns> {
    let entries = value.list()?;
    let globs: Vec<&str> = entries.iter().filter_map(Value::name).collect();
    let odd = entries
        .iter()
        .find(|v| v.data().as_str().is_some_and(|t| !t.starts_with("refs/")));
    if let Some(odd) = odd {
        odd.error(
            "does not begin with `refs/`",
            "for example `refs/pull/*/head`",
        );
    }
    match FilePatterns::from_globs(&globs, &[]) {
        Ok(patterns) if !globs.is_empty() => Some(patterns),
        Ok(_) => None,
        Err(error) => {
            value.error(
                &format!("has an invalid glob: {error}"),
                "for example `refs/pull/*/head`",
            );
            None
        }
    }
}

fn read_start(value: &Value<'_>) -> Option<GitStart> {
    match value.name()? {
        "now" => Some(GitStart::Now),
        "tip" => Some(GitStart::Tip),
        id if (7..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Some(GitStart::Revision(id.to_ascii_lowercase()))
        }
        _ => {
            value.error(
                "is not a start",
                "write \"now\", \"tip\" or the id of a commit",
            );
            None
        }
    }
}
