//! Git: the base is what the branch tracks, else what is checked out; level 1.
//!
//! The patch has binary files in the form that `git apply` takes, and no renames, which old `patch` programs do not
//! know. Without a given branch the branch is the tracked one as its remote calls it. (Buildbot sends the local name,
//! which the master's repository need not have.)

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};

/// What the difference is relative to.
struct Base {
    branch: Option<String>,
    revision: String,
}

/// What to do when git itself refuses.
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
    let counts = run
        .run(
            &["rev-list", "--left-right", "--count", &range, "--"],
            MAX_ANSWER_BYTES,
        )
        .await?;
    if counts.code == Some(0) {
        notes.extend(distance(&counts.stdout));
    }
    let untracked = run.output(&UNTRACKED, MAX_ANSWER_BYTES, NO_TREE).await?;
    let names = untracked.split(|byte| *byte == 0);
    notes.extend(left_out(
        names.map(|name| String::from_utf8_lossy(name).into_owned()),
        "not tracked ('git add' takes them in)",
    ));
    notes.extend(unseen(run).await?);
    Ok(Found {
        branch: base.branch,
        base_revision: base.revision,
        patch,
        notes,
    })
}

/// Notes on what the difference does not show, or shows as people may not expect it.
async fn unseen(run: &Runner) -> Result<Vec<String>, VcError> {
    let output = run.output(&STATUS, MAX_ANSWER_BYTES, NO_TREE).await?;
    let status = parse_status(&output);
    let mut notes = Vec::new();
    if let Some(first) = status.unmerged.first() {
        notes.push(format!(
            "{} files have conflicts, such as '{first}', and go into the patch as they are",
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
    let listed = run
        .output(
            &["ls-files", "-v", "-z", "--", ":/"],
            MAX_PATCH_BYTES,
            NO_TREE,
        )
        .await?;
    notes.extend(left_out(
        hidden_files(&listed)
            .into_iter()
            .filter(|name| run.top().join(name).exists()),
        "git is told not to look at changes of it ('git update-index --no-assume-unchanged' or \
         '--no-skip-worktree' ends that)",
    ));
    Ok(notes)
}

/// What `git status` tells of files that a difference does not show whole.
#[derive(Debug, Default, Eq, PartialEq)]
struct Status {
    unmerged: Vec<String>,
    /// Submodules at another commit.
    moved: Vec<String>,
    /// Submodules with files that are changed or not tracked.
    changed_inside: Vec<String>,
}

fn parse_status(output: &[u8]) -> Status {
    let mut status = Status::default();
    let entries = output.split(|byte| *byte == 0);
    for entry in entries.map(String::from_utf8_lossy) {
        let mut words = entry.split(' ');
        let (kind, _, sub) = (words.next(), words.next(), words.next().unwrap_or_default());
        // An ordinary entry has nine words, one with conflicts eleven; the name is the last, and may have blanks.
        let name = |words: usize| {
            let name = entry.splitn(words, ' ').nth(words - 1);
            name.unwrap_or_default().to_owned()
        };
        match kind {
            Some("u") => status.unmerged.push(name(11)),
            Some("1") if sub.starts_with('S') => {
                if sub.get(1..2) == Some("C") {
                    status.moved.push(name(9));
                }
                if sub.get(2..4) != Some("..") {
                    status.changed_inside.push(name(9));
                }
            }
            Some(_) | None => {}
        }
    }
    status
}

/// The files that git is told not to look at: lower-case letters, and those left out of the work tree.
fn hidden_files(listed: &[u8]) -> Vec<String> {
    let entries = listed.split(|byte| *byte == 0);
    let name = |entry: &[u8]| match entry {
        [tag, b' ', name @ ..] if tag.is_ascii_lowercase() || *tag == b'S' => {
            Some(String::from_utf8_lossy(name).into_owned())
        }
        _ => None,
    };
    entries.filter_map(name).collect()
}

const STATUS: [&str; 6] = [
    "status",
    "--porcelain=v2",
    "--untracked-files=no",
    "--ignore-submodules=none",
    "--no-renames",
    "-z",
];

const UNTRACKED: [&str; 9] = [
    "ls-files",
    "--others",
    "--exclude-standard",
    "--directory",
    "--no-empty-directory",
    "--full-name",
    "-z",
    "--",
    ":/",
];

/// The difference to `base`, whatever the user's configuration says about differences.
fn diff(base: &str) -> Vec<&str> {
    vec![
        "-c",
        "core.quotePath=false",
        "-c",
        "diff.relative=false",
        "diff",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        "--no-textconv",
        "--no-ext-diff",
        "--no-color",
        "--no-renames",
        "--submodule=short",
        "--ignore-submodules=dirty",
        "--binary",
        "--unified=3",
        base,
        "--",
    ]
}

/// The base when nothing is given.
async fn checked_out(run: &Runner, notes: &mut Vec<String>) -> Result<Base, VcError> {
    let Some(branch) = current_branch(run).await? else {
        let revision = commit(run, "HEAD", "the checked-out commit").await?;
        notes.push(format!(
            "no branch is checked out, so the base is the commit {revision}; the master must be able to get it \
             (--branch names another base)"
        ));
        return Ok(Base {
            branch: None,
            revision,
        });
    };
    let Some(upstream) = tracked(run, &branch).await? else {
        notes.push(format!(
            "branch '{branch}' tracks no other, so the base is its last commit; the master must be able to get it \
             (--branch names another base)"
        ));
        return Ok(Base {
            revision: commit(run, "HEAD", "the checked-out commit").await?,
            branch: Some(branch),
        });
    };
    if upstream.branch != branch {
        notes.push(format!(
            "branch '{branch}' tracks '{}', which is tried",
            upstream.branch
        ));
    }
    let of_branch = format!("{branch}@{{upstream}}^{{commit}}");
    let remedy = format!(
        "branch '{branch}' tracks '{}' of '{}', which is not known here: 'git fetch {}' gets it, or --branch names \
         another base",
        upstream.branch, upstream.remote, upstream.remote
    );
    let args = ["rev-parse", "--verify", &of_branch];
    let revision = run.text(&args, &remedy).await?;
    Ok(Base {
        revision: checked_id(run, &args, revision, &remedy)?,
        branch: Some(upstream.branch),
    })
}

/// The branch that is checked out, if there is one.
async fn current_branch(run: &Runner) -> Result<Option<String>, VcError> {
    let args = ["symbolic-ref", "--quiet", "HEAD"];
    let answer = run.run(&args, MAX_ANSWER_BYTES).await?;
    match answer.code {
        Some(0) => match parse_branch(&answer.stdout) {
            Some(branch) => Ok(Some(branch)),
            None => Err(run.surprising(
                &args,
                &answer.stdout,
                "the name of a branch",
                "name the base with --branch",
            )),
        },
        Some(1) if answer.stderr.is_empty() => Ok(None),
        Some(_) | None => Err(answer.failed(NO_TREE)),
    }
}

fn parse_branch(output: &[u8]) -> Option<String> {
    let name = str::from_utf8(output).ok()?.trim_end();
    Some(name.strip_prefix("refs/heads/")?.to_owned())
}

/// What a branch tracks.
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
        // Exit code 1: there is no such key; 2: it is there twice, and the last counts.
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

/// The commit that `name` is, which was given as `what`.
async fn commit(run: &Runner, name: &str, what: &str) -> Result<String, VcError> {
    let peeled = format!("{name}^{{commit}}");
    let args = ["rev-parse", "--verify", &peeled];
    let remedy =
        format!("{what} must be a commit that this repository has; 'git fetch' may get it");
    let id = run.text(&args, &remedy).await?;
    checked_id(run, &args, id, &remedy)
}

fn checked_id(run: &Runner, args: &[&str], id: String, remedy: &str) -> Result<String, VcError> {
    let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id {
        Ok(id)
    } else {
        Err(run.surprising(args, id.as_bytes(), "the name of a commit", remedy))
    }
}

/// A branch as its remote calls it: without the name of the remote and the slash. `remotes` has one a line.
fn without_remote<'a>(branch: &'a str, remotes: &str) -> &'a str {
    remotes
        .lines()
        .filter_map(|remote| branch.strip_prefix(remote.trim())?.strip_prefix('/'))
        .filter(|rest| !rest.is_empty())
        .min_by_key(|rest| rest.len())
        .unwrap_or(branch)
}

/// What to know of the commits that the base has and the tree has not, and the other way round.
fn distance(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let mut counts = text.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(behind)), Some(Ok(ahead))) = (counts.next(), counts.next()) else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    if ahead > 0 {
        notes.push(format!(
            "the patch includes {ahead} local commit{} that the base does not have",
            if ahead == 1 { "" } else { "s" }
        ));
    }
    if behind > 0 {
        notes.push(format!(
            "the patch takes back {behind} commit{} of the base that this tree does not have yet; merge or rebase to \
             try them together",
            if behind == 1 { "" } else { "s" }
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_and_conflicts_are_read() {
        let status = b"1 .M SC.. 160000 160000 160000 a b sub\x001 .M S.MU 160000 160000 160000 a b other one\0\
            1 .M N... 100644 100644 100644 a b f\0u UU N... 100644 100644 100644 100644 a b c x y\0";
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = Status {
            unmerged: names(&["x y"]),
            moved: names(&["sub"]),
            changed_inside: names(&["other one"]),
        };
        assert_eq!(parse_status(status), expected);
    }

    #[test]
    fn files_that_git_does_not_look_at_are_found() {
        assert_eq!(hidden_files(b"H a\0h b c\0S d\0"), ["b c", "d"]);
    }

    #[test]
    fn the_remote_is_taken_off_a_branch() {
        let remotes = "origin\norig\nteam/alice\nteam\n";
        for (branch, stripped) in [
            ("origin/master", "master"),
            ("origin/feature/x", "feature/x"),
            ("orig/master", "master"),
            ("original/master", "original/master"),
            ("team/alice/x", "x"),
            ("team/bob", "bob"),
            ("master", "master"),
            ("origin/", "origin/"),
            ("upstream/master", "upstream/master"),
        ] {
            assert_eq!(without_remote(branch, remotes), stripped);
        }
        assert_eq!(without_remote("a/b", "\n"), "a/b");
    }

    #[test]
    fn branches_are_read_whole() {
        assert_eq!(parse_branch(b"refs/heads/a/b\n").as_deref(), Some("a/b"));
        assert_eq!(parse_branch(b"refs/remotes/origin/x\n"), None);
        assert_eq!(parse_branch(b"refs/heads/\xe9\n"), None);
    }

    #[test]
    fn distances_are_told() {
        assert_eq!(distance(b"0\t0\n"), Vec::<String>::new());
        assert_eq!(
            distance(b"0\t1\n"),
            ["the patch includes 1 local commit that the base does not have"]
        );
        let both = distance(b"2\t3\n");
        assert_eq!(both.len(), 2);
        assert!(both[1].starts_with("the patch takes back 2 commits of the base"));
        assert_eq!(distance(b"huh"), Vec::<String>::new());
    }
}
