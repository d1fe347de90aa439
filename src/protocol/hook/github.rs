//! `github`: events `push` and `pull_request`.

use super::payload::{first_text, json_or_form, number, text, time};
use super::pull::like_github;
use super::push::{Pull, Push};
use super::{Misread, Post, Reading, Told};
use crate::model::NewChange;

/// Reads an event.
pub(super) fn read(post: &Post, reading: &Reading) -> Result<Told, Misread> {
    let payload = json_or_form(post)?;
    let event = post.header("x-github-event").unwrap_or_default();
    match event {
        "push" => Push {
            repository: first_text(&payload, &["/repository/url", "/repository/clone_url"]),
            project: text(&payload, "/repository/full_name"),
            ..Push::of(&payload)
        }
        .told(reading),
        "pull_request" => Ok(pull(&payload)),
        "" => Ok(Told::Nothing("no event is named".to_owned())),
        other => Ok(Told::Nothing(format!("the event {other} changes nothing"))),
    }
}

fn pull(payload: &serde_json::Value) -> Told {
    let action = text(payload, "/action");
    if action == "closed" {
        return Told::Over {
            repository: text(payload, "/repository/clone_url"),
            number: number(payload, "/number").unwrap_or_default(),
            why: "a pull request was closed".to_owned(),
        };
    }
    if !["opened", "reopened", "synchronize"].contains(&action.as_str()) {
        return Told::Nothing(format!("a pull request was {action}"));
    }
    let number = number(payload, "/number").unwrap_or_default();
    Pull {
        noun: "GitHub Pull Request",
        number,
        commits: super::payload::number(payload, "/pull_request/commits"),
        branch: format!("refs/pull/{number}/head"),
        title: text(payload, "/pull_request/title"),
        target: text(payload, "/pull_request/base/ref"),
        change: NewChange {
            who: text(payload, "/sender/login"),
            revision: Some(text(payload, "/pull_request/head/sha")).filter(|s| !s.is_empty()),
            revlink: first_text(
                payload,
                &["/pull_request/_links/html/href", "/pull_request/html_url"],
            ),
            repository: text(payload, "/repository/clone_url"),
            project: text(payload, "/repository/full_name"),
            made_at: time(payload, "/pull_request/created_at"),
            ..NewChange::default()
        },
    }
    .told(like_github(&payload["pull_request"]))
}
