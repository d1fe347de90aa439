//! `gitlab`: push, tag push and merge request hooks.

use serde_json::Value;

use super::payload::{first_text, json_or_form, number, person, text, time};
use super::pull::of_gitlab_hook;
use super::push::{Pull, Push};
use super::{Misread, Post, Reading, Told};
use crate::model::NewChange;

/// Reads an event.
pub(super) fn read(post: &Post, reading: &Reading) -> Result<Told, Misread> {
    let payload = json_or_form(post)?;
    let kind = text(&payload, "/object_kind");
    match kind.as_str() {
        "push" | "tag_push" | "" => Push {
            repository: repository(&payload),
            project: text(&payload, "/project/path_with_namespace"),
            ..Push::of(&payload)
        }
        .told(reading),
        "merge_request" => Ok(merge(&payload)),
        other => Ok(Told::Nothing(format!("the event {other} changes nothing"))),
    }
}

/// Buildbot takes the first one, which new versions no longer send everywhere.
fn repository(payload: &Value) -> String {
    let paths = ["/repository/url", "/project/git_http_url", "/project/url"];
    first_text(payload, &paths)
}

fn merge(payload: &Value) -> Told {
    let action = text(payload, "/object_attributes/action");
    let moved = !text(payload, "/object_attributes/oldrev").is_empty();
    let is_news = match action.as_str() {
        "open" | "reopen" => true,
        // Of updates only those that bring commits.
        "update" => moved,
        _ => false,
    };
    if ["close", "merge"].contains(&action.as_str()) {
        return Told::Over {
            repository: repository(payload),
            number: number(payload, "/object_attributes/iid").unwrap_or_default(),
            why: format!("a merge request had the event {action}"),
        };
    }
    if !is_news {
        return Told::Nothing(format!("a merge request had the event {action}"));
    }
    let number = number(payload, "/object_attributes/iid").unwrap_or_default();
    let commit = "/object_attributes/last_commit";
    let of_commit = |field: &str| format!("{commit}/{field}");
    Pull {
        noun: "GitLab Merge Request",
        number,
        commits: None,
        branch: format!("refs/merge-requests/{number}/head"),
        title: text(payload, "/object_attributes/title"),
        target: text(payload, "/object_attributes/target_branch"),
        change: NewChange {
            who: person(payload, &of_commit("author"), ("name", "email")),
            revision: Some(text(payload, &of_commit("id"))).filter(|id| !id.is_empty()),
            revlink: text(payload, "/object_attributes/url"),
            repository: repository(payload),
            project: text(payload, "/project/path_with_namespace"),
            made_at: time(payload, &of_commit("timestamp")),
            ..NewChange::default()
        },
    }
    .told(of_gitlab_hook(payload))
}
