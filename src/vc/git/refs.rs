//! The references of a repository, as `git ls-remote` lists them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::is_whole_hash;

/// Lists the branches of a repository, its tags, or all its references.
pub(crate) fn list_refs(url: &str, branches: bool, tags: bool, others: bool) -> Vec<&str> {
    let mut words = vec!["ls-remote", "--quiet"];
    if !others {
        words.extend(branches.then_some("--heads"));
        words.extend(tags.then_some("--tags"));
    }
    words.extend(["--", url]);
    words
}

/// The references by name, with the ids of their commits: of an annotated tag, the commit that it
/// names. Names that are not UTF-8 are [spelled](spell).
///
/// # Errors
/// The first line that is not a reference.
pub(crate) fn parse_refs(listed: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let mut refs = BTreeMap::new();
    let lines = listed.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        let unreadable = || format!("git printed {:?}", String::from_utf8_lossy(line));
        let tab = line.iter().position(|byte| *byte == b'\t');
        let (id, name) = tab
            .and_then(|at| line.split_at_checked(at))
            .ok_or_else(unreadable)?;
        let id = str::from_utf8(id).ok().filter(|id| is_whole_hash(id));
        let id = id.ok_or_else(unreadable)?.to_owned();
        let name = name.strip_prefix(b"\t").unwrap_or(name);
        let name = name.strip_suffix(b"\r").unwrap_or(name);
        // The line of the commit follows that of the tag.
        let name = name.strip_suffix(b"^{}").unwrap_or(name);
        refs.insert(spell(name), id);
    }
    Ok(refs)
}

/// A name of a reference as text: a byte that is not UTF-8 is `\xe9`. Names of references have no
/// backslashes, so that [`unspell`] finds the bytes again.
pub(crate) fn spell(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("writing to a string cannot fail");
        }
    }
    text
}

/// The bytes of a name that was [spelled](spell).
pub(crate) fn unspell(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut parts = name.split("\\x");
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match (code, part.get(2..)) {
            (Some(byte), Some(rest)) => {
                bytes.push(byte);
                bytes.extend(rest.bytes());
            }
            (_, _) => bytes.extend(part.bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "343d62692da621ec2fca48955e212d29059e5d8e";
    const B: &str = "45eeab9dc3f21da941e368f86e6180857b8a778b";

    #[test]
    fn references_are_read_and_a_tag_names_its_commit() {
        let listed = format!("{A}\trefs/heads/main\n{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n");
        let refs = parse_refs(listed.as_bytes());
        let expected = [("refs/heads/main", A), ("refs/tags/v1", B)];
        let expected = expected.map(|(name, id)| (name.to_owned(), id.to_owned()));
        assert_eq!(refs, Ok(expected.into()));
        assert_eq!(parse_refs(b""), Ok(BTreeMap::new()));
        assert!(parse_refs(b"warning: no\n").is_err());
        assert!(parse_refs(b"343d\trefs/heads/main\n").is_err());
    }

    #[test]
    fn int_08_names_of_references_keep_their_bytes() {
        let names: [&[u8]; 4] = [b"refs/heads/caf\xe9\xff", b"a", b"", "é".as_bytes()];
        for name in names {
            assert_eq!(unspell(&spell(name)), name);
        }
        assert_eq!(spell(b"caf\xe9s"), "caf\\xe9s");
    }

    #[test]
    fn only_what_is_asked_for_is_listed() {
        let url = "file:///r";
        let words = |branches, tags, others| list_refs(url, branches, tags, others).join(" ");
        assert_eq!(
            words(true, false, false),
            "ls-remote --quiet --heads -- file:///r"
        );
        assert_eq!(words(true, true, true), "ls-remote --quiet -- file:///r");
        assert!(words(true, true, false).contains("--heads --tags"));
    }
}
