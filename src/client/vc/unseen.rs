//! What a plain difference does not show: files that are created or removed empty, modes and links.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The names of files that have lines in a plain difference.
pub(super) fn shown_names(patch: &[u8]) -> BTreeSet<String> {
    let name = |line: &[u8]| {
        let name = line
            .strip_prefix(b"--- ")
            .or_else(|| line.strip_prefix(b"+++ "))?;
        let name = name.split(|byte| *byte == b'\t').next().unwrap_or_default();
        Some(String::from_utf8_lossy(name).into_owned())
    };
    let lines = patch.split(|byte| *byte == b'\n');
    lines.filter_map(name).collect()
}

/// Those of the `changed` names of which the difference shows nothing. A directory is none if something in it changed too.
pub(super) fn unseen(changed: &[String], shown: &BTreeSet<String>) -> Vec<String> {
    let is_parent = |name: &str| {
        let inside = format!("{name}/");
        let mut others = changed.iter().chain(shown);
        others.any(|other| other.starts_with(&inside))
    };
    let unseen = changed
        .iter()
        .filter(|name| !shown.contains(*name) && !is_parent(name));
    unseen.cloned().collect()
}

/// The names of new files whose kind a plain difference does not tell: links and executable files.
pub(super) fn special(top: &Path, added: &[String]) -> Vec<String> {
    let is_special = |name: &&String| {
        fs::symlink_metadata(top.join(name)).is_ok_and(|found| {
            found.is_symlink() || (found.is_file() && found.permissions().mode() & 0o100 != 0)
        })
    };
    added.iter().filter(is_special).cloned().collect()
}

/// Whether a name is of a directory.
pub(super) fn is_directory(top: &Path, name: &str) -> bool {
    fs::symlink_metadata(top.join(name)).is_ok_and(|found| found.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_lines_are_found() {
        let patch =
            b"Index: a\n===\n--- a\t(revision 1)\n+++ a\t(working copy)\n@@ -1 +1 @@\n-x\n+y\n\
            Index: new\n===\n";
        let shown = shown_names(patch);
        let changed = ["a", "new", "dir", "dir/gone"].map(str::to_owned);
        assert_eq!(unseen(&changed, &shown), ["new", "dir/gone"]);
    }
}
