//! Mercurial.

mod log;

pub(crate) use log::{
    Changeset, LogLimits, LogReader, advance, parse_bookmarks, print, unknown, unknown_of,
};

/// The difference to `base`, independent of the user's configuration.
pub(crate) fn diff(base: &str, of_git: bool) -> Vec<&str> {
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

/// Whether a patch in git format has content that the plain format lacks.
pub(crate) fn needs_git(patch: &[u8]) -> bool {
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

/// Parses the output of `hg resolve --list`: the files with unresolved conflicts.
pub(crate) fn unresolved_files(listed: &[u8]) -> Vec<String> {
    let listed = String::from_utf8_lossy(listed);
    let names = listed.lines().filter_map(|line| line.strip_prefix("U "));
    names.map(str::to_owned).collect()
}

/// Prints the ids of the commits in a revset.
pub(crate) fn log(set: &str) -> [String; 5] {
    ["log", "--template", "{node}\\n", "-r", set].map(str::to_owned)
}

pub(crate) fn newest_published(repository: Option<&str>) -> String {
    match repository {
        None => "max(::. - outgoing())".to_owned(),
        Some(repository) => {
            let quoted = repository.replace('\\', "\\\\").replace('\'', "\\'");
            format!("max(::. - outgoing('{quoted}'))")
        }
    }
}

/// The first commit in the output, unless it is the null revision.
pub(crate) fn parse_node(output: &[u8]) -> Option<String> {
    let first = str::from_utf8(output).ok()?.lines().next()?.trim();
    let is_node = first.len() == 40
        && first.bytes().all(|byte| byte.is_ascii_hexdigit())
        && first.bytes().any(|byte| byte != b'0');
    is_node.then(|| first.to_owned())
}

/// Whether a patch in git format has binary files.
pub(crate) fn has_binary(patch: &[u8]) -> bool {
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
    fn unresolved_conflicts_are_read() {
        assert!(unresolved_files(b"R a\n").is_empty());
        assert_eq!(unresolved_files(b"R a\nU b\nU c\n"), ["b", "c"]);
    }
}
