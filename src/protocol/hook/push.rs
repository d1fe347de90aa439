//! What the payloads of pushes to git have in common.

use serde_json::Value;

use super::payload::{flag, is_nothing, list, number, person, text, time};
use super::pull::PullRequest;
use super::{MOST_COMMITS, Misread, Origin, Pushed, Reading, Told};
use crate::model::{NewChange, Properties};

/// The source of properties of a change (PRP-02).
const SOURCE: &str = "Change";

/// A push, as far as it is spelled alike by all: `ref`, `after`, `commits` with `id`, `message`,
/// `timestamp`, `url`, `author`, `added`, `modified` and `removed`.
#[derive(Debug, Default)]
pub(super) struct Push<'v> {
    /// What was pushed to, such as `refs/heads/main`.
    pub(super) name: String,
    /// Whether it was deleted.
    pub(super) deleted: bool,
    /// Whether it was moved to where it was not.
    pub(super) forced: bool,
    /// The commits, parents before children.
    pub(super) commits: &'v [Value],
    /// The commit at the tip, if it is there apart from the commits.
    pub(super) head: Option<&'v Value>,
    /// How many commits there are in all, if it is said.
    pub(super) count: Option<u64>,
    /// The repository.
    pub(super) repository: String,
    /// The project.
    pub(super) project: String,
}

impl<'v> Push<'v> {
    /// What is spelled alike; repository and project are not.
    pub(super) fn of(payload: &'v Value) -> Self {
        Self {
            name: text(payload, "/ref"),
            deleted: flag(payload, "/deleted") || is_nothing(&text(payload, "/after")),
            forced: flag(payload, "/forced"),
            commits: list(payload, "/commits"),
            head: payload.get("head_commit").filter(|head| head.is_object()),
            count: number(payload, "/total_commits_count"),
            ..Self::default()
        }
    }

    /// The changes of the push.
    ///
    /// # Errors
    /// It has too many commits.
    pub(super) fn told(&self, reading: &Reading) -> Result<Told, Misread> {
        let name = &self.name;
        if self.deleted {
            return Ok(Told::Nothing(format!("{name} was deleted")));
        }
        if self.commits.len() > MOST_COMMITS {
            let why = format!("the push has more than {MOST_COMMITS} commits");
            return Err(Misread::Malformed(why));
        }
        let tag = name.strip_prefix("refs/tags/").is_some();
        let branch = match name.strip_prefix("refs/heads/") {
            Some(branch) => branch,
            None if tag && reading.tags => name,
            None if tag => return Ok(Told::Nothing("tags are not asked for".to_owned())),
            None => return Ok(Told::Nothing(format!("{name} is not a branch"))),
        };
        // A tag and a new branch at a known commit are news of their tip alone.
        let tip = self
            .head
            .or_else(|| self.commits.last())
            .map(std::slice::from_ref);
        let commits = match tip {
            Some(tip) if tag || self.commits.is_empty() => tip,
            _ => self.commits,
        };
        if commits.is_empty() {
            return Ok(Told::Nothing(format!("no commits on {name}")));
        }
        let changes = commits.iter().map(|commit| NewChange {
            branch: Some(branch.to_owned()),
            category: tag.then(|| "tag".to_owned()),
            repository: self.repository.clone(),
            project: self.project.clone(),
            properties: self.properties(),
            ..change_of(commit)
        });
        let listed = u64::try_from(self.commits.len()).unwrap_or(u64::MAX);
        let missing = match tag {
            true => 0,
            false => self.count.map_or(0, |count| count.saturating_sub(listed)),
        };
        Ok(Told::Changes(Pushed {
            changes: changes.collect(),
            missing,
            tips_only: !tag && self.commits.is_empty(),
            pull: None,
        }))
    }

    fn properties(&self) -> Properties {
        let mut properties = Properties::new();
        if self.forced {
            properties.set("forced", true, SOURCE);
        }
        properties
    }
}

/// What a commit says of itself.
fn change_of(commit: &Value) -> NewChange {
    let revision = text(commit, "/id");
    NewChange {
        who: person(commit, "/author", ("name", "email")),
        comments: text(commit, "/message"),
        revision: Some(revision).filter(|revision| !revision.is_empty()),
        revlink: text(commit, "/url"),
        made_at: time(commit, "/timestamp"),
        files: files(commit),
        src: Some("git".to_owned()),
        ..NewChange::default()
    }
}

/// The files that were added, modified and removed, each once.
pub(super) fn files(commit: &Value) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for path in ["/added", "/modified", "/removed"] {
        let names = list(commit, path).iter().filter_map(Value::as_str);
        files.extend(names.filter(|name| known.insert(*name)).map(str::to_owned));
    }
    files
}

/// A pull request, as far as it is spelled alike by all.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Pull {
    /// What it is called: `GitHub Pull Request`.
    pub(in crate::protocol) noun: &'static str,
    /// Its number.
    pub(in crate::protocol) number: u64,
    /// How many commits it has, if it is said.
    pub(in crate::protocol) commits: Option<u64>,
    /// The branch on which the master sees it.
    pub(in crate::protocol) branch: String,
    /// Its text.
    pub(in crate::protocol) title: String,
    /// The branch into which it shall go.
    pub(in crate::protocol) target: String,
    /// The change, without branch, category, comments and properties.
    pub(in crate::protocol) change: NewChange,
}

impl Pull {
    /// Its change, as what a hook tells.
    pub(super) fn told(self, listed: PullRequest) -> Told {
        let PullRequest {
            author,
            is_own,
            is_public,
            ..
        } = listed;
        let origin = Origin {
            number: self.number,
            author,
            is_own,
            is_public,
        };
        Told::Changes(Pushed {
            changes: vec![self.change()],
            pull: Some(origin),
            ..Pushed::default()
        })
    }

    /// Its change: on a branch of its own, with what is known of it as properties.
    pub(in crate::protocol) fn change(self) -> NewChange {
        let Self { noun, number, .. } = self;
        let count = match self.commits {
            None => String::new(),
            Some(1) => " (1 commit)".to_owned(),
            Some(commits) => format!(" ({commits} commits)"),
        };
        let mut properties = Properties::new();
        properties.set("pull_request", number, SOURCE);
        for (name, value) in [
            ("pull_request_title", self.title),
            ("pull_request_target", self.target),
        ] {
            if !value.is_empty() {
                properties.set(name, value, SOURCE);
            }
        }
        NewChange {
            comments: format!("{noun} #{number}{count}"),
            branch: Some(self.branch),
            category: Some("pull".to_owned()),
            properties,
            src: Some("git".to_owned()),
            ..self.change
        }
    }
}
