//! Bazaar and Breezy.

mod log;

pub(crate) use log::{LogLimits, LogReader, Revision, log, parse_revision_info, revision_info};

use super::patch::differing_binaries;

/// The difference to `base`, with plain names. By default, Breezy prefixes names with `old/` and
/// `new/`.
pub(crate) fn diff(base: &str) -> [String; 4] {
    ["--no-aliases", "diff", "--prefix=:", &format!("-r{base}..")].map(str::to_owned)
}

/// Parses the revision from a line with its number and its name.
pub(crate) fn parse_revision(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let (_number, name) = (words.next()?, words.next()?);
    words.next().is_none().then(|| format!("revid:{name}"))
}

/// The binary files that differ.
pub(crate) fn binary_files(patch: &[u8]) -> Vec<String> {
    let name = |(old, new): (String, String)| if new == "/dev/null" { old } else { new };
    differing_binaries(patch).map(name).collect()
}

/// The files with changes that a plain difference lacks: empty files, modes and links.
pub(crate) fn unseen_files(patch: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut empty: Option<String> = None;
    for line in patch.split(|byte| *byte == b'\n') {
        if let Some(head) = line.strip_prefix(b"=== ") {
            let head = String::from_utf8_lossy(head).into_owned();
            // "=== target is 'a'" follows the name of a link.
            if head.starts_with("target ") {
                continue;
            }
            found.extend(empty.take());
            let name = head.split('\'').nth(1).unwrap_or_default().to_owned();
            if head.contains("(properties changed: ") || head.contains(" symlink ") {
                found.push(name);
            } else if !head.contains(" directory ") {
                empty = Some(name);
            }
        } else if line.starts_with(b"--- ") || line.starts_with(b"Binary files ") {
            empty = None;
        }
    }
    found.extend(empty);
    found
}

/// The names in a list that ends each name with a zero byte.
pub(crate) fn parse_names(listed: &[u8]) -> Vec<String> {
    let names = listed.split(|byte| *byte == 0);
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_names_are_read() {
        assert_eq!(parse_names(b"a b\0c\nd\0"), ["a b", "c\nd"]);
        assert!(parse_names(b"").is_empty());
    }

    #[test]
    fn the_revision_is_read() {
        assert_eq!(
            parse_revision("1 a@b-20261121051204-09jd2ghyh0eth0vg").as_deref(),
            Some("revid:a@b-20261121051204-09jd2ghyh0eth0vg")
        );
        for text in ["", "1", "1 a b"] {
            assert_eq!(parse_revision(text), None, "{text}");
        }
    }

    #[test]
    fn binary_files_are_found() {
        let patch = b"=== modified file 'b.bin'\nBinary files b.bin and b.bin differ\n\
            +Binary files x and y differ\n";
        assert_eq!(binary_files(patch), ["b.bin"]);
    }

    #[test]
    fn changes_without_lines_are_found() {
        let patch = b"=== removed file 'e'\n=== added symlink 'l'\n=== target is 'a'\n=== modified file 'a'\n\
            --- a\tdate\n+++ a\tdate\n@@ -1,1 +1,1 @@\n-a\n+A\n\n=== added directory 'd'\n=== added file 'n'\n\
            === modified file 'run.sh' (properties changed: -x to +x)\n";
        assert_eq!(unseen_files(patch), ["e", "l", "n", "run.sh"]);
    }
}
