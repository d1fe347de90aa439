//! Mercurial: the base is the newest ancestor in the repository to push to, otherwise the first
//! parent; level 1.
//!
//! The patch has the plain format, which every `patch` program reads. If there are changes that the
//! plain format cannot represent (binary and empty files, executable bits and links), it has the
//! format of git.

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};
use crate::vc::hg::{
    diff, has_binary, log, needs_git, newest_published, parse_node, unresolved_files,
};

const NO_TREE: &str = "run it inside a Mercurial working directory, or name one with --topdir";
const NO_BASE: &str = "name a base that the master has with --baserev";

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    let mut notes = Vec::new();
    let base = match query.base_revision {
        Some(given) => node(run, &log(given), NO_BASE).await?,
        None => published(run, query.repository, &mut notes).await?,
    };
    let of_git = run
        .output(&diff(&base, true), MAX_PATCH_BYTES, NO_TREE)
        .await?;
    let patch = if needs_git(&of_git) {
        of_git
    } else {
        run.output(&diff(&base, false), MAX_PATCH_BYTES, NO_TREE)
            .await?
    };
    if has_binary(&patch) {
        notes.push(
            "binary files changed; 'git apply' and 'hg import' can apply this patch, 'patch' cannot".to_owned(),
        );
    }
    let local = run
        .output(&log(&format!("only(., {base})")), MAX_ANSWER_BYTES, NO_TREE)
        .await?;
    match local
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .count()
    {
        0 => {}
        1 => notes.push("the patch includes 1 local commit that the base does not have".to_owned()),
        count => notes.push(format!(
            "the patch includes {count} local commits that the base does not have"
        )),
    }
    let unknown = ["status", "--unknown", "--no-status", "--print0"];
    let unknown = run.output(&unknown, MAX_ANSWER_BYTES, NO_TREE).await?;
    let names = unknown.split(|byte| *byte == 0);
    notes.extend(left_out(
        names.map(|name| String::from_utf8_lossy(name).into_owned()),
        "not tracked; use 'hg add'",
    ));
    let missing = ["status", "--deleted", "--no-status", "--print0"];
    let missing = run.output(&missing, MAX_ANSWER_BYTES, NO_TREE).await?;
    let names = missing.split(|byte| *byte == 0);
    notes.extend(left_out(
        names.map(|name| String::from_utf8_lossy(name).into_owned()),
        "missing, but not removed with 'hg remove'; they will exist on the slave",
    ));
    let unresolved = run.run(&["resolve", "--list"], MAX_ANSWER_BYTES).await?;
    let unresolved = unresolved_files(&unresolved.stdout);
    notes.extend(unresolved.first().map(|first| {
        format!(
            "{} files have conflicts, such as '{first}'; the patch includes them as they are",
            unresolved.len()
        )
    }));
    let ours = subrepository_changes(run, false).await?;
    let all = subrepository_changes(run, true).await?;
    notes.extend(left_out(
        all.into_iter().filter(|name| !ours.contains(name)),
        "changed inside a subrepository; commit it there",
    ));
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: base,
        patch,
        notes,
    })
}

/// The changed files, with those in subrepositories if these are `included`.
async fn subrepository_changes(run: &Runner, included: bool) -> Result<Vec<String>, VcError> {
    let mut args = vec!["status", "-mard", "--no-status", "--print0"];
    if included {
        args.push("--subrepos");
    }
    let output = run.output(&args, MAX_ANSWER_BYTES, NO_TREE).await?;
    let names = output.split(|byte| *byte == 0);
    Ok(names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}

/// The newest ancestor that the other repository has.
async fn published(
    run: &Runner,
    repository: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<String, VcError> {
    let asked = log(&newest_published(repository));
    let answer = run.run(&asked, MAX_ANSWER_BYTES).await?;
    match (answer.code, repository) {
        (Some(0), _) => {
            let remedy = "the other repository has no commit of this repository; push one first";
            parse_node(&answer.stdout)
                .ok_or_else(|| run.surprising(&asked, &answer.stdout, "a commit", remedy))
        }
        (_, Some(_)) => Err(answer.failed("--repository must name a reachable repository")),
        (_, None) => {
            let why = answer
                .stderr
                .lines()
                .next()
                .unwrap_or("it fails")
                .to_owned();
            // A failure unrelated to the other repository occurs here again.
            let base = node(run, &log("p1()"), NO_TREE).await?;
            notes.push(format!(
                "the pushed commits are unknown ({why}), so the base is the parent of the working directory; the \
                 master must be able to fetch it (--repository names the repository to push to)"
            ));
            Ok(base)
        }
    }
}

async fn node(run: &Runner, asked: &[String], remedy: &str) -> Result<String, VcError> {
    let output = run.output(asked, MAX_ANSWER_BYTES, remedy).await?;
    parse_node(&output).ok_or_else(|| run.surprising(asked, &output, "a commit", remedy))
}
