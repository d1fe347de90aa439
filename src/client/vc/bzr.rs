//! Bazaar and Breezy: the base is the common ancestor with the submit branch; level 0.

use super::run::{MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};
use crate::vc::bzr::{binary_files, diff, parse_revision, unseen_files};

const NO_BASE: &str = "run it in a branch whose submit or parent branch is known ('bzr pull --remember URL'), or name the base with \
     --baserev";

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    let base = match query.base_revision {
        Some(given) => given.to_owned(),
        None => {
            let asked = ["--no-aliases", "revision-info", "-rsubmit:"];
            let text = run.text(&asked, NO_BASE).await?;
            parse_revision(&text).ok_or_else(|| {
                run.surprising(&asked, text.as_bytes(), "a number and a revision", NO_BASE)
            })?
        }
    };
    let answer = run.run(&diff(&base), MAX_PATCH_BYTES).await?;
    // 1: differences; 2: differences that cannot be shown; 3: an error.
    if !matches!(answer.code, Some(0..=2)) {
        return Err(answer.failed("the base must be a revision of this branch"));
    }
    let mut notes: Vec<String> = left_out(
        binary_files(&answer.stdout).into_iter(),
        "binary, which a Bazaar diff cannot represent",
    )
    .into_iter()
    .collect();
    notes.extend(left_out(
        unseen_files(&answer.stdout).into_iter(),
        "that it is empty, a link or executable, which a Bazaar diff cannot represent",
    ));
    let unknown = run
        .text(
            &["--no-aliases", "unknowns"],
            "it is asked for files that are not added",
        )
        .await?;
    notes.extend(left_out(
        unknown.lines().map(str::to_owned),
        "not versioned; use 'bzr add'",
    ));
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: base,
        patch: answer.stdout,
        notes,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::run::tests::stand_in;
    use super::super::tests::query;
    use super::*;
    use crate::vc::Vc;

    #[tokio::test]
    async fn a_branch_without_a_parent_is_told_what_to_do() {
        let (_directory, run) = stand_in(
            "bzr",
            "*revision-info*) echo 'ERROR: No submit branch available' >&2; exit 3;;",
        );
        let error = find(&run, &query(Vc::Bzr)).await.unwrap_err().to_string();
        assert!(
            error.contains("No submit branch available; run it in a branch whose submit or parent"),
            "{error}"
        );
    }
}
