//! `bitbucketserver`: webhooks of Bitbucket Server and Data Center, which name tips alone.

use serde_json::Value;

use super::payload::{json_or_form, list, number, person, text};
use super::pull::of_bitbucket_server;
use super::push::Pull;
use super::{MOST_COMMITS, Misread, Post, Pushed, Reading, Told};
use crate::model::NewChange;

/// Reads an event.
pub(super) fn read(post: &Post, reading: &Reading) -> Result<Told, Misread> {
    let payload = json_or_form(post)?;
    match post.header("x-event-key").unwrap_or_default() {
        "repo:refs_changed" => push(&payload, reading),
        "pr:opened" | "pr:from_ref_updated" => Ok(pull(&payload)),
        "pr:merged" | "pr:declined" | "pr:deleted" => Ok(over(&payload)),
        "" => Ok(Told::Nothing("no event is named".to_owned())),
        other => Ok(Told::Nothing(format!("the event {other} changes nothing"))),
    }
}

fn push(payload: &Value, reading: &Reading) -> Result<Told, Misread> {
    let moved = list(payload, "/changes");
    if moved.len() > MOST_COMMITS {
        let why = format!("the push has more than {MOST_COMMITS} branches");
        return Err(Misread::Malformed(why));
    }
    let repository = &payload["repository"];
    let mut changes = Vec::new();
    for moved in moved {
        let name = text(moved, "/ref/id");
        let is_tag = name.starts_with("refs/tags/");
        if text(moved, "/type") == "DELETE" || (is_tag && !reading.tags) {
            continue;
        }
        let branch = name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned();
        changes.push(NewChange {
            who: person(payload, "/actor", ("displayName", "emailAddress")),
            revision: Some(text(moved, "/toHash")).filter(|hash| !hash.is_empty()),
            branch: Some(branch),
            category: is_tag.then(|| "tag".to_owned()),
            repository: address(repository),
            project: project(repository),
            src: Some("git".to_owned()),
            ..NewChange::default()
        });
    }
    match changes.is_empty() {
        true => Ok(Told::Nothing("no branch has new commits".to_owned())),
        false => Ok(Told::Changes(Pushed {
            changes,
            tips_only: true,
            ..Pushed::default()
        })),
    }
}

fn pull(payload: &Value) -> Told {
    let request = &payload["pullRequest"];
    let number = number(request, "/id").unwrap_or_default();
    let repository = &request["toRef"]["repository"];
    let links = list(request, "/links/self").first();
    Pull {
        noun: "Bitbucket Pull Request",
        number,
        commits: None,
        branch: format!("refs/pull-requests/{number}/from"),
        title: text(request, "/title"),
        target: text(request, "/toRef/displayId"),
        change: NewChange {
            who: person(payload, "/actor", ("displayName", "emailAddress")),
            revision: Some(text(request, "/fromRef/latestCommit")).filter(|s| !s.is_empty()),
            revlink: links.map(|link| text(link, "/href")).unwrap_or_default(),
            repository: address(repository),
            project: project(repository),
            ..NewChange::default()
        },
    }
    .told(of_bitbucket_server(request))
}

fn over(payload: &Value) -> Told {
    let request = &payload["pullRequest"];
    Told::Over {
        repository: address(&request["toRef"]["repository"]),
        number: number(request, "/id").unwrap_or_default(),
        why: "a pull request was closed".to_owned(),
    }
}

/// The address to clone from by HTTP, or any other that is there.
fn address(repository: &Value) -> String {
    let links = list(repository, "/links/clone");
    let mut http = links
        .iter()
        .filter(|link| text(link, "/name").starts_with("http"));
    let link = http.next().or_else(|| links.first());
    link.map(|link| text(link, "/href")).unwrap_or_default()
}

/// `KEY/slug`.
fn project(repository: &Value) -> String {
    let key = text(repository, "/project/key");
    format!("{key}/{}", text(repository, "/slug"))
}
