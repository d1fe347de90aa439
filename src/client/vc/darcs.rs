//! Darcs: the base is the context, that is the list of recorded patches down to the last tag; level 1.

use std::collections::BTreeSet;

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::unseen::{shown_names, unseen};
use super::{Found, SourceQuery, VcError, left_out};

const NO_TREE: &str = "run it inside a Darcs repository, or name one with --topdir";
const SUMMARY: [&str; 3] = ["whatsnew", "--summary", "--look-for-adds"];
const CONTEXT: [&str; 2] = ["changes", "--context"];

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    if query.base_revision.is_some() {
        return Err(VcError::Option(
            "--baserev is not possible with Darcs, where the base is all that is recorded; give the difference to it \
             with --diff too"
                .to_owned(),
        ));
    }
    let output = run.output(&CONTEXT, MAX_ANSWER_BYTES, NO_TREE).await?;
    let Some(context) = parse_context(output.clone()) else {
        return Err(run.surprising(&CONTEXT, &output, "a context in UTF-8", NO_TREE));
    };
    let patch = run
        .output(&["diff", "-u"], MAX_PATCH_BYTES, NO_TREE)
        .await?;
    let binary = binary_files(&patch);
    // Exit code 1: nothing has changed.
    let summary = run.run(&SUMMARY, MAX_ANSWER_BYTES).await?;
    let summary = String::from_utf8_lossy(&summary.stdout).into_owned();
    let shown: BTreeSet<String> = shown_names(&patch)
        .iter()
        .filter_map(|name| Some(name.split_once('/')?.1.to_owned()))
        .collect();
    let mut changed = changed_files(&summary, &["A", "R"]);
    changed.retain(|name| !binary.contains(name));
    let unknown = changed_files(&summary, &["a"]);
    let notes = [
        left_out(
            binary.into_iter(),
            "binary, which a difference of Darcs cannot carry",
        ),
        left_out(
            unseen(&changed, &shown).into_iter(),
            "empty, which a difference of Darcs cannot carry",
        ),
        left_out(
            unknown.into_iter(),
            "not versioned ('darcs add' takes them in)",
        ),
    ];
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: context,
        patch,
        notes: notes.into_iter().flatten().collect(),
    })
}

/// The context byte for byte: Darcs reads it again at the other end.
fn parse_context(output: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(output).ok()?;
    text.lines()
        .any(|line| line.trim_end() == "Context:")
        .then_some(text)
}

/// The files that a summary has with one of these letters; directories end with a slash, and are none.
fn changed_files(summary: &str, letters: &[&str]) -> Vec<String> {
    let names = summary.lines().filter_map(|line| {
        let (letter, name) = line.split_once(" ./")?;
        letters.contains(&letter).then(|| name.to_owned())
    });
    names.filter(|name| !name.ends_with('/')).collect()
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
            let (old, _new) = names.split_once(" and ")?;
            let (_tree, name) = old.split_once('/')?;
            Some(name.to_owned())
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

    #[test]
    fn the_context_is_kept_as_it_is() {
        let context = "\nContext:\n\n\n[first\nme@x**20261121051207\n Ignore-this: 22e7\n] \n";
        assert_eq!(
            parse_context(context.as_bytes().to_vec()).as_deref(),
            Some(context)
        );
        assert_eq!(parse_context(b"huh\n".to_vec()), None);
        assert_eq!(parse_context(b"Context:\n[\xe9]".to_vec()), None);
    }

    #[test]
    fn a_summary_is_read() {
        let summary = "M ./a -1 +1\nR ./e\nA ./n\nA ./dir/\na ./unk\n";
        assert_eq!(changed_files(summary, &["A", "R"]), ["e", "n"]);
        assert_eq!(changed_files(summary, &["a"]), ["unk"]);
    }

    #[test]
    fn binary_files_are_found() {
        let patch = b"diff -rN -u old-w/sub/b.bin new-w/sub/b.bin\n\
            Binary files old-w/sub/b.bin and new-w/sub/b.bin differ\n";
        assert_eq!(binary_files(patch), ["sub/b.bin"]);
    }

    #[tokio::test]
    async fn another_base_is_refused() {
        let (_directory, run) = stand_in("darcs", "");
        let mut query = query(Vc::Darcs);
        query.base_revision = Some("abc");
        let error = find(&run, &query).await.unwrap_err().to_string();
        assert!(
            error.starts_with("--baserev is not possible with Darcs"),
            "{error}"
        );
    }
}
