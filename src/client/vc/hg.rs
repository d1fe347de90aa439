//! Mercurial: the base is the newest ancestor that the repository to push to has, else the first parent; level 1.
//!
//! The patch is in the plain form, which every `patch` program reads; only if binary files changed, in the form of
//! git, which can carry them.

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
    let mut patch = run
        .output(&["diff", "-r", &base], MAX_PATCH_BYTES, NO_TREE)
        .await?;
    if has_binary(&patch) {
        patch = run
            .output(&["diff", "--git", "-r", &base], MAX_PATCH_BYTES, NO_TREE)
            .await?;
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
    Ok(Found {
        branch: query.branch.map(str::to_owned),
        base_revision: base,
        patch,
        notes,
    })
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

/// Whether the plain form says that a binary file changed and does not say how.
fn has_binary(patch: &[u8]) -> bool {
    patch
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(b"Binary file ") && line.ends_with(b" has changed"))
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
    fn binary_files_are_noticed_outside_of_hunks() {
        assert!(has_binary(
            b"diff -r 1 b.bin\nBinary file b.bin has changed\n"
        ));
        assert!(!has_binary(
            b"@@ -1,1 +1,1 @@\n+Binary file b.bin has changed\n"
        ));
    }
}
