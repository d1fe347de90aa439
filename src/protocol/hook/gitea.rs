//! `gitea`, `forgejo`, `gogs`: pushes and pull requests.

use serde_json::Value;

use super::payload::{first_text, json_or_form, number, text, time};
use super::pull::like_github;
use super::push::{Pull, Push};
use super::{Misread, Post, Reading, Told};
use crate::model::NewChange;

/// Reads an event; `noun` is what a pull request is called.
pub(super) fn read(noun: &'static str, post: &Post, reading: &Reading) -> Result<Told, Misread> {
    let payload = json_or_form(post)?;
    let headers = ["x-forgejo-event", "x-gitea-event", "x-gogs-event"];
    let event = headers.iter().find_map(|name| post.header(name));
    match event.unwrap_or_default() {
        "push" => Push {
            repository: text(&payload, "/repository/clone_url"),
            project: text(&payload, "/repository/full_name"),
            ..Push::of(&payload)
        }
        .told(reading),
        "pull_request" | "pull_request_sync" => Ok(pull(noun, &payload)),
        "" => Ok(Told::Nothing("no event is named".to_owned())),
        other => Ok(Told::Nothing(format!("the event {other} changes nothing"))),
    }
}

fn pull(noun: &'static str, payload: &Value) -> Told {
    let action = text(payload, "/action");
    if action == "closed" {
        return Told::Over {
            repository: text(payload, "/repository/clone_url"),
            number: number(payload, "/number").unwrap_or_default(),
            why: "a pull request was closed".to_owned(),
        };
    }
    if !["opened", "reopened", "synchronized"].contains(&action.as_str()) {
        return Told::Nothing(format!("a pull request was {action}"));
    }
    let number = number(payload, "/number").unwrap_or_default();
    Pull {
        noun,
        number,
        commits: None,
        branch: format!("refs/pull/{number}/head"),
        title: text(payload, "/pull_request/title"),
        target: text(payload, "/pull_request/base/ref"),
        change: NewChange {
            who: first_text(payload, &["/sender/login", "/sender/username"]),
            revision: Some(text(payload, "/pull_request/head/sha")).filter(|s| !s.is_empty()),
            revlink: text(payload, "/pull_request/html_url"),
            repository: text(payload, "/repository/clone_url"),
            project: text(payload, "/repository/full_name"),
            made_at: time(payload, "/pull_request/created_at"),
            ..NewChange::default()
        },
    }
    .told(like_github(&payload["pull_request"]))
}
