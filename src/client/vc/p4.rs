//! Perforce: the base is the last change of the files at and below the directory; level 0. The
//! branch must be given.
//!
//! Perforce names files by their depot paths; the patch names them by the part after
//! `//depot/BRANCH/`. A branch that begins with `//` is a complete depot path, for depots with
//! other names (our addition).

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};
use crate::vc::p4::{LAST_CHANGE, not_edited, parse_change, place, rewrite};

const NO_TREE: &str =
    "run it in a client's workspace, or name one with --topdir, with P4PORT and P4CLIENT set";

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    let Some(branch) = query.branch else {
        return Err(VcError::Option(
            "Perforce needs --branch: the part between //depot/ and the names of files, or a complete depot path that begins \
             with //"
                .to_owned(),
        ));
    };
    let base = match query.base_revision {
        Some(given) => given.to_owned(),
        None => {
            let text = run.text(&LAST_CHANGE, NO_TREE).await?;
            parse_change(&text).ok_or_else(|| {
                let expected = "'Change' and a number";
                run.surprising(&LAST_CHANGE, text.as_bytes(), expected, NO_TREE)
            })?
        }
    };
    let difference = run
        .output(&["diff", "-du"], MAX_PATCH_BYTES, NO_TREE)
        .await?;
    let rewritten = rewrite(&difference, &place(branch));
    if rewritten.patch.is_empty() && !rewritten.elsewhere.is_empty() {
        return Err(VcError::Option(format!(
            "no opened file is in {} (for example, '{}' is not); --branch must name their depot path",
            place(branch),
            rewritten.elsewhere.first().map_or("", String::as_str)
        )));
    }
    let mut notes = Vec::new();
    notes.extend(left_out(
        rewritten.elsewhere.into_iter(),
        "outside of the branch",
    ));
    notes.extend(left_out(
        rewritten.binary.into_iter(),
        "binary, which a Perforce diff cannot represent",
    ));
    let opened = run.run(&["opened"], MAX_ANSWER_BYTES).await?;
    notes.extend(left_out(
        not_edited(&String::from_utf8_lossy(&opened.stdout)).into_iter(),
        "opened for add or delete, which 'p4 diff' does not show",
    ));
    Ok(Found {
        branch: Some(branch.to_owned()),
        base_revision: base,
        patch: rewritten.patch,
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
    use crate::vc::p4::tests::{DIFFERENCE, PATCH};

    #[tokio::test]
    async fn base_and_difference_are_asked_for() {
        let (_directory, run) = stand_in(
            "p4",
            &format!(
                "'changes -m1 ...') echo \"Change 12 on 2009/02/13 by me@client 'x'\";;\n\
                 'diff -du') cat <<'END'\n{DIFFERENCE}END\n;;\n\
                 opened) echo '//depot/main/new.txt#1 - add default change (text)';\n\
                 echo '//depot/main/sub/a-b.txt#3 - edit default change (text)';;"
            ),
        );
        let mut query = query(Vc::P4);
        query.branch = Some("main");
        let found = find(&run, &query).await.unwrap();
        assert_eq!(found.base_revision, "12");
        assert_eq!(String::from_utf8(found.patch).unwrap(), PATCH);
        assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
        assert!(found.notes[1].contains("'//depot/main/new.txt'"));

        query.branch = Some("elsewhere");
        let error = find(&run, &query).await.unwrap_err().to_string();
        assert!(
            error.starts_with("no opened file is in //depot/elsewhere/"),
            "{error}"
        );
        query.branch = None;
        let error = find(&run, &query).await.unwrap_err().to_string();
        assert!(error.starts_with("Perforce needs --branch"), "{error}");
    }
}
