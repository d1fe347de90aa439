//! GNU Arch, by `tla` or `baz`.

/// The name of an archive, in the last line of the output of `register-archive`.
pub(crate) fn parse_archive(printed: &str) -> Option<String> {
    let name = printed.lines().last()?.split_whitespace().last()?;
    is_name(name).then(|| name.to_owned())
}

/// Whether a text can be a name: of an archive, a version or a revision.
pub(crate) fn is_name(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(known)
}

/// The revision in the first line of `logs --reverse --full`: the part after the version.
pub(crate) fn parse_revision(printed: &str) -> Option<String> {
    let (_, revision) = printed.lines().next()?.trim().rsplit_once("--")?;
    is_name(revision).then(|| revision.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let printed = "Registering archive: me@e--2004\n";
        assert_eq!(parse_archive(printed).as_deref(), Some("me@e--2004"));
        assert_eq!(parse_archive("cannot, sorry: -x\n"), None);
        let logs = "me@e--2004/proj--main--1.0--patch-1\nme@e--2004/proj--main--1.0--base-0\n";
        assert_eq!(parse_revision(logs).as_deref(), Some("patch-1"));
        assert_eq!(parse_revision(""), None);
        assert!(!is_name("a/b") && !is_name("--x") && !is_name(""));
    }
}
