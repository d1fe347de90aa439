//! Changes that a plain difference does not show: empty files that are created or removed.

use std::collections::BTreeSet;

/// The names of files with lines in a plain difference.
pub(crate) fn shown_names(patch: &[u8]) -> BTreeSet<String> {
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

/// The names in `changed` that the difference does not show. A directory with other changes inside
/// does not count.
pub(crate) fn unseen(changed: &[String], shown: &BTreeSet<String>) -> Vec<String> {
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
