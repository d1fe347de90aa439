//! Bazaar and Breezy: the base is where the submit branch and this one parted; level 0.

use super::run::{MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};

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
    // 1: something differs; 2: something that cannot be shown differs; 3: trouble.
    if !matches!(answer.code, Some(0..=2)) {
        return Err(answer.failed("the base must be a revision of this branch"));
    }
    let mut notes: Vec<String> = left_out(
        binary_files(&answer.stdout).into_iter(),
        "binary, which a difference of Bazaar cannot carry",
    )
    .into_iter()
    .collect();
    notes.extend(left_out(
        unseen_files(&answer.stdout).into_iter(),
        "that it is empty, a link or executable, which a difference of Bazaar cannot carry",
    ));
    let unknown = run
        .text(
            &["--no-aliases", "unknowns"],
            "it is asked for files that are not added",
        )
        .await?;
    notes.extend(left_out(
        unknown.lines().map(str::to_owned),
        "not versioned ('bzr add' takes them in)",
    ));
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: base,
        patch: answer.stdout,
        notes,
    })
}

/// The difference to `base`, with bare names: Breezy's own default is to put `old/` and `new/` before them.
fn diff(base: &str) -> [String; 4] {
    ["--no-aliases", "diff", "--prefix=:", &format!("-r{base}..")].map(str::to_owned)
}

/// The revision of a line with its number and its name.
fn parse_revision(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let (_number, name) = (words.next()?, words.next()?);
    words.next().is_none().then(|| format!("revid:{name}"))
}

/// The binary files that differ.
fn binary_files(patch: &[u8]) -> Vec<String> {
    patch
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let names = line
                .strip_prefix(b"Binary files ")?
                .strip_suffix(b" differ")?;
            let names = String::from_utf8_lossy(names);
            let (old, new) = names.split_once(" and ")?;
            Some(if new == "/dev/null" { old } else { new }.to_owned())
        })
        .collect()
}

/// The files with a change that has no lines, or more to it than its lines: empty ones, modes and links.
fn unseen_files(patch: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut empty: Option<String> = None;
    for line in patch.split(|byte| *byte == b'\n') {
        if let Some(head) = line.strip_prefix(b"=== ") {
            let head = String::from_utf8_lossy(head).into_owned();
            // "=== target is 'a'" follows the name of a link.
            if head.starts_with("target ") {
                continue;
            }
            found.extend(empty.take());
            let name = head.split('\'').nth(1).unwrap_or_default().to_owned();
            if head.contains("(properties changed: ") || head.contains(" symlink ") {
                found.push(name);
            } else if !head.contains(" directory ") {
                empty = Some(name);
            }
        } else if line.starts_with(b"--- ") || line.starts_with(b"Binary files ") {
            empty = None;
        }
    }
    found.extend(empty);
    found
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::run::tests::stand_in;
    use super::super::tests::query;
    use super::*;
    use crate::client::vc::Vc;

    #[test]
    fn the_revision_is_read() {
        assert_eq!(
            parse_revision("1 a@b-20261121051204-09jd2ghyh0eth0vg").as_deref(),
            Some("revid:a@b-20261121051204-09jd2ghyh0eth0vg")
        );
        for text in ["", "1", "1 a b"] {
            assert_eq!(parse_revision(text), None, "{text}");
        }
    }

    #[test]
    fn binary_files_are_found() {
        let patch = b"=== modified file 'b.bin'\nBinary files b.bin and b.bin differ\n\
            +Binary files x and y differ\n";
        assert_eq!(binary_files(patch), ["b.bin"]);
    }

    #[test]
    fn changes_without_lines_are_found() {
        let patch = b"=== removed file 'e'\n=== added symlink 'l'\n=== target is 'a'\n=== modified file 'a'\n\
            --- a\tdate\n+++ a\tdate\n@@ -1,1 +1,1 @@\n-a\n+A\n\n=== added directory 'd'\n=== added file 'n'\n\
            === modified file 'run.sh' (properties changed: -x to +x)\n";
        assert_eq!(unseen_files(patch), ["e", "l", "n", "run.sh"]);
    }

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
