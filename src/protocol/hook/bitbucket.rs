//! `bitbucket`: the POST service that Bitbucket had before webhooks, for git and Mercurial.

use serde_json::Value;

use super::payload::{first_text, in_form, list, text, time};
use super::{MOST_COMMITS, Misread, Post, Pushed, Told};
use crate::model::NewChange;

/// Reads a push.
pub(super) fn read(post: &Post) -> Result<Told, Misread> {
    let payload = in_form(post)?;
    let commits = list(&payload, "/commits");
    if commits.is_empty() {
        return Ok(Told::Nothing("no commits".to_owned()));
    }
    if commits.len() > MOST_COMMITS {
        let why = format!("the push has more than {MOST_COMMITS} commits");
        return Err(Misread::Malformed(why));
    }
    let repository = format!(
        "{}{}",
        text(&payload, "/canon_url"),
        text(&payload, "/repository/absolute_url")
    );
    let system = text(&payload, "/repository/scm");
    let changes = commits.iter().map(|commit| {
        let revision = first_text(commit, &["/raw_node", "/node"]);
        let branch = text(commit, "/branch");
        let files = list(commit, "/files").iter();
        NewChange {
            who: first_text(commit, &["/raw_author", "/author"]),
            files: files.map(|file| text(file, "/file")).collect(),
            comments: text(commit, "/message"),
            revlink: format!("{repository}{revision}"),
            revision: Some(revision).filter(|revision| !revision.is_empty()),
            branch: Some(branch).filter(|branch| !branch.is_empty()),
            made_at: made_at(commit),
            repository: repository.clone(),
            src: Some(system.clone()).filter(|system| !system.is_empty()),
            ..NewChange::default()
        }
    });
    Ok(Told::Changes(Pushed {
        changes: changes.collect(),
        ..Pushed::default()
    }))
}

/// The time in UTC; the other field does not say its zone.
fn made_at(commit: &Value) -> Option<crate::model::Timestamp> {
    time(commit, "/utctimestamp")
}
