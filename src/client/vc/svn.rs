//! Subversion: the base is the newest revision of the repository; level 0.
//!
//! The diff is relative to this revision, not to the revisions of the files, so that one number
//! describes a tree whose files have different revisions.

use super::files::{is_directory, special};
use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};
use crate::vc::svn::{Status, binary_files, diff, parse_status};
use crate::vc::unseen::{shown_names, unseen};

const NO_TREE: &str =
    "--topdir or --topfile must lead to a working copy whose repository can be reached";

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    let asked = ["status", "-u"];
    let output = run.output(&asked, MAX_ANSWER_BYTES, NO_TREE).await?;
    let status = parse_status(&output);
    let base = match (query.base_revision, &status.revision) {
        (Some(given), _) => given.to_owned(),
        (None, Some(revision)) => revision.clone(),
        (None, None) => {
            let expected = "a line 'Status against revision:' with a number";
            return Err(run.surprising(&asked, &output, expected, "name the base with --baserev"));
        }
    };
    let patch = run
        .output(
            &diff(&base),
            MAX_PATCH_BYTES,
            "the base must be a revision of this repository",
        )
        .await?;
    let mut notes = Vec::new();
    notes.extend(local_notes(&status));
    let binary = binary_files(&patch);
    let mut changed = [status.added.as_slice(), &status.removed].concat();
    changed.retain(|name| !binary.contains(name) && !is_directory(run.top(), name));
    notes.extend(left_out(
        unseen(&changed, &shown_names(&patch)).into_iter(),
        "empty, which a Subversion diff cannot represent",
    ));
    notes.extend(left_out(
        special(run.top(), &status.added).into_iter(),
        "that it is a link or executable, which a Subversion diff cannot represent",
    ));
    notes.extend(left_out(
        binary.into_iter(),
        "binary, which a Subversion diff cannot represent",
    ));
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: base,
        patch,
        notes,
    })
}

/// Notes on changes that a diff to the repository does not show, or shows in an unexpected way.
fn local_notes(status: &Status) -> Vec<String> {
    let mut notes = Vec::new();
    for (names, why) in [
        (&status.unversioned, "not versioned; use 'svn add'"),
        (
            &status.missing,
            "missing, but not removed with 'svn delete'; they will exist on the slave",
        ),
        (
            &status.properties,
            "changes of properties, which a patch cannot represent",
        ),
        (
            &status.external,
            "changed inside an external, which has a repository of its own",
        ),
    ] {
        notes.extend(left_out(names.iter().cloned(), why));
    }
    if let Some(first) = status.conflicts.first() {
        notes.push(format!(
            "{} files have conflicts, such as '{first}'; the patch includes them as they are",
            status.conflicts.len()
        ));
    }
    if let Some(first) = status.outdated.first() {
        notes.push(format!(
            "{} files are out of date, such as '{first}'; the patch reverts newer changes of the repository ('svn \
             update' avoids that)",
            status.outdated.len()
        ));
    }
    notes
}
