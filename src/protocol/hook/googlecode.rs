//! `googlecode`: post-commit hooks of Google Code, which do not name branches.

use super::payload::{json, list, number, text};
use super::push::files;
use super::{MOST_COMMITS, Misread, Post, Pushed, Reading, Told};
use crate::model::{NewChange, Timestamp};

/// Reads a push.
pub(super) fn read(post: &Post, reading: &Reading) -> Result<Told, Misread> {
    let payload = json(&post.body)?;
    let revisions = list(&payload, "/revisions");
    if revisions.is_empty() {
        return Ok(Told::Nothing("no revisions".to_owned()));
    }
    if revisions.len() > MOST_COMMITS {
        let why = format!("the push has more than {MOST_COMMITS} revisions");
        return Err(Misread::Malformed(why));
    }
    let changes = revisions.iter().map(|revision| {
        let seconds = number(revision, "/timestamp").and_then(|at| i64::try_from(at).ok());
        // Subversion's revisions are numbers.
        let name = match number(revision, "/revision") {
            Some(number) => number.to_string(),
            None => text(revision, "/revision"),
        };
        NewChange {
            who: text(revision, "/author"),
            comments: text(revision, "/message"),
            revision: Some(name).filter(|name| !name.is_empty()),
            branch: reading.branch.clone(),
            revlink: text(revision, "/url"),
            files: files(revision),
            made_at: seconds.map(Timestamp::from_secs),
            repository: text(&payload, "/repository_path"),
            project: text(&payload, "/project_name"),
            ..NewChange::default()
        }
    });
    Ok(Told::Changes(Pushed {
        changes: changes.collect(),
        ..Pushed::default()
    }))
}
