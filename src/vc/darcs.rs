//! Darcs.

use super::patch::differing_binaries;

pub(crate) const SUMMARY: [&str; 3] = ["whatsnew", "--summary", "--look-for-adds"];

pub(crate) const CONTEXT: [&str; 2] = ["changes", "--context"];

/// The context, byte for byte, because Darcs reads it again on the slave.
pub(crate) fn parse_context(output: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(output).ok()?;
    text.lines()
        .any(|line| line.trim_end() == "Context:")
        .then_some(text)
}

/// The files in a summary with one of these letters, without directories, which end with a slash.
pub(crate) fn changed_files(summary: &str, letters: &[&str]) -> Vec<String> {
    let names = summary.lines().filter_map(|line| {
        let (letter, name) = line.split_once(" ./")?;
        letters.contains(&letter).then(|| name.to_owned())
    });
    names.filter(|name| !name.ends_with('/')).collect()
}

/// The binary files that differ.
pub(crate) fn binary_files(patch: &[u8]) -> Vec<String> {
    let name = |(old, _new): (String, String)| Some(old.split_once('/')?.1.to_owned());
    differing_binaries(patch).filter_map(name).collect()
}

/// Whether a text is a context.
pub(crate) fn is_context(text: &str) -> bool {
    text.lines().any(|line| line.trim_end() == "Context:")
}

/// Whether a text is the hash of a patch.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The hash in the first line of `darcs log`.
pub(crate) fn parse_hash(log: &str) -> Option<String> {
    let hash = log.lines().next()?.strip_prefix("patch ")?.trim();
    is_hash(hash).then(|| hash.to_owned())
}

/// The repository that a tree comes from, from `darcs show repo`.
pub(crate) fn parse_remote(shown: &str) -> Option<String> {
    let mut lines = shown.lines().map(str::trim);
    let remote = lines.find_map(|line| line.strip_prefix("Default Remote:"))?;
    Some(remote.trim().trim_end_matches('/').to_owned())
}

/// Whether a tree has patches, from `darcs show repo`. In garbage Darcs sees no patch, and adds new
/// ones to it.
pub(crate) fn has_patches(shown: &str) -> bool {
    let mut lines = shown.lines().map(str::trim);
    let count = lines.find_map(|line| line.strip_prefix("Num Patches:"));
    count.is_none_or(|count| count.trim() != "0")
}

/// The names in a summary that are not in the repository, directories too.
pub(crate) fn new_names(summary: &str) -> Vec<String> {
    let names = summary.lines().filter_map(|line| line.strip_prefix("a ./"));
    names
        .map(|name| name.trim_end_matches('/').to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_and_places_are_read() {
        let hash = "d6212c0d0d268f9408e0a5099dfb8f4d29a65510";
        let log = format!("patch {hash}\nAuthor: me@e\n  * one\n");
        assert_eq!(parse_hash(&log).as_deref(), Some(hash));
        assert_eq!(parse_hash("Fri Nov 27 me@e\n  * one\n"), None);
        assert!(is_context("\nContext:\n\n[x\n] \n") && !is_context(hash));
        let shown = "         Format: hashed\n Default Remote: /srv/r/\n    Num Patches: 1\n";
        assert_eq!(parse_remote(shown).as_deref(), Some("/srv/r"));
        assert!(has_patches(shown) && has_patches(""));
        assert!(!has_patches("   Num Patches: 0\n"));
        assert_eq!(
            new_names("M ./f +1\na ./d/\na ./d/x y\nA ./z\n"),
            ["d", "d/x y"]
        );
    }

    #[test]
    fn the_context_is_kept_as_it_is() {
        let context = "\nContext:\n\n\n[first\nme@x**20261121051207\n Ignore-this: 22e7\n] \n";
        assert_eq!(
            parse_context(context.as_bytes().to_vec()).as_deref(),
            Some(context)
        );
        assert_eq!(parse_context(b"huh\n".to_vec()), None);
        assert_eq!(parse_context(b"Context:\n[\xe9]".to_vec()), None);
    }

    #[test]
    fn a_summary_is_read() {
        let summary = "M ./a -1 +1\nR ./e\nA ./n\nA ./dir/\na ./unk\n";
        assert_eq!(changed_files(summary, &["A", "R"]), ["e", "n"]);
        assert_eq!(changed_files(summary, &["a"]), ["unk"]);
    }

    #[test]
    fn binary_files_are_found() {
        let patch = b"diff -rN -u old-w/sub/b.bin new-w/sub/b.bin\n\
            Binary files old-w/sub/b.bin and new-w/sub/b.bin differ\n";
        assert_eq!(binary_files(patch), ["sub/b.bin"]);
    }
}
