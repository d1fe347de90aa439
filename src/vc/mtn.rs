//! Monotone.

pub(crate) const BASE: [&str; 2] = ["automate", "get_base_revision_id"];

pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The files with one of these changes in the header: lines such as `# add_file "NAME"`.
pub(crate) fn listed_files(patch: &[u8], changes: &[&str]) -> Vec<String> {
    let lines = patch.split(|byte| *byte == b'\n');
    let name = |line: &[u8]| {
        let line = String::from_utf8_lossy(line.strip_prefix(b"#")?).into_owned();
        let (change, name) = line.trim().split_once(' ')?;
        let name = name.trim().strip_prefix('"')?.strip_suffix('"')?;
        changes.contains(&change).then(|| name.to_owned())
    };
    lines.filter_map(name).collect()
}

/// The binary files that differ.
pub(crate) fn binary_files(patch: &[u8]) -> Vec<String> {
    patch
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"# ")?.strip_suffix(b" is binary"))
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_without_lines_are_found() {
        let patch = b"#\n# add_file \"n\"\n#  content [abc]\n#\n#   delete \"e\"\n#\n# patch \"a\"\n#\n#   set \"run\"\n\
            #  attr \"mtn:execute\"\n# value \"true\"\n#\n====\n--- a\t1\n+++ a\t2\n@@ -1 +1 @@\n-a\n+A\n";
        assert_eq!(listed_files(patch, &["add_file", "delete"]), ["n", "e"]);
        assert_eq!(listed_files(patch, &["set", "clear"]), ["run"]);
    }
}
