//! Git: the base is what the branch tracks, else what is checked out; level 1.
//!
//! The patch has binary files in the format of `git apply`, and no renames, because old `patch`
//! programs do not support them. Without `--branch`, the branch is the tracked branch under its
//! name on the remote. (Buildbot sends the local name, which may not exist in the master's
//! repository.)

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};
use crate::vc::git::{
    CURRENT_BRANCH, Distance, FILES, STATUS, UNTRACKED, count_commits, diff, hidden_files,
    is_whole_hash, parse_branch, parse_distance, parse_status, resolve, without_remote,
};

/// The base of the diff.
struct Base {
    branch: Option<String>,
    revision: String,
}

/// The remedy when git itself fails.
const NO_TREE: &str = "run it inside a git work tree, or name one with --topdir";

pub(super) async fn find(run: &Runner, query: &SourceQuery<'_>) -> Result<Found, VcError> {
    let mut notes = Vec::new();
    let base = match (query.base_revision, query.branch) {
        (None, None) => checked_out(run, &mut notes).await?,
        (given, Some(branch)) => {
            let revision = match given {
                Some(given) => commit(run, given, "--baserev").await?,
                None => commit(run, branch, "--branch").await?,
            };
            let remotes = match branch.contains('/') {
                true => run.text(&["remote"], NO_TREE).await?,
                false => String::new(),
            };
            Base {
                branch: Some(without_remote(branch, &remotes).to_owned()),
                revision,
            }
        }
        (Some(given), None) => Base {
            revision: commit(run, given, "--baserev").await?,
            branch: match current_branch(run).await? {
                None => None,
                Some(name) => Some(tracked(run, &name).await?.map_or(name, |to| to.branch)),
            },
        },
    };
    let patch = run
        .output(&diff(&base.revision), MAX_PATCH_BYTES, NO_TREE)
        .await?;
    let range = format!("{}...HEAD", base.revision);
    let counts = run.run(&count_commits(&range), MAX_ANSWER_BYTES).await?;
    if counts.code == Some(0) {
        let distance = parse_distance(&counts.stdout);
        notes.extend(distance.into_iter().flat_map(distance_notes));
    }
    let untracked = run.output(&UNTRACKED, MAX_ANSWER_BYTES, NO_TREE).await?;
    let names = untracked.split(|byte| *byte == 0);
    notes.extend(left_out(
        names.map(|name| String::from_utf8_lossy(name).into_owned()),
        "not tracked; use 'git add'",
    ));
    notes.extend(unseen(run).await?);
    Ok(Found {
        branch: base.branch,
        base_revision: base.revision,
        patch,
        notes,
    })
}

/// Notes on changes that the diff does not show, or shows in an unexpected way.
async fn unseen(run: &Runner) -> Result<Vec<String>, VcError> {
    let output = run.output(&STATUS, MAX_ANSWER_BYTES, NO_TREE).await?;
    let status = parse_status(&output);
    let mut notes = Vec::new();
    if let Some(first) = status.unmerged.first() {
        notes.push(format!(
            "{} files have conflicts, such as '{first}'; the patch includes them as they are",
            status.unmerged.len()
        ));
    }
    notes.extend(status.moved.iter().map(|name| {
        format!("submodule '{name}' is at another commit, which the slaves must be able to fetch: push it")
    }));
    notes.extend(left_out(
        status.changed_inside.into_iter(),
        "changed inside a submodule; commit and push it there",
    ));
    let listed = run.output(&FILES, MAX_PATCH_BYTES, NO_TREE).await?;
    notes.extend(left_out(
        hidden_files(&listed)
            .into_iter()
            .filter(|name| run.top().join(name).exists()),
        "git ignores their changes (use 'git update-index --no-assume-unchanged' or \
         '--no-skip-worktree')",
    ));
    Ok(notes)
}

/// The base without `--branch` and `--baserev`.
async fn checked_out(run: &Runner, notes: &mut Vec<String>) -> Result<Base, VcError> {
    let Some(branch) = current_branch(run).await? else {
        let revision = commit(run, "HEAD", "the checked-out commit").await?;
        notes.push(format!(
            "no branch is checked out, so the base is commit {revision}; the master must be able to fetch it \
             (--branch names another base)"
        ));
        return Ok(Base {
            branch: None,
            revision,
        });
    };
    let Some(upstream) = tracked(run, &branch).await? else {
        notes.push(format!(
            "branch '{branch}' tracks no other branch, so the base is its last commit; the master must be able to fetch it \
             (--branch names another base)"
        ));
        return Ok(Base {
            revision: commit(run, "HEAD", "the checked-out commit").await?,
            branch: Some(branch),
        });
    };
    if upstream.branch != branch {
        notes.push(format!(
            "branch '{branch}' tracks '{}', which is the base",
            upstream.branch
        ));
    }
    let of_branch = format!("{branch}@{{upstream}}^{{commit}}");
    let remedy = format!(
        "branch '{branch}' tracks '{}' of '{}', which is not in this repository; run 'git fetch {}', or name \
         another base",
        upstream.branch, upstream.remote, upstream.remote
    );
    let args = resolve(&of_branch);
    let revision = run.text(&args, &remedy).await?;
    Ok(Base {
        revision: checked_id(run, &args, revision, &remedy)?,
        branch: Some(upstream.branch),
    })
}

/// The checked-out branch, if there is one.
async fn current_branch(run: &Runner) -> Result<Option<String>, VcError> {
    let answer = run.run(&CURRENT_BRANCH, MAX_ANSWER_BYTES).await?;
    match answer.code {
        Some(0) => match parse_branch(&answer.stdout) {
            Some(branch) => Ok(Some(branch)),
            None => Err(run.surprising(
                &CURRENT_BRANCH,
                &answer.stdout,
                "the name of a branch",
                "name the base with --branch",
            )),
        },
        Some(1) if answer.stderr.is_empty() => Ok(None),
        Some(_) | None => Err(answer.failed(NO_TREE)),
    }
}

/// The branch that a local branch tracks.
struct Tracked {
    remote: String,
    branch: String,
}

async fn tracked(run: &Runner, branch: &str) -> Result<Option<Tracked>, VcError> {
    let mut values = Vec::new();
    for key in ["remote", "merge"] {
        let key = format!("branch.{branch}.{key}");
        let answer = run
            .run(&["config", "--get", &key], MAX_ANSWER_BYTES)
            .await?;
        // Exit code 1: the key is missing; 2: the key exists twice, and the last value counts.
        if !matches!(answer.code, Some(0 | 2)) {
            return Ok(None);
        }
        values.push(String::from_utf8_lossy(&answer.stdout).trim().to_owned());
    }
    let merge = values.pop().unwrap_or_default();
    let remote = values.pop().unwrap_or_default();
    if merge.is_empty() || remote.is_empty() {
        return Ok(None);
    }
    let branch = merge.strip_prefix("refs/heads/").unwrap_or(&merge);
    Ok(Some(Tracked {
        remote,
        branch: branch.to_owned(),
    }))
}

/// The commit id of `name`, which was given as `what`.
async fn commit(run: &Runner, name: &str, what: &str) -> Result<String, VcError> {
    let peeled = format!("{name}^{{commit}}");
    let args = resolve(&peeled);
    let remedy = format!("{what} must be a commit of this repository; 'git fetch' may get it");
    let id = run.text(&args, &remedy).await?;
    checked_id(run, &args, id, &remedy)
}

fn checked_id(run: &Runner, args: &[&str], id: String, remedy: &str) -> Result<String, VcError> {
    if is_whole_hash(&id) {
        Ok(id)
    } else {
        Err(run.surprising(args, id.as_bytes(), "the name of a commit", remedy))
    }
}

/// Notes on commits that only the base or only the tree has.
fn distance_notes(distance: Distance) -> Vec<String> {
    let Distance { behind, ahead } = distance;
    let plural = |count| if count == 1 { "" } else { "s" };
    let mut notes = Vec::new();
    if ahead > 0 {
        notes.push(format!(
            "the patch includes {ahead} local commit{} that the base does not have",
            plural(ahead)
        ));
    }
    if behind > 0 {
        notes.push(format!(
            "the patch reverts {behind} commit{} of the base that this tree does not have yet; merge or rebase to \
             try them together",
            plural(behind)
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_noted() {
        let notes = |behind, ahead| distance_notes(Distance { behind, ahead });
        assert_eq!(notes(0, 0), Vec::<String>::new());
        assert_eq!(
            notes(0, 1),
            ["the patch includes 1 local commit that the base does not have"]
        );
        let both = notes(2, 3);
        assert_eq!(both.len(), 2);
        assert!(both[1].starts_with("the patch reverts 2 commits of the base"));
    }
}
