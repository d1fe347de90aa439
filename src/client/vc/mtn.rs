//! Monotone: the base is the revision that the workspace is based on; level 0.

use super::run::{MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};
use crate::vc::mtn::{BASE, binary_files, is_id, listed_files};
use crate::vc::unseen::{shown_names, unseen};

const NO_TREE: &str = "run it at the top of a Monotone workspace, or name one with --topdir";

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    let base = match query.base_revision {
        Some(given) => given.to_owned(),
        None => {
            let text = run.text(&BASE, NO_TREE).await?;
            if !is_id(&text) {
                let expected = "a revision of 40 hexadecimal digits";
                return Err(run.surprising(&BASE, text.as_bytes(), expected, NO_TREE));
            }
            text
        }
    };
    let diff = match query.base_revision {
        Some(given) => vec!["diff", "-r", given],
        None => vec!["diff"],
    };
    let patch = run.output(&diff, MAX_PATCH_BYTES, NO_TREE).await?;
    let binary = binary_files(&patch);
    let mut changed = listed_files(&patch, &["add_file", "delete"]);
    changed.retain(|name| !binary.contains(name));
    let notes = [
        left_out(
            binary.into_iter(),
            "binary, which a Monotone diff cannot represent",
        ),
        left_out(
            unseen(&changed, &shown_names(&patch)).into_iter(),
            "empty, which a Monotone diff cannot represent",
        ),
        left_out(
            listed_files(&patch, &["set", "clear"]).into_iter(),
            "changes of attributes, which a Monotone diff cannot represent",
        ),
    ];
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: base,
        patch,
        notes: notes.into_iter().flatten().collect(),
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
    async fn base_and_difference_are_asked_for() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let (_directory, run) = stand_in(
            "mtn",
            &format!(
                "'automate get_base_revision_id') echo {id};;\n\
                 diff) printf '# patch \"b\"\\n# b is binary\\n--- a\\tx\\n+++ a\\ty\\n';;\n\
                 'diff -r h:x') echo other;;"
            ),
        );
        let found = find(&run, &query(Vc::Mtn)).await.unwrap();
        assert_eq!(found.base_revision, id);
        assert!(found.patch.ends_with(b"+++ a\ty\n"));
        assert!(found.notes[0].contains("'b'"), "{:?}", found.notes);
        let mut given = query(Vc::Mtn);
        given.base_revision = Some("h:x");
        let found = find(&run, &given).await.unwrap();
        assert_eq!(
            (found.base_revision.as_str(), found.patch),
            ("h:x", b"other\n".to_vec())
        );
    }

    #[tokio::test]
    async fn a_base_that_is_no_revision_is_refused() {
        let (_directory, run) = stand_in("mtn", "automate*) echo;;");
        let error = find(&run, &query(Vc::Mtn)).await.unwrap_err().to_string();
        assert!(
            error.contains("instead of a revision of 40 hexadecimal digits"),
            "{error}"
        );
    }
}
