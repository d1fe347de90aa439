//! CVS.

mod log;

pub(crate) use log::{FileRevision, LogReader, log};

use chrono::{DateTime, Utc};

/// A time in a format that every CVS reads.
pub(crate) fn time(now: DateTime<Utc>) -> String {
    now.format("%Y-%m-%d %H:%M:%S +0000").to_string()
}

/// The difference to the tree at the time `base`, with added and removed files (`-N`), without the
/// user's options from `.cvsrc` (`-f`).
pub(crate) fn diff(base: &str) -> [&str; 7] {
    ["-f", "-q", "diff", "-u", "-N", "-D", base]
}

/// The files that differ.
pub(crate) fn indexed_files(patch: &[u8]) -> Vec<String> {
    let lines = patch.split(|byte| *byte == b'\n');
    let names = lines.filter_map(|line| line.strip_prefix(b"Index: "));
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

/// The binary files that differ.
pub(crate) fn binary_files(patch: &[u8]) -> Vec<String> {
    let mut files = Vec::new();
    let mut current: &[u8] = b"";
    for line in patch.split(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"Index: ") {
            current = name;
        } else if line.starts_with(b"Binary files ") && line.ends_with(b" differ") {
            files.push(String::from_utf8_lossy(current).into_owned());
        }
    }
    files
}

/// The names after a question mark in the output of `cvs update`.
pub(crate) fn parse_unknown(printed: &str) -> Vec<String> {
    let names = printed.lines().filter_map(|line| line.strip_prefix("? "));
    names.map(str::to_owned).collect()
}

/// The address of a repository without its password. A tree may not have the password.
pub(crate) fn without_password(root: &str) -> String {
    let parts = root.split_once('@').and_then(|(user, host)| {
        let (method, password) = user.rsplit_once(':')?;
        let has_user = method.trim_start_matches(':').contains(':');
        (has_user && !password.is_empty()).then(|| format!("{method}@{host}"))
    });
    parts.unwrap_or_else(|| root.to_owned())
}

/// Whether `repository`, from the file of this name in a tree, is the module.
pub(crate) fn is_module(repository: &str, root: &str, module: &str) -> bool {
    let path = root.rsplit_once(':').map_or(root, |(_, path)| path);
    let below = repository
        .strip_prefix(path)
        .map(|rest| rest.trim_start_matches('/'));
    [Some(repository), below].contains(&Some(module.trim_matches('/')))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_base_is_the_time_in_utc() {
        let now = "2009-02-13T23:31:30.9Z".parse().unwrap();
        assert_eq!(time(now), "2009-02-13 23:31:30 +0000");
    }

    #[test]
    fn a_tree_is_recognized_by_its_place() {
        for (root, plain) in [
            (":pserver:me:pw@h:/cvs", ":pserver:me@h:/cvs"),
            (":pserver:me@h:/cvs", ":pserver:me@h:/cvs"),
            ("me@h:/cvs", "me@h:/cvs"),
            ("/cvs", "/cvs"),
        ] {
            assert_eq!(without_password(root), plain);
        }
        assert!(is_module("mod", "/cvs", "mod") && is_module("/cvs/mod", "/cvs", "mod"));
        assert!(is_module("/cvs/mod", ":ext:h:/cvs", "mod"));
        assert!(!is_module("other", "/cvs", "mod") && !is_module("mod/sub", "/cvs", "mod"));
        assert_eq!(parse_unknown("M f\n? a b\n? d/x\n"), ["a b", "d/x"]);
    }

    #[test]
    fn binary_files_are_found() {
        let patch = b"Index: b.bin\n====\nRCS file: b.bin\ndiff -N b.bin\n\
            Binary files /dev/null and b.bin differ\nIndex: a\n+Binary files x and y differ\n";
        assert_eq!(binary_files(patch), ["b.bin"]);
    }
}
