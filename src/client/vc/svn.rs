//! Subversion: the base is the newest revision of the repository; level 0.
//!
//! The difference is from that revision, not from the ones that files were checked out at, so that
//! one number describes the tree also when its files are from several.

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
        "empty, which a difference of Subversion cannot carry",
    ));
    notes.extend(left_out(
        special(run.top(), &status.added).into_iter(),
        "that it is a link or executable, which a difference of Subversion cannot carry",
    ));
    notes.extend(left_out(
        binary.into_iter(),
        "binary, which a difference of Subversion cannot carry",
    ));
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: base,
        patch,
        notes,
    })
}

/// Notes on what a difference to the repository does not carry, or shows as people may not expect
/// it.
fn local_notes(status: &Status) -> Vec<String> {
    let mut notes = Vec::new();
    for (names, why) in [
        (
            &status.unversioned,
            "not versioned ('svn add' takes them in)",
        ),
        (
            &status.missing,
            "missing, but not removed with 'svn delete': on the slave they will be there",
        ),
        (
            &status.properties,
            "changes of properties, which a patch cannot carry",
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
            "{} files have conflicts, such as '{first}', and go into the patch as they are",
            status.conflicts.len()
        ));
    }
    if let Some(first) = status.outdated.first() {
        notes.push(format!(
            "{} files are out of date, such as '{first}'; the patch takes back what is newer in the repository ('svn \
             update' avoids that)",
            status.outdated.len()
        ));
    }
    notes
}
