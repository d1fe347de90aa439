//! Files that match a pattern, as Python's `glob` finds them.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::buildslave::host::{Entry, Host};

/// The paths that match `pattern`, sorted. `*`, `?` and `[…]` match within one name, and a name
/// that begins with a dot only where the pattern does; `**` as a whole name stands for any
/// directories.
///
/// # Errors
/// The pattern is invalid. Unreadable directories match nothing.
pub(super) fn find(host: &dyn Host, pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let next = match component {
            Component::Normal(name) if name == "**" => {
                found.iter().flat_map(|dir| below(host, dir)).collect()
            }
            Component::Normal(name) if is_pattern(name) => {
                let matcher = matcher(name)?;
                let dirs = found.iter();
                dirs.flat_map(|dir| matching(host, dir, name, &matcher))
                    .collect()
            }
            plain @ (Component::Normal(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir
            | Component::Prefix(_)) => found.iter().map(|dir| dir.join(plain)).collect(),
        };
        found = next;
    }
    found.retain(|path| host.kind(path).is_ok());
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_pattern(name: &OsStr) -> bool {
    name.as_encoded_bytes().iter().any(|b| b"*?[".contains(b))
}

fn matcher(name: &OsStr) -> io::Result<GlobMatcher> {
    let invalid = |e| io::Error::new(io::ErrorKind::InvalidInput, e);
    let name = name.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    // Braces and backslashes are ordinary characters in Python's patterns.
    let plain = name.replace('{', "[{]").replace('}', "[}]");
    let mut builder = GlobBuilder::new(&plain);
    let glob = builder.literal_separator(true).backslash_escape(false);
    Ok(glob.build().map_err(invalid)?.compile_matcher())
}

fn matching(host: &dyn Host, dir: &Path, pattern: &OsStr, matcher: &GlobMatcher) -> Vec<PathBuf> {
    let shows_hidden = pattern.as_encoded_bytes().starts_with(b".");
    let names = entries(host, dir).into_iter().map(|entry| entry.name);
    names
        .filter(|name| shows_hidden || !name.as_encoded_bytes().starts_with(b"."))
        .filter(|name| matcher.is_match(name))
        .map(|name| dir.join(name))
        .collect()
}

/// `dir` and every directory below it that is not hidden; links are not followed.
fn below(host: &dyn Host, dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(dir) = found.get(next).cloned() {
        next += 1;
        for entry in entries(host, &dir) {
            if entry.is_dir && !entry.name.as_encoded_bytes().starts_with(b".") {
                found.push(dir.join(&entry.name));
            }
        }
    }
    found
}

fn entries(host: &dyn Host, dir: &Path) -> Vec<Entry> {
    let here = Path::new(".");
    let dir = if dir.as_os_str().is_empty() {
        here
    } else {
        dir
    };
    host.list(dir).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::buildslave::host::scripted::ScriptedHost;

    #[test]
    fn patterns_match_as_in_python() {
        let files = ["a.txt", ".b.txt", "c.md", "{d}", "s/e.txt", "s/t/f.txt"];
        let host = files.iter().fold(ScriptedHost::default(), |host, file| {
            host.with_file(&format!("/top/{file}"), "")
        });
        let check = |pattern: &str, expect: &[&str]| {
            let top = Path::new("/top");
            let found = find(&host, &top.join(pattern)).unwrap();
            let expect: Vec<_> = expect.iter().map(|e| top.join(e)).collect();
            assert_eq!(found, expect, "{pattern}");
        };
        check("*.txt", &["a.txt"]);
        check(".*", &[".b.txt"]);
        check("[ac].*", &["a.txt", "c.md"]);
        check("?.md", &["c.md"]);
        check("{d*", &["{d}"]);
        check("*/*.txt", &["s/e.txt"]);
        check("**/*.txt", &["a.txt", "s/e.txt", "s/t/f.txt"]);
        check("c.md", &["c.md"]);
        check("nope", &[]);
    }

    #[test]
    fn a_way_up_is_taken_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("s")).unwrap();
        std::fs::write(dir.path().join("a.txt"), "").unwrap();
        let pattern = dir.path().join("s/../*.txt");
        let found = find(&crate::buildslave::host::LocalHost, &pattern).unwrap();
        assert_eq!(found, [dir.path().join("s/../a.txt")]);
    }
}
