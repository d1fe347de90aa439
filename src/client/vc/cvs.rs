//! CVS: the base is the current time; level 0. Branches are not supported, because `cvs diff`
//! cannot compare with a time on a branch.
//!
//! The clocks of this machine and of the repository must agree within seconds, as for Buildbot.

use chrono::{DateTime, Utc};

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};
use crate::vc::cvs::{binary_files, diff, indexed_files, time};
use crate::vc::unseen::{shown_names, unseen};

const NO_TREE: &str =
    "--topdir or --topfile must lead to a working directory whose repository can be reached";

pub(super) async fn find(
    run: &Runner,
    query: &SourceQuery<'_>,
    now: DateTime<Utc>,
) -> Result<Found, VcError> {
    if query.branch.is_some() {
        return Err(VcError::Option(
            "--branch is not supported for CVS, which cannot compare with a time on a branch; omit it, or give \
             a diff with --diff and --baserev"
                .to_owned(),
        ));
    }
    let base = query.base_revision.map_or_else(|| time(now), str::to_owned);
    let answer = run.run(&diff(&base), MAX_PATCH_BYTES).await?;
    // Exit code 1 means differences, but most errors have it too.
    let nothing_said = answer.stdout.is_empty() && !answer.stderr.trim().is_empty();
    let is_done = match answer.code {
        Some(0) => true,
        Some(1) => !nothing_said && !answer.stderr.contains(" aborted]"),
        Some(_) | None => false,
    };
    if !is_done {
        return Err(answer.failed(NO_TREE));
    }
    let binary = binary_files(&answer.stdout);
    let mut changed = indexed_files(&answer.stdout);
    changed.retain(|name| !binary.contains(name));
    let empty = unseen(&changed, &shown_names(&answer.stdout));
    // This shows what an update would do, without doing it.
    let update = run
        .run(&["-f", "-n", "-q", "update"], MAX_ANSWER_BYTES)
        .await?;
    let unknown = String::from_utf8_lossy(&update.stdout).into_owned();
    let unknown = unknown.lines().filter_map(|line| line.strip_prefix("? "));
    let notes = [
        left_out(
            binary.into_iter(),
            "binary, which a CVS diff cannot represent",
        ),
        left_out(
            empty.into_iter(),
            "empty, which a CVS diff cannot represent",
        ),
        left_out(unknown.map(str::to_owned), "not versioned; use 'cvs add'"),
    ];
    Ok(Found {
        branch: None,
        base_revision: base,
        patch: answer.stdout,
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

    fn now() -> DateTime<Utc> {
        "2009-02-13T23:31:30.9Z".parse().unwrap()
    }

    #[tokio::test]
    async fn exit_code_1_is_a_difference_or_a_failure() {
        for (script, is_done) in [
            ("echo Index; exit 1", true),
            ("exit 0", true),
            ("exit 1", true),
            ("echo 'cvs diff: x' >&2; echo Index; exit 1", true),
            (
                "echo 'cvs [diff aborted]: x' >&2; echo Index; exit 1",
                false,
            ),
            ("echo 'cvs diff: in directory .' >&2; exit 1", false),
            ("exit 2", false),
        ] {
            let asked = "'-f -q diff -u -N -D 2009-02-13 23:31:30 +0000'";
            let (_directory, run) = stand_in("cvs", &format!("{asked}) {script};;"));
            let found = find(&run, &query(Vc::Cvs), now()).await;
            assert_eq!(found.is_ok(), is_done, "{script}: {found:?}");
        }
    }

    #[tokio::test]
    async fn branches_are_refused() {
        let (_directory, run) = stand_in("cvs", "");
        let mut query = query(Vc::Cvs);
        query.branch = Some("release");
        let error = find(&run, &query, now()).await.unwrap_err().to_string();
        assert!(
            error.starts_with("--branch is not supported for CVS"),
            "{error}"
        );
    }
}
