//! `bitbucketcloud`: webhooks of bitbucket.org.

use serde_json::Value;

use super::payload::{first_text, flag, json_or_form, list, number, text, time};
use super::pull::of_bitbucket_cloud;
use super::push::Pull;
use super::{MOST_COMMITS, Misread, Post, Pushed, Reading, Told};
use crate::model::NewChange;

/// Reads an event.
pub(super) fn read(post: &Post, reading: &Reading) -> Result<Told, Misread> {
    let payload = json_or_form(post)?;
    match post.header("x-event-key").unwrap_or_default() {
        "repo:push" => push(&payload, reading),
        "pullrequest:created" | "pullrequest:updated" => Ok(pull(&payload)),
        "pullrequest:fulfilled" | "pullrequest:rejected" => Ok(over(&payload)),
        "" => Ok(Told::Nothing("no event is named".to_owned())),
        other => Ok(Told::Nothing(format!("the event {other} changes nothing"))),
    }
}

fn push(payload: &Value, reading: &Reading) -> Result<Told, Misread> {
    let mut pushed = Pushed::default();
    for moved in list(payload, "/push/changes") {
        let new = &moved["new"];
        let is_tag = text(new, "/type") == "tag";
        let name = text(new, "/name");
        if name.is_empty() || (is_tag && !reading.tags) {
            continue;
        }
        let tip = std::slice::from_ref(&new["target"]);
        let commits = list(moved, "/commits");
        let commits = match commits.is_empty() || is_tag {
            true => tip,
            false => commits,
        };
        if pushed.changes.len() + commits.len() > MOST_COMMITS {
            let why = format!("the push has more than {MOST_COMMITS} commits");
            return Err(Misread::Malformed(why));
        }
        let branch = match is_tag {
            true => format!("refs/tags/{name}"),
            false => name,
        };
        // The newest commit comes first.
        let changes = commits.iter().rev().map(|commit| NewChange {
            branch: Some(branch.clone()),
            category: is_tag.then(|| "tag".to_owned()),
            ..change_of(commit, payload)
        });
        pushed.changes.extend(changes);
        // The payload does not say how many more there are.
        pushed.missing += u64::from(flag(moved, "/truncated"));
        pushed.tips_only |= !is_tag && list(moved, "/commits").is_empty();
    }
    match pushed.changes.is_empty() {
        true => Ok(Told::Nothing("no branch has new commits".to_owned())),
        false => Ok(Told::Changes(pushed)),
    }
}

fn change_of(commit: &Value, payload: &Value) -> NewChange {
    NewChange {
        who: text(commit, "/author/raw"),
        comments: text(commit, "/message"),
        revision: Some(text(commit, "/hash")).filter(|hash| !hash.is_empty()),
        revlink: text(commit, "/links/html/href"),
        made_at: time(commit, "/date"),
        repository: text(payload, "/repository/links/html/href"),
        project: text(payload, "/repository/full_name"),
        src: Some("git".to_owned()),
        ..NewChange::default()
    }
}

fn pull(payload: &Value) -> Told {
    let request = &payload["pullrequest"];
    Pull {
        noun: "Bitbucket Pull Request",
        number: number(request, "/id").unwrap_or_default(),
        commits: None,
        // Bitbucket keeps no reference for a pull request.
        branch: text(request, "/source/branch/name"),
        title: text(request, "/title"),
        target: text(request, "/destination/branch/name"),
        change: NewChange {
            who: first_text(request, &["/author/nickname", "/author/display_name"]),
            revision: Some(text(request, "/source/commit/hash")).filter(|hash| !hash.is_empty()),
            revlink: text(request, "/links/html/href"),
            repository: text(request, "/source/repository/links/html/href"),
            project: text(request, "/source/repository/full_name"),
            made_at: time(request, "/updated_on"),
            ..NewChange::default()
        },
    }
    .told(of_bitbucket_cloud(request))
}

fn over(payload: &Value) -> Told {
    let request = &payload["pullrequest"];
    Told::Over {
        repository: text(request, "/source/repository/links/html/href"),
        number: number(request, "/id").unwrap_or_default(),
        why: "a pull request was closed".to_owned(),
    }
}
