//! `CODEOWNERS`: a file of a repository that says who owns its files (WHO-08).
//!
//! The patterns are those of GitHub, which are nearly those of `.gitignore`. The last line that
//! matches a file says who owns it; a line without owners says that nobody does.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Where the file may be in a repository; the first that is there counts.
pub const PLACES: [&str; 4] = [
    ".github/CODEOWNERS",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".gitlab/CODEOWNERS",
];

/// Largest file in bytes.
pub const LARGEST_CODEOWNERS: usize = 256 * 1024;

/// Maximum number of lines that count.
const MOST_LINES: usize = 5000;

/// The lines of a file.
#[derive(Clone, Debug)]
pub struct Codeowners {
    /// All patterns of all lines.
    patterns: GlobSet,
    /// For each pattern, the place of its line.
    line_of: Vec<usize>,
    /// The owners of each line, as it spells them, without `@` before a name.
    lines: Vec<Vec<String>>,
}

impl Codeowners {
    /// Reads a file. Lines that are not understood are left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (mut set, mut line_of, mut lines) = (GlobSetBuilder::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            let mut words = words(line).into_iter();
            let Some(pattern) = words.next() else {
                continue;
            };
            // Headings of sections, and exceptions.
            if pattern.starts_with(['[', '^', '!']) || lines.len() >= MOST_LINES {
                continue;
            }
            for glob in globs(&pattern) {
                let glob = GlobBuilder::new(&glob).literal_separator(true).build();
                if let Ok(glob) = glob {
                    set.add(glob);
                    line_of.push(lines.len());
                }
            }
            let owners = words.map(|word| word.strip_prefix('@').unwrap_or(&word).to_owned());
            lines.push(owners.collect());
        }
        Self {
            patterns: set.build().unwrap_or_default(),
            line_of,
            lines,
        }
    }

    /// Who owns `files`: all owners of each of them.
    #[must_use]
    pub fn of_files(&self, files: &[String]) -> BTreeSet<&str> {
        let owners = files.iter().filter_map(|file| self.of_file(file));
        owners.flatten().map(String::as_str).collect()
    }

    fn of_file(&self, file: &str) -> Option<&Vec<String>> {
        let last = self.patterns.matches(file).into_iter().max()?;
        self.lines.get(*self.line_of.get(last)?)
    }
}

/// The words of a line up to a comment; a blank after a backslash is part of a word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '#' if word.is_empty() => break,
            '\\' => match chars.next() {
                Some(c @ (' ' | '#')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => {}
            },
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The globs that a pattern means: files, and all that is in directories.
fn globs(pattern: &str) -> Vec<String> {
    let (body, is_directory) = match pattern.strip_suffix('/') {
        Some(body) => (body, true),
        None => (pattern, false),
    };
    let path = body.strip_prefix('/').unwrap_or(body);
    let is_anchored = body.contains('/');
    let path = match is_anchored {
        true => path.to_owned(),
        false => format!("**/{path}"),
    };
    let inside = format!("{path}/**");
    // `docs/*` is not what is further below.
    match (is_directory, is_anchored && path.ends_with('*')) {
        (true, _) => vec![inside],
        (false, true) => vec![path],
        (false, false) => vec![path, inside],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Who owns what
*           @org/all
*.js        @jane  # in any directory
/build/     @bob eve@example.org
docs/*      @doc
apps/       @app
/src/**/net @net
with\\ blank @blank
/apps/free
[Section] @nobody
!no         @nobody
";

    fn owners(file: &str) -> Vec<String> {
        let read = Codeowners::parse(FILE);
        let files = [file.to_owned()];
        read.of_files(&files)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn who_08_the_last_line_of_codeowners_that_matches_counts() {
        for (file, expected) in [
            ("README", &["org/all"][..]),
            ("a/b/c.js", &["jane"]),
            ("build/x/y", &["bob", "eve@example.org"]),
            ("sub/build/x", &["org/all"]),
            ("docs/a", &["doc"]),
            ("docs/a/b", &["org/all"]),
            ("sub/docs/a", &["org/all"]),
            ("lib/apps/x/y", &["app"]),
            ("apps/free", &[]),
            ("apps/free/x", &[]),
            ("src/net/a", &["net"]),
            ("src/a/b/net/c/d", &["net"]),
            ("with blank", &["blank"]),
            ("no", &["org/all"]),
        ] {
            assert_eq!(owners(file), expected, "{file}");
        }
    }

    #[test]
    fn who_08_all_files_of_a_change_have_owners() {
        let read = Codeowners::parse(FILE);
        let files = ["a.js", "docs/a"].map(str::to_owned);
        assert_eq!(read.of_files(&files), BTreeSet::from(["doc", "jane"]));
        assert!(Codeowners::parse("").of_files(&files).is_empty());
        assert!(Codeowners::parse("[ @a\n{a @b").of_files(&files).is_empty());
    }
}
