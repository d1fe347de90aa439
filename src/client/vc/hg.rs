//! Mercurial: the base is the newest ancestor that the repository to push to has, else the first parent; level 1.
//!
//! The patch is in the plain form, which every `patch` program reads; only if there are changes that it cannot carry, in
//! the form of git: binary and empty files, executable bits and links.

use super::run::{MAX_ANSWER_BYTES, MAX_PATCH_BYTES, Runner};
use super::{Found, SourceQuery, VcError, left_out};

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
        "not tracked ('hg add' takes them in)",
    ));
    let missing = ["status", "--deleted", "--no-status", "--print0"];
    let missing = run.output(&missing, MAX_ANSWER_BYTES, NO_TREE).await?;
    let names = missing.split(|byte| *byte == 0);
    notes.extend(left_out(
        names.map(|name| String::from_utf8_lossy(name).into_owned()),
        "missing, but not removed with 'hg remove': on the slave they will be there",
    ));
    let unresolved = run.run(&["resolve", "--list"], MAX_ANSWER_BYTES).await?;
    notes.extend(unresolved_files(&unresolved.stdout));
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

/// The difference to `base`, whatever the user's configuration says about differences.
fn diff(base: &str, of_git: bool) -> Vec<&str> {
    let mut args = vec!["diff"];
    for setting in [
        "diff.git=0",
        "diff.nodates=0",
        "diff.noprefix=0",
        "diff.nobinary=0",
        "diff.showfunc=0",
        "diff.ignorews=0",
        "diff.ignorewsamount=0",
        "diff.ignorewseol=0",
        "diff.ignoreblanklines=0",
        "diff.word-diff=0",
        "diff.unified=3",
    ] {
        args.extend(["--config", setting]);
    }
    if of_git {
        args.push("--git");
    }
    args.extend(["-r", base]);
    args
}

/// Whether a patch in the form of git has something that the plain form cannot carry.
fn needs_git(patch: &[u8]) -> bool {
    let mut begun_empty = false;
    for line in patch.split(|byte| *byte == b'\n') {
        let is_start = line.starts_with(b"diff --git ");
        if begun_empty && (is_start || line.is_empty()) {
            return true;
        }
        let is_plain = line.ends_with(b" 100644");
        let is_new = line.starts_with(b"new file mode ");
        let is_gone = line.starts_with(b"deleted file mode ");
        if line.starts_with(b"new mode ")
            || line == b"GIT binary patch"
            || ((is_new || is_gone) && !is_plain)
        {
            return true;
        }
        begun_empty = is_new || is_gone;
    }
    begun_empty
}

/// What is said of files whose conflicts are not resolved.
fn unresolved_files(listed: &[u8]) -> Option<String> {
    let listed = String::from_utf8_lossy(listed);
    let mut names = listed.lines().filter_map(|line| line.strip_prefix("U "));
    let first = names.next()?;
    Some(format!(
        "{} files have conflicts, such as '{first}', and go into the patch as they are",
        1 + names.count()
    ))
}

/// The files that differ from what is checked out, those in subrepositories as well if these are `included`.
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
            let remedy = "the other repository has no commit of this one; push one first";
            parse_node(&answer.stdout)
                .ok_or_else(|| run.surprising(&asked, &answer.stdout, "a commit", remedy))
        }
        (_, Some(_)) => {
            Err(answer.failed("--repository must name a repository that can be reached"))
        }
        (_, None) => {
            let why = answer
                .stderr
                .lines()
                .next()
                .unwrap_or("it fails")
                .to_owned();
            // A failure which is not about the other repository shows here again.
            let base = node(run, &log("p1()"), NO_TREE).await?;
            notes.push(format!(
                "what was pushed cannot be found ({why}), so the base is the parent of the working directory; the \
                 master must be able to get it (--repository names where commits are pushed to)"
            ));
            Ok(base)
        }
    }
}

/// Prints the names of the commits of a set.
fn log(set: &str) -> [String; 5] {
    ["log", "--template", "{node}\\n", "-r", set].map(str::to_owned)
}

fn newest_published(repository: Option<&str>) -> String {
    match repository {
        None => "max(::. - outgoing())".to_owned(),
        Some(repository) => {
            let quoted = repository.replace('\\', "\\\\").replace('\'', "\\'");
            format!("max(::. - outgoing('{quoted}'))")
        }
    }
}

async fn node(run: &Runner, asked: &[String], remedy: &str) -> Result<String, VcError> {
    let output = run.output(asked, MAX_ANSWER_BYTES, remedy).await?;
    parse_node(&output).ok_or_else(|| run.surprising(asked, &output, "a commit", remedy))
}

/// The first commit of an output, unless it is the one before all others.
fn parse_node(output: &[u8]) -> Option<String> {
    let first = str::from_utf8(output).ok()?.lines().next()?.trim();
    let is_node = first.len() == 40
        && first.bytes().all(|byte| byte.is_ascii_hexdigit())
        && first.bytes().any(|byte| byte != b'0');
    is_node.then(|| first.to_owned())
}

/// Whether a patch in the form of git has binary files.
fn has_binary(patch: &[u8]) -> bool {
    let mut lines = patch.split(|byte| *byte == b'\n');
    lines.any(|line| line == b"GIT binary patch")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_read() {
        let node = "99179bf837827e287fe1d8bbbc03e28d30222750";
        for (output, parsed) in [
            (format!("{node}\n"), Some(node.to_owned())),
            (
                format!("{node}\n{}\n", "a".repeat(40)),
                Some(node.to_owned()),
            ),
            (format!("{}\n", "0".repeat(40)), None),
            ("99179\n".to_owned(), None),
            ("\n".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse_node(output.as_bytes()), parsed, "{output}");
        }
    }

    #[test]
    fn a_repository_is_quoted() {
        assert_eq!(newest_published(None), "max(::. - outgoing())");
        assert_eq!(
            newest_published(Some("/it's\\here")),
            "max(::. - outgoing('/it\\'s\\\\here'))"
        );
    }

    #[test]
    fn the_form_of_git_is_used_where_the_plain_one_is_not_enough() {
        let text = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,1 +1,1 @@\n-a\n+GIT binary patch\n";
        let new = "diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1,1 @@\n+n\n";
        for plain in [text.to_owned(), format!("{new}{text}"), String::new()] {
            assert!(!needs_git(plain.as_bytes()), "{plain}");
            assert!(!has_binary(plain.as_bytes()), "{plain}");
        }
        for head in [
            "new file mode 100644\n",
            "deleted file mode 100644\n",
            "old mode 100644\nnew mode 100755\n",
            "new file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1,1 @@\n+a\n",
            "index 1..2\nGIT binary patch\nliteral 1\n",
        ] {
            let head = format!("diff --git a/l b/l\n{head}");
            for patch in [
                head.clone(),
                format!("{text}{head}"),
                format!("{head}{text}"),
            ] {
                assert!(needs_git(patch.as_bytes()), "{patch}");
            }
        }
        assert!(has_binary(b"diff --git a/b b/b\nGIT binary patch\n"));
    }

    #[test]
    fn unresolved_conflicts_are_told() {
        assert_eq!(unresolved_files(b"R a\n"), None);
        let told = unresolved_files(b"R a\nU b\nU c\n");
        assert!(told.is_some_and(|told| told.starts_with("2 files have conflicts, such as 'b'")));
    }
}
