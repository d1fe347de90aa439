//! Subversion: the base is the newest revision of the repository; level 0.
//!
//! The difference is from that revision, not from the ones that files were checked out at, so that one number
//! describes the tree also when its files are from several.

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::unseen::{is_directory, shown_names, special, unseen};
use super::{Found, SourceQuery, VcError, left_out};

const NO_TREE: &str =
    "--topdir or --topfile must lead to a working copy whose repository can be reached";

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    let asked = ["status", "-u"];
    let output = run.output(&asked, MAX_ANSWER_BYTES, NO_TREE).await?;
    let status = parse_status(&output);
    let base = match (query.base_revision, status.revision) {
        (Some(given), _) => given.to_owned(),
        (None, Some(revision)) => revision,
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
    let mut notes = status.notes;
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

/// The difference to `base`: without the user's own program for it, with copied files whole, and without changes of
/// properties, which `patch` cannot apply.
fn diff(base: &str) -> [String; 7] {
    [
        "diff".to_owned(),
        format!("-r{base}"),
        "--internal-diff".to_owned(),
        // In place of options that the user's configuration has, such as one that ignores white space.
        "--extensions".to_owned(),
        "-u".to_owned(),
        "--show-copies-as-adds".to_owned(),
        "--ignore-properties".to_owned(),
    ]
}

#[derive(Debug, Default, Eq, PartialEq)]
struct Status {
    /// The newest revision of the repository.
    revision: Option<String>,
    /// What is new, also if it has history.
    added: Vec<String>,
    /// What is removed.
    removed: Vec<String>,
    notes: Vec<String>,
}

/// Reads what `svn status -u` says of the tree itself; what follows is about externals, which have their own
/// repositories.
fn parse_status(output: &[u8]) -> Status {
    let mut status = Status::default();
    let [
        mut unversioned,
        mut missing,
        mut conflicts,
        mut properties,
        mut old,
        mut external,
    ] = [const { Vec::new() }; 6];
    let mut in_externals = false;
    for line in String::from_utf8_lossy(output).lines() {
        if let Some(rest) = line.strip_prefix("Status against revision:") {
            let revision = rest.trim();
            let is_number = !revision.is_empty() && revision.bytes().all(|b| b.is_ascii_digit());
            if status.revision.is_none() {
                status.revision = is_number.then(|| revision.to_owned());
            }
            in_externals = true;
            continue;
        }
        // Seven columns of one letter each, a blank, one for "out of date", and then revision and name.
        let column = |at: usize| line.as_bytes().get(at).copied().unwrap_or(b' ');
        let name = line.get(21..).or(line.get(9..)).unwrap_or_default().trim();
        let is_prose = ["Summary of", "Performing status"]
            .iter()
            .any(|start| line.starts_with(start));
        if name.is_empty() || is_prose {
            continue;
        }
        if in_externals {
            if b"MADRC".contains(&column(0)) {
                external.push(name.to_owned());
            }
            continue;
        }
        match column(0) {
            b'?' => unversioned.push(name.to_owned()),
            b'!' => missing.push(name.to_owned()),
            b'C' => conflicts.push(name.to_owned()),
            b'A' | b'R' => status.added.push(name.to_owned()),
            b'D' => status.removed.push(name.to_owned()),
            _ => {}
        }
        if column(1) == b'M' {
            properties.push(name.to_owned());
        }
        if column(8) == b'*' {
            old.push(name.to_owned());
        }
    }
    status.notes.extend(left_out(
        unversioned.into_iter(),
        "not versioned ('svn add' takes them in)",
    ));
    status.notes.extend(left_out(
        missing.into_iter(),
        "missing, but not removed with 'svn delete': on the slave they will be there",
    ));
    status.notes.extend(left_out(
        properties.into_iter(),
        "changes of properties, which a patch cannot carry",
    ));
    status.notes.extend(left_out(
        external.into_iter(),
        "changed inside an external, which has a repository of its own",
    ));
    if let Some(first) = conflicts.first() {
        status.notes.push(format!(
            "{} files have conflicts, such as '{first}', and go into the patch as they are",
            conflicts.len()
        ));
    }
    if let Some(first) = old.first() {
        status.notes.push(format!(
            "{} files are out of date, such as '{first}'; the patch takes back what is newer in the repository ('svn \
             update' avoids that)",
            old.len()
        ));
    }
    status
}

/// The files whose difference is not shown because they are binary.
fn binary_files(patch: &[u8]) -> Vec<String> {
    let mut files = Vec::new();
    let mut current: &[u8] = b"";
    for line in patch.split(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"Index: ") {
            current = name;
        } else if line.starts_with(b"Cannot display: file marked as a binary type.") {
            files.push(String::from_utf8_lossy(current).into_owned());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &[u8] = b"M                1   a.txt
A  +             -   cp.txt
X                    ext
D                1   gone.txt
?                    unv.txt
A                -   new.txt
M       *        1   b.bin
!                1   lost one.txt
 M               1   .
Status against revision:      12

Performing status on external item at 'ext':
?                    ext/theirs
Status against revision:      7
";

    #[test]
    fn the_revision_of_the_tree_counts_and_not_that_of_externals() {
        let status = parse_status(STATUS);
        assert_eq!(status.revision.as_deref(), Some("12"));
        let [unversioned, missing, properties, old] = status.notes.as_slice() else {
            panic!("{:?}", status.notes);
        };
        assert!(unversioned.contains("'unv.txt'"), "{unversioned}");
        assert!(missing.contains("'lost one.txt'"), "{missing}");
        assert!(properties.contains("'.'"), "{properties}");
        assert!(old.contains("'b.bin'"), "{old}");
    }

    #[test]
    fn a_clean_tree_has_only_the_revision() {
        let clean = Status {
            revision: Some("1".to_owned()),
            ..Status::default()
        };
        assert_eq!(parse_status(b"Status against revision:      1\n"), clean);
    }

    #[test]
    fn a_status_without_revision_is_noticed() {
        assert_eq!(parse_status(b"").revision, None);
        assert_eq!(
            parse_status(b"Status against revision:   x\n").revision,
            None
        );
    }

    #[test]
    fn binary_files_are_found() {
        let patch = b"Index: a.txt\n=====\n--- a.txt\t(revision 1)\n+++ a.txt\t(working copy)\n@@ -1 +1 @@\n\
            -Index: x\n+Cannot display: file marked as a binary type.\nIndex: b.bin\n=====\n\
            Cannot display: file marked as a binary type.\nsvn:mime-type = application/octet-stream\n";
        assert_eq!(binary_files(patch), ["b.bin"]);
    }
}
