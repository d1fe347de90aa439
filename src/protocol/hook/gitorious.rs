//! `gitorious`: its web hooks, whose `ref` is the name of the branch alone.

use super::payload::{in_form, text};
use super::push::Push;
use super::{Misread, Post, Reading, Told};

/// Reads a push.
pub(super) fn read(post: &Post) -> Result<Told, Misread> {
    let payload = in_form(post)?;
    Push {
        name: format!("refs/heads/{}", text(&payload, "/ref")),
        repository: text(&payload, "/repository/url"),
        project: text(&payload, "/project/name"),
        ..Push::of(&payload)
    }
    .told(&Reading::default())
}
