//! Subversion.

mod log;

pub(crate) use log::{Entry, LogLimits, LogReader, log};

/// The difference to `base`, without the user's own diff program, with copied files as whole files,
/// and without changes of properties, which `patch` cannot apply.
pub(crate) fn diff(base: &str) -> [String; 7] {
    [
        "diff".to_owned(),
        format!("-r{base}"),
        "--internal-diff".to_owned(),
        // Overrides options from the user's configuration, such as ignoring white space.
        "--extensions".to_owned(),
        "-u".to_owned(),
        "--show-copies-as-adds".to_owned(),
        "--ignore-properties".to_owned(),
    ]
}

/// The output of `svn status -u` for a tree.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Status {
    /// Newest revision of the repository.
    pub(crate) revision: Option<String>,
    /// Added files, with or without history.
    pub(crate) added: Vec<String>,
    /// Removed files.
    pub(crate) removed: Vec<String>,
    /// Unversioned files.
    pub(crate) unversioned: Vec<String>,
    /// Missing files that were not removed with svn.
    pub(crate) missing: Vec<String>,
    /// Files with conflicts.
    pub(crate) conflicts: Vec<String>,
    /// Files with changed properties.
    pub(crate) properties: Vec<String>,
    /// Files with a newer revision in the repository.
    pub(crate) outdated: Vec<String>,
    /// Changed files inside externals.
    pub(crate) external: Vec<String>,
}

/// Parses the output of `svn status -u` for the tree itself. The later parts are about externals,
/// which have their own repositories.
pub(crate) fn parse_status(output: &[u8]) -> Status {
    let mut status = Status::default();
    let mut in_externals = false;
    for line in String::from_utf8_lossy(output).lines() {
        if let Some(rest) = line.strip_prefix("Status against revision:") {
            let revision = rest.trim();
            let is_number = !revision.is_empty() && revision.bytes().all(|b| b.is_ascii_digit());
            if status.revision.is_none() {
                status.revision = is_number.then(|| revision.to_owned());
            }
            in_externals = true;
            continue;
        }
        // Seven columns of one letter, a blank, a column for "out of date", then revision and name.
        let column = |at: usize| line.as_bytes().get(at).copied().unwrap_or(b' ');
        let name = line.get(21..).or(line.get(9..)).unwrap_or_default().trim();
        let is_prose = ["Summary of", "Performing status"]
            .iter()
            .any(|start| line.starts_with(start));
        if name.is_empty() || is_prose {
            continue;
        }
        if in_externals {
            if b"MADRC".contains(&column(0)) {
                status.external.push(name.to_owned());
            }
            continue;
        }
        match column(0) {
            b'?' => status.unversioned.push(name.to_owned()),
            b'!' => status.missing.push(name.to_owned()),
            b'C' => status.conflicts.push(name.to_owned()),
            b'A' | b'R' => status.added.push(name.to_owned()),
            b'D' => status.removed.push(name.to_owned()),
            _ => {}
        }
        if column(1) == b'M' {
            status.properties.push(name.to_owned());
        }
        if column(8) == b'*' {
            status.outdated.push(name.to_owned());
        }
    }
    status
}

/// The files without a visible difference because they are binary.
pub(crate) fn binary_files(patch: &[u8]) -> Vec<String> {
    let mut files = Vec::new();
    let mut current: &[u8] = b"";
    for line in patch.split(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"Index: ") {
            current = name;
        } else if line.starts_with(b"Cannot display: file marked as a binary type.") {
            files.push(String::from_utf8_lossy(current).into_owned());
        }
    }
    files
}

/// What `svn info --xml` says about a tree.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Info {
    /// Address of its branch.
    pub(crate) url: Option<String>,
    /// Address and id of its repository.
    pub(crate) repository: Option<(String, String)>,
    /// Its revision.
    pub(crate) revision: Option<String>,
    /// Revision of the last change in it.
    pub(crate) last_changed: Option<String>,
}

impl Info {
    /// Parses the output of `svn info --xml`.
    pub(crate) fn parse(xml: &str) -> Self {
        let number = |element: &str| {
            let (_, rest) = xml.split_once(element)?;
            let value = attribute(rest.split_once('>')?.0, "revision")?;
            let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            is_number.then_some(value)
        };
        let text = |element: &str| {
            let (_, rest) = xml.split_once(&format!("<{element}>"))?;
            Some(unescaped(rest.split_once(&format!("</{element}>"))?.0))
        };
        Self {
            url: text("url"),
            repository: text("root").zip(text("uuid")),
            revision: number("<entry"),
            last_changed: number("<commit"),
        }
    }
}

/// The names of files and directories that are not in the repository, from `svn status --xml`.
pub(crate) fn parse_unversioned(xml: &str) -> Vec<String> {
    let entries = xml.split("<entry").skip(1);
    let name = |entry: &str| {
        let (head, rest) = entry.split_once('>')?;
        let status = rest.split_once("<wc-status")?.1;
        let item = attribute(status.split_once('>')?.0, "item")?;
        matches!(item.as_str(), "unversioned" | "ignored").then(|| attribute(head, "path"))?
    };
    entries.filter_map(name).collect()
}

/// The value of an attribute of an element of XML.
fn attribute(element: &str, name: &str) -> Option<String> {
    let (_, rest) = element.split_once(&format!("{name}=\""))?;
    Some(unescaped(rest.split_once('"')?.0))
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#13;", "\r")
        .replace("&amp;", "&")
}

/// Whether two addresses are the same: case of scheme and host, escapes and slashes at the end do
/// not count.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}

fn canonical(url: &str) -> Vec<u8> {
    let url = url.trim_end_matches('/');
    let (host, path) = match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (host, path) = rest.split_at(end);
            (format!("{scheme}://{host}").to_ascii_lowercase(), path)
        }
        None => (String::new(), url),
    };
    let mut plain = host.into_bytes();
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(byte) => {
                plain.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_tells_its_address_and_revisions() {
        let xml = "<?xml version=\"1.0\"?>\n<info>\n<entry\n   kind=\"dir\"\n   path=\".\"\n   revision=\"7\">\n\
            <url>file:///r/a%20b&amp;c/trunk</url>\n<commit\n   revision=\"5\">\n</commit>\n</entry>\n</info>\n";
        let info = Info::parse(xml);
        assert_eq!(info.url.as_deref(), Some("file:///r/a%20b&c/trunk"));
        assert_eq!(info.revision.as_deref(), Some("7"));
        assert_eq!(info.last_changed.as_deref(), Some("5"));
        assert_eq!(Info::parse("svn: E155007"), Info::default());
    }

    #[test]
    fn files_outside_the_repository_are_listed() {
        let entry = |path: &str, item: &str| {
            format!(
                "<entry\n   path=\"{path}\">\n<wc-status\n   props=\"none\"\n   item=\"{item}\">\n</wc-status>\n</entry>\n"
            )
        };
        let xml = [
            entry(".", "normal"),
            entry("a &amp; b", "unversioned"),
            entry("x.o", "ignored"),
            entry("ext", "external"),
            entry("gone", "missing"),
        ];
        assert_eq!(parse_unversioned(&xml.concat()), ["a & b", "x.o"]);
    }

    #[test]
    fn addresses_are_compared_as_subversion_does() {
        assert!(is_same("HTTP://Host/a%20b/", "http://host/a b"));
        assert!(!is_same("http://host/a", "http://host/A"));
        assert!(!is_same("http://host/trunk", "http://host/branches/x"));
        assert!(is_same("file:///r/%C3%A9", "file:///r/é"));
    }

    const STATUS: &[u8] = b"M                1   a.txt
A  +             -   cp.txt
X                    ext
D                1   gone.txt
?                    unv.txt
A                -   new.txt
M       *        1   b.bin
!                1   lost one.txt
 M               1   .
Status against revision:      12

Performing status on external item at 'ext':
?                    ext/theirs
Status against revision:      7
";

    #[test]
    fn the_revision_of_the_tree_counts_and_not_that_of_externals() {
        let status = parse_status(STATUS);
        assert_eq!(status.revision.as_deref(), Some("12"));
        assert_eq!(status.unversioned, ["unv.txt"]);
        assert_eq!(status.missing, ["lost one.txt"]);
        assert_eq!(status.properties, ["."]);
        assert_eq!(status.outdated, ["b.bin"]);
        assert_eq!(status.added, ["cp.txt", "new.txt"]);
        assert_eq!(status.removed, ["gone.txt"]);
        assert!(status.conflicts.is_empty() && status.external.is_empty());
    }

    #[test]
    fn a_clean_tree_has_only_the_revision() {
        let clean = Status {
            revision: Some("1".to_owned()),
            ..Status::default()
        };
        assert_eq!(parse_status(b"Status against revision:      1\n"), clean);
    }

    #[test]
    fn a_status_without_revision_is_noticed() {
        assert_eq!(parse_status(b"").revision, None);
        assert_eq!(
            parse_status(b"Status against revision:   x\n").revision,
            None
        );
    }

    #[test]
    fn binary_files_are_found() {
        let patch = b"Index: a.txt\n=====\n--- a.txt\t(revision 1)\n+++ a.txt\t(working copy)\n@@ -1 +1 @@\n\
            -Index: x\n+Cannot display: file marked as a binary type.\nIndex: b.bin\n=====\n\
            Cannot display: file marked as a binary type.\nsvn:mime-type = application/octet-stream\n";
        assert_eq!(binary_files(patch), ["b.bin"]);
    }
}
