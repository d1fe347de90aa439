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

#[cfg(test)]
mod tests {
    use super::*;

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
