//! Darcs: the base is the context (the recorded patches since the last tag); level 1.

use std::collections::BTreeSet;

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};
use crate::vc::darcs::{CONTEXT, SUMMARY, binary_files, changed_files, parse_context};
use crate::vc::unseen::{shown_names, unseen};

const NO_TREE: &str = "run it inside a Darcs repository, or name one with --topdir";

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    if query.base_revision.is_some() {
        return Err(VcError::Option(
            "--baserev is not supported for Darcs, whose base is the recorded patches; for another base, give a diff \
             with --diff"
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
    // Exit code 1: no changes.
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
            "binary, which a Darcs diff cannot represent",
        ),
        left_out(
            unseen(&changed, &shown).into_iter(),
            "empty, which a Darcs diff cannot represent",
        ),
        left_out(unknown.into_iter(), "not versioned; use 'darcs add'"),
    ];
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: context,
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
    async fn another_base_is_refused() {
        let (_directory, run) = stand_in("darcs", "");
        let mut query = query(Vc::Darcs);
        query.base_revision = Some("abc");
        let error = find(&run, &query).await.unwrap_err().to_string();
        assert!(
            error.starts_with("--baserev is not supported for Darcs"),
            "{error}"
        );
    }
}
