//! Pull requests, as hooks and APIs of code hosts describe them.

use serde_json::Value;

use super::payload::{first_text, flag, list, number, text, time};
use crate::model::Timestamp;

/// An open pull request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// The newest commit; Bitbucket Cloud abbreviates it.
    pub head: String,
    /// The branch on which the master sees it.
    pub branch: String,
    /// The name of its author at the host.
    pub author: String,
    /// Its title.
    pub title: String,
    /// The branch into which it shall go.
    pub target: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it comes from a branch of the repository itself, so that its author may push there.
    pub is_own: bool,
    /// Whether everybody may see the repository; absent: the host does not say.
    pub is_public: Option<bool>,
    /// Its page.
    pub link: String,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
    /// Address of the repository that has the commits, if that is another one and the host keeps no
    /// reference for the pull request.
    pub source: Option<String>,
}

/// A pull request of GitHub or Gitea.
pub(in crate::protocol) fn like_github(item: &Value) -> PullRequest {
    let id = number(item, "/number").unwrap_or_default();
    let base = text(item, "/base/repo/full_name");
    // Gitea takes pull requests without a branch from everybody who can read the repository.
    let has_branch = !text(item, "/head/ref").starts_with("refs/");
    PullRequest {
        number: id,
        head: text(item, "/head/sha"),
        branch: format!("refs/pull/{id}/head"),
        author: first_text(item, &["/user/login", "/user/username"]),
        title: text(item, "/title"),
        target: text(item, "/base/ref"),
        labels: labels(item),
        is_own: has_branch && !base.is_empty() && text(item, "/head/repo/full_name") == base,
        is_public: item
            .pointer("/base/repo/private")
            .and_then(Value::as_bool)
            .map(|is| !is),
        link: text(item, "/html_url"),
        updated_at: time(item, "/updated_at"),
        source: None,
    }
}

/// A merge request of GitLab.
pub(in crate::protocol) fn of_gitlab(item: &Value) -> PullRequest {
    let id = number(item, "/iid").unwrap_or_default();
    let target = number(item, "/target_project_id");
    PullRequest {
        number: id,
        head: text(item, "/sha"),
        branch: format!("refs/merge-requests/{id}/head"),
        author: text(item, "/author/username"),
        title: text(item, "/title"),
        target: text(item, "/target_branch"),
        labels: labels(item),
        is_own: target.is_some() && number(item, "/source_project_id") == target,
        is_public: None,
        link: text(item, "/web_url"),
        updated_at: time(item, "/updated_at"),
        source: None,
    }
}

/// What the hook of a merge request says of its author. It names whoever has acted, who need not be
/// the author.
pub(in crate::protocol) fn of_gitlab_hook(payload: &Value) -> PullRequest {
    let about = &payload["object_attributes"];
    let target = number(about, "/target_project_id");
    let author = number(about, "/author_id");
    let is_by_author = author.is_some() && number(payload, "/user/id") == author;
    let author = text(payload, "/user/username");
    PullRequest {
        author: Some(author).filter(|_| is_by_author).unwrap_or_default(),
        is_own: target.is_some() && number(about, "/source_project_id") == target,
        is_public: number(payload, "/project/visibility_level").map(|level| level > 0),
        ..PullRequest::default()
    }
}

/// A pull request of bitbucket.org.
pub(in crate::protocol) fn of_bitbucket_cloud(item: &Value) -> PullRequest {
    let base = text(item, "/destination/repository/full_name");
    let from = text(item, "/source/repository/full_name");
    let is_own = !base.is_empty() && from == base;
    let source = text(item, "/source/repository/links/html/href");
    PullRequest {
        number: number(item, "/id").unwrap_or_default(),
        head: text(item, "/source/commit/hash"),
        branch: text(item, "/source/branch/name"),
        author: first_text(item, &["/author/nickname", "/author/display_name"]),
        title: text(item, "/title"),
        target: text(item, "/destination/branch/name"),
        labels: Vec::new(),
        is_own,
        is_public: None,
        link: text(item, "/links/html/href"),
        updated_at: time(item, "/updated_on"),
        source: Some(source).filter(|_| !is_own),
    }
}

/// A pull request of Bitbucket Server.
pub(in crate::protocol) fn of_bitbucket_server(item: &Value) -> PullRequest {
    let id = number(item, "/id").unwrap_or_default();
    let target = &item["toRef"]["repository"];
    let of = |side: &str| number(item, &format!("/{side}/repository/id"));
    let updated = item.get("updatedDate").and_then(Value::as_i64);
    let links = list(item, "/links/self").first();
    PullRequest {
        number: id,
        head: text(item, "/fromRef/latestCommit"),
        branch: format!("refs/pull-requests/{id}/from"),
        author: text(item, "/author/user/name"),
        title: text(item, "/title"),
        target: text(item, "/toRef/displayId"),
        labels: Vec::new(),
        is_own: of("toRef").is_some() && of("fromRef") == of("toRef"),
        is_public: target.get("public").map(|_| flag(target, "/public")),
        link: links.map(|link| text(link, "/href")).unwrap_or_default(),
        updated_at: updated.map(|millis| Timestamp(millis.saturating_mul(1_000))),
        source: None,
    }
}

/// Names of labels: texts, or objects with a name.
fn labels(item: &Value) -> Vec<String> {
    let name = |label: &Value| match label.as_str() {
        Some(name) => name.to_owned(),
        None => text(label, "/name"),
    };
    list(item, "/labels").iter().map(name).collect()
}
