//! The posthook of `darcs apply`: the patches are in the environment.

use std::path::Path;

use super::Found;
use crate::client::Failed;
use crate::client::vc::run::{MAX_ANSWER_BYTES, Runner};
use crate::model::NewChange;
use crate::text::Encoding;

/// Longest context of a tree that is sent as its revision: what a name may have.
const LONGEST_CONTEXT: usize = crate::protocol::change::MAX_NAME_BYTES;

/// One change for the patches that were applied together: between them, no tree has a name.
pub(super) async fn changes(dir: &Path, encoding: Encoding) -> Result<Found, Failed> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let patches = variable("DARCS_PATCHES");
    if patches.is_empty() {
        let usage = "darcs calls it as a posthook, with the patches in DARCS_PATCHES";
        return Err(Failed::Usage(usage.to_owned()));
    }
    let mut change = parse(&patches, &variable("DARCS_FILES"));
    let run = Runner::new(dir, &["darcs"]);
    let context = ["log", "--context"];
    let remedy = "the changes of this push are not sent";
    let context = run.output(&context, MAX_ANSWER_BYTES, remedy).await?;
    let context = super::text(&context, encoding);
    change.revision =
        Some(context).filter(|context| !context.is_empty() && context.len() <= LONGEST_CONTEXT);
    Ok(Found {
        changes: vec![change],
        notes: Vec::new(),
    })
}

/// Reads what darcs prints of patches, the newest first.
fn parse(patches: &str, files: &str) -> NewChange {
    let authors = patches
        .lines()
        .filter_map(|line| line.strip_prefix("Author:"));
    let who = authors.map(str::trim).next().unwrap_or_default().to_owned();
    let message = patches.lines().filter(|line| {
        let is_head = ["patch ", "Author:", "Date:"]
            .iter()
            .any(|head| line.starts_with(head));
        !is_head && !line.is_empty()
    });
    let message: Vec<_> = message.map(|line| line.trim_start_matches("  ")).collect();
    let files = files
        .lines()
        .map(|file| file.trim_start_matches("./").to_owned());
    NewChange {
        who,
        comments: message.join("\n"),
        files: files.filter(|file| !file.is_empty()).collect(),
        ..NewChange::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkn_02_patches_of_darcs_are_one_change() {
        let patches = "patch 3e5\nAuthor: Ann <a@h>\nDate:   Fri Nov 27 12:00:00 UTC 2026\n  * fix it\n\n\
                       \x20 because\n\npatch 1ab\nAuthor: Bob\nDate:   Fri\n  * first\n";
        let change = parse(patches, "./a b.c\n./lib/x\n");
        assert_eq!(change.who, "Ann <a@h>");
        assert_eq!(change.comments, "* fix it\nbecause\n* first");
        assert_eq!(change.files, ["a b.c", "lib/x"]);
    }
}
