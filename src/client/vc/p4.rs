//! Perforce: the base is the last change of the files at and below the directory; level 0. The branch must be given.
//!
//! Perforce names files by their place in the depot; the patch names them by what follows `//depot/BRANCH/`. A branch
//! that begins with `//` is such a place as a whole, for depots of other names (ours).

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};

const NO_TREE: &str =
    "run it in a client's workspace, or name one with --topdir, with P4PORT and P4CLIENT set";
const LAST_CHANGE: [&str; 3] = ["changes", "-m1", "..."];

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    let Some(branch) = query.branch else {
        return Err(VcError::Option(
            "Perforce needs --branch: what lies between //depot/ and the names of files, or a whole place that begins \
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
            "none of the opened files lies in {}, and '{}' does not; --branch must name where they are",
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
        "binary, which a difference of Perforce cannot carry",
    ));
    let opened = run.run(&["opened"], MAX_ANSWER_BYTES).await?;
    notes.extend(left_out(
        not_edited(&String::from_utf8_lossy(&opened.stdout)).into_iter(),
        "opened to add or delete them, which 'p4 diff' does not show",
    ));
    Ok(Found {
        branch: Some(branch.to_owned()),
        base_revision: base,
        patch: rewritten.patch,
        notes,
    })
}

/// The number of the change in `Change 12 on …`.
fn parse_change(text: &str) -> Option<String> {
    let rest = text.strip_prefix("Change ")?;
    let number = rest.split_whitespace().next()?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.to_owned())
}

/// The place of a branch in the depot, with a slash at its end.
fn place(branch: &str) -> String {
    let branch = branch.trim_end_matches('/');
    if branch.starts_with("//") {
        format!("{branch}/")
    } else {
        format!("//depot/{branch}/")
    }
}

#[derive(Debug, Default, Eq, PartialEq)]
struct Rewritten {
    patch: Vec<u8>,
    elsewhere: Vec<String>,
    binary: Vec<String>,
}

/// Gives each file the two lines that `patch` wants, and drops files that are not in `place`.
fn rewrite(difference: &[u8], place: &str) -> Rewritten {
    let mut rewritten = Rewritten::default();
    let mut current = None;
    for line in difference.split_inclusive(|byte| *byte == b'\n') {
        if let Some((file, revision)) = parse_header(line) {
            current = file.strip_prefix(place).map(plain_name);
            match &current {
                Some(name) => {
                    let lines = format!("--- {name}#{revision}\n+++ {name}\n");
                    rewritten.patch.extend_from_slice(lines.as_bytes());
                }
                None => rewritten.elsewhere.push(file),
            }
        } else if let Some(name) = &current {
            if line.trim_ascii() == b"(... files differ ...)" {
                rewritten.binary.push(name.clone());
            } else {
                rewritten.patch.extend_from_slice(line);
            }
        }
    }
    rewritten
}

/// File and revision of `==== //depot/main/a.txt#3 - /home/me/a.txt ====`.
fn parse_header(line: &[u8]) -> Option<(String, u64)> {
    let line = line.strip_prefix(b"==== ")?;
    let line = String::from_utf8_lossy(line);
    let (file, rest) = line.split_once('#')?;
    let (revision, _local) = rest.split_once(" - ")?;
    Some((file.to_owned(), revision.parse().ok()?))
}

/// A name without Perforce's spelling of its special characters.
fn plain_name(name: &str) -> String {
    name.replace("%40", "@")
        .replace("%23", "#")
        .replace("%2A", "*")
        .replace("%25", "%")
}

/// The files of lines like `//depot/main/new.txt#1 - add default change (text)` that are not opened to edit them.
fn not_edited(opened: &str) -> Vec<String> {
    opened
        .lines()
        .filter_map(|line| {
            let (file, rest) = line.split_once('#')?;
            let (_revision, action) = rest.split_once(" - ")?;
            let action = action.split_whitespace().next()?;
            (!matches!(action, "edit" | "integrate")).then(|| file.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::run::tests::stand_in;
    use super::super::tests::query;
    use super::*;
    use crate::client::vc::Vc;

    const DIFFERENCE: &str = "==== //depot/main/sub/a-b.txt#3 - /home/me/w/sub/a-b.txt ====
@@ -1,2 +1,2 @@
 a
-b
+B
==== //depot/other/x.txt#1 - /home/me/o/x.txt ====
@@ -1 +1 @@
-x
+X
==== //depot/main/we%40ird.txt#12 - /home/me/w/we@ird.txt ====
@@ -1 +1 @@
-w
+==== W
";

    const PATCH: &str = "--- sub/a-b.txt#3
+++ sub/a-b.txt
@@ -1,2 +1,2 @@
 a
-b
+B
--- we@ird.txt#12
+++ we@ird.txt
@@ -1 +1 @@
-w
+==== W
";

    #[test]
    fn depot_names_become_names_in_the_tree() {
        for branch in ["main", "main/", "//depot/main"] {
            let rewritten = rewrite(DIFFERENCE.as_bytes(), &place(branch));
            assert_eq!(String::from_utf8(rewritten.patch).unwrap(), PATCH);
            assert_eq!(rewritten.elsewhere, ["//depot/other/x.txt"]);
        }
    }

    #[test]
    fn binary_files_are_named() {
        let difference = b"==== //depot/main/b.bin#1 - /w/b.bin ====\n(... files differ ...)\n";
        let rewritten = rewrite(difference, "//depot/main/");
        assert_eq!(rewritten.binary, ["b.bin"]);
    }

    #[test]
    fn the_last_change_is_read() {
        let text = "Change 4711 on 2009/02/13 by me@client 'Fix it'";
        assert_eq!(parse_change(text).as_deref(), Some("4711"));
        assert_eq!(parse_change(""), None);
        assert_eq!(parse_change("Change of mind"), None);
    }

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
            error.starts_with("none of the opened files lies in //depot/elsewhere/"),
            "{error}"
        );
        query.branch = None;
        let error = find(&run, &query).await.unwrap_err().to_string();
        assert!(error.starts_with("Perforce needs --branch"), "{error}");
    }
}
