//! Git: questions about a tree, and [trees](tree) of builds.

pub(crate) mod access;
mod commits;
mod refs;
mod server;
mod tree;
mod version;

pub(crate) use commits::{
    Commit, LOG, LogLimits, LogReader, Node, brought_by, count, parse_walk, walk, wanted,
};
pub(crate) use refs::{list_refs, parse_refs, unspell};
pub(crate) use server::Answer;
pub(crate) use tree::{
    CheckOut, CloneOptions, History, SUBMODULE_URLS, Tags, Untracked, check, check_out, clean,
    clean_submodules, clone, fetch, parse_submodule_urls, sync_submodules, update_submodules,
};
pub(crate) use version::Version;

/// Files in `git status` that a difference does not show completely.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Status {
    /// Files with conflicts.
    pub(crate) unmerged: Vec<String>,
    /// Submodules at another commit.
    pub(crate) moved: Vec<String>,
    /// Submodules with changed or untracked files.
    pub(crate) changed_inside: Vec<String>,
}

/// Parses the output of [`STATUS`].
pub(crate) fn parse_status(output: &[u8]) -> Status {
    let mut status = Status::default();
    let entries = output.split(|byte| *byte == 0);
    for entry in entries.map(String::from_utf8_lossy) {
        let mut words = entry.split(' ');
        let (kind, _, sub) = (words.next(), words.next(), words.next().unwrap_or_default());
        // An ordinary entry has nine words, an entry with conflicts eleven. The last word is the
        // name, which may contain blanks.
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

/// Parses the output of [`FILES`]: the files that git ignores on request (lower-case letters) and
/// the files outside the sparse work tree.
pub(crate) fn hidden_files(listed: &[u8]) -> Vec<String> {
    let entries = listed.split(|byte| *byte == 0);
    let name = |entry: &[u8]| match entry {
        [tag, b' ', name @ ..] if tag.is_ascii_lowercase() || *tag == b'S' => {
            Some(String::from_utf8_lossy(name).into_owned())
        }
        _ => None,
    };
    entries.filter_map(name).collect()
}

/// Shows conflicts and the state of submodules.
pub(crate) const STATUS: [&str; 6] = [
    "status",
    "--porcelain=v2",
    "--untracked-files=no",
    "--ignore-submodules=none",
    "--no-renames",
    "-z",
];

/// Lists files that are neither tracked nor ignored.
pub(crate) const UNTRACKED: [&str; 9] = [
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

/// The difference to `base`, independent of the user's configuration.
pub(crate) fn diff(base: &str) -> Vec<&str> {
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

/// Parses the output of [`CURRENT_BRANCH`].
pub(crate) fn parse_branch(output: &[u8]) -> Option<String> {
    let name = str::from_utf8(output).ok()?.trim_end();
    Some(name.strip_prefix("refs/heads/")?.to_owned())
}

/// The name of a branch on its remote: without the name of the remote and the slash. `remotes` has
/// one remote per line.
pub(crate) fn without_remote<'a>(branch: &'a str, remotes: &str) -> &'a str {
    remotes
        .lines()
        .filter_map(|remote| branch.strip_prefix(remote.trim())?.strip_prefix('/'))
        .filter(|rest| !rest.is_empty())
        .min_by_key(|rest| rest.len())
        .unwrap_or(branch)
}

/// The distance between a base and a tree, in commits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Distance {
    /// Number of commits in the base alone.
    pub(crate) behind: u64,
    /// Number of commits in the tree alone.
    pub(crate) ahead: u64,
}

/// Counts the commits of a range on each side alone.
pub(crate) fn count_commits(range: &str) -> [&str; 5] {
    ["rev-list", "--left-right", "--count", range, "--"]
}

/// Parses the output of [`count_commits`].
pub(crate) fn parse_distance(output: &[u8]) -> Option<Distance> {
    let text = str::from_utf8(output).ok()?;
    let mut counts = text.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(behind)), Some(Ok(ahead))) = (counts.next(), counts.next()) else {
        return None;
    };
    Some(Distance { behind, ahead })
}

/// Prints the commit of a name, given as `NAME^{commit}`.
pub(crate) fn resolve(peeled: &str) -> [&str; 3] {
    ["rev-parse", "--verify", peeled]
}

/// Prints the current branch.
pub(crate) const CURRENT_BRANCH: [&str; 3] = ["symbolic-ref", "--quiet", "HEAD"];

/// Lists the files of a tree with their flags.
pub(crate) const FILES: [&str; 5] = ["ls-files", "-v", "-z", "--", ":/"];

/// The reference of a change of Gerrit: given, or from `CHANGE/PATCHSET`.
pub(crate) fn gerrit_reference(reference: Option<&str>, change: Option<&str>) -> Option<String> {
    if let Some(reference) = reference {
        return Some(reference.to_owned());
    }
    let (change, patch_set) = change?.split_once('/')?;
    let (change, patch_set): (u64, u64) = (change.parse().ok()?, patch_set.parse().ok()?);
    let shard = change % 100;
    Some(format!("refs/changes/{shard:02}/{change}/{patch_set}"))
}

/// Whether options of `git describe` are about the files, so that no commit can be named.
pub(crate) fn describes_the_tree(options: &[String]) -> bool {
    options.iter().any(|option| option.starts_with("--dirty"))
}

/// Settings of git for prompts, as a regular expression for `git config`.
pub(crate) const ASKING_SETTINGS: &str = r"^core\.(askpass|sshcommand)$";

/// Whether a repository may prompt for a password or a passphrase. A repository on the slave's disk
/// does not.
pub(crate) fn may_ask(repourl: &str) -> bool {
    let is_local = repourl.starts_with(['/', '.', '\\']) || repourl.starts_with("file://");
    !is_local && repourl.contains(':')
}

/// Whether a string can be a commit id or the beginning of a commit id.
pub(crate) fn is_hash(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a string is a complete commit id.
pub(crate) fn is_whole_hash(text: &str) -> bool {
    is_hash(text) && matches!(text.len(), 40 | 64)
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
    fn distances_are_read() {
        let distance = |behind, ahead| Some(Distance { behind, ahead });
        assert_eq!(parse_distance(b"0\t1\n"), distance(0, 1));
        assert_eq!(parse_distance(b"2\t3\n"), distance(2, 3));
        assert_eq!(parse_distance(b"huh"), None);
    }

    #[test]
    fn a_change_of_gerrit_has_its_reference() {
        let given = gerrit_reference(Some("refs/changes/34/1234/5"), Some("9/9"));
        assert_eq!(given.as_deref(), Some("refs/changes/34/1234/5"));
        let computed = gerrit_reference(None, Some("1203/5"));
        assert_eq!(computed.as_deref(), Some("refs/changes/03/1203/5"));
        for bad in [None, Some("1234"), Some("1/2/3"), Some("-1/2")] {
            assert_eq!(gerrit_reference(None, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn names_of_commits_are_known() {
        let whole = "a1".repeat(20);
        assert!(is_whole_hash(&whole) && is_hash(&whole));
        assert!(is_hash("a1a1a1a") && !is_whole_hash("a1a1a1a"));
        assert!(!is_hash("a1a1a1") && !is_hash("master-x"));
    }

    #[test]
    fn only_repositories_elsewhere_may_ask() {
        for url in [
            "/srv/p.git",
            "../p",
            "file:///srv/p.git",
            "p",
            "\\\\host\\p",
        ] {
            assert!(!may_ask(url), "{url}");
        }
        for url in [
            "https://example.org/p",
            "ssh://host/p",
            "host:p",
            "me@host:p.git",
        ] {
            assert!(may_ask(url), "{url}");
        }
    }
}
