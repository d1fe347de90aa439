//! Texts that people read: comments and prose are narrow, and all texts avoid phrases that plain
//! English does not use.
//!
//! [`UNCLEAN`] names the files and directories with complaints. The list may only shrink.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::collect;
use super::source::Source;

/// Maximum width of a line of comments or prose, in characters.
const WIDEST_LINE: usize = 100;

/// Phrases that plain English does not use, and what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("so many", "the number"),
    ("so-manieth", "the position"),
    ("what is beyond", "the name of the thing"),
    ("let in", "accepted"),
    ("is let ", "may"),
    ("goes on as", "continues as"),
    ("who asked", "the caller"),
    ("in ever less", "at growing intervals"),
    ("is taken back", "is cancelled"),
    ("takes it back", "cancels it"),
    ("is told to end", "is shut down"),
    ("one that is there", "an existing one"),
    ("hands in", "submits"),
    ("a whole number", "an integer"),
    ("a list of texts", "a list of strings"),
    ("a text or", "a string or"),
    ("must be a text", "must be a string"),
    ("is not a name of", "is not a ... name"),
    ("told to end", "told to shut down"),
    ("makes no sense", "is invalid"),
    ("not known any more", "no longer known"),
    ("takes them in", "the command that adds them"),
];

/// Verbs with a "no" for which plain English writes "not a", except in "there is no" and in
/// "is no longer".
const DENIALS: [&str; 2] = ["is no ", "are no "];

/// Files and directories with complaints.
const UNCLEAN: &[&str] = &[];

/// Documents, example configurations and scripts outside the directories of sources.
const DOCUMENTS: [&str; 8] = [
    ".ci/run",
    "README.md",
    "examples/buildmaster.service",
    "examples/farm/builders/boards.toml",
    "examples/farm/machines.toml",
    "examples/farm/master.toml",
    "examples/steps.toml",
    "master.toml.example",
];

#[test]
fn texts_are_plain_and_narrow() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut clean: BTreeSet<&str> = UNCLEAN.iter().copied().collect();
    let mut all = Vec::new();
    for file in files(root) {
        let found = Text::read(root, &file).complaints();
        match UNCLEAN.iter().find(|path| file.starts_with(path)) {
            Some(path) if !found.is_empty() => drop(clean.remove(path)),
            Some(_) => {}
            None => {
                let name = file.display();
                let found = found.into_iter();
                all.extend(found.map(|(line, what)| format!("{name}:{line}: {what}")));
            }
        }
    }
    assert!(all.is_empty(), "\n{}", all.join("\n"));
    assert!(clean.is_empty(), "clean by now, not in UNCLEAN: {clean:?}");
}

/// All files with texts, by their paths in the project.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for dir in ["src", "tests", "examples"] {
        collect(&root.join(dir), &["md", "rs", "sh"], &mut sources);
    }
    let sources = sources.iter().map(|path| path.strip_prefix(root).unwrap());
    let mut files: Vec<PathBuf> = sources.map(Path::to_owned).collect();
    files.extend(DOCUMENTS.map(PathBuf::from));
    // This file has the banned phrases themselves.
    files.retain(|file| !file.ends_with("tidy/texts.rs"));
    files.sort();
    files
}

/// The texts of a file.
#[derive(Debug, Default)]
struct Text {
    /// Lines of comments or prose, with their numbers.
    lines: Vec<(usize, String)>,
    /// Literals with the numbers of their lines.
    literals: Vec<(usize, String)>,
}

impl Text {
    fn read(root: &Path, file: &Path) -> Self {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => Self::of_source(&Source::read(root, &root.join(file))),
            Some("md") => Self::of_markdown(&fs::read_to_string(root.join(file)).unwrap()),
            _ => Self::of_script(&fs::read_to_string(root.join(file)).unwrap()),
        }
    }

    fn of_source(source: &Source) -> Self {
        let comments = source.comments().map(|(number, _)| number);
        let all: Vec<&str> = source.text.lines().collect();
        let lines = comments.map(|number| (number, all[number - 1].to_owned()));
        let literals = source.tokens.iter().filter(|token| token.is_text());
        let literals = literals.map(|token| (token.line, token.text.replace("\\\n", " ")));
        // Rows of tables cannot be wrapped.
        Self {
            lines: lines.filter(|(_, line)| !line.contains("//! |")).collect(),
            literals: literals.collect(),
        }
    }

    /// The prose of a Markdown file: without blocks of code and tables.
    fn of_markdown(text: &str) -> Self {
        let mut is_code = false;
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            if !is_code && !is_fence && !line.starts_with('|') {
                lines.push((index + 1, line.to_owned()));
            }
        }
        Self {
            lines,
            literals: Vec::new(),
        }
    }

    /// The comments of a file whose comments begin with `#`.
    fn of_script(text: &str) -> Self {
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| line.trim_start().starts_with("# "));
        Self {
            lines: lines
                .map(|(index, line)| (index + 1, line.to_owned()))
                .collect(),
            literals: Vec::new(),
        }
    }

    /// What is wrong with the texts, by lines.
    fn complaints(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (number, line) in &self.lines {
            let width = line.chars().count();
            if width > WIDEST_LINE {
                found.push((
                    *number,
                    format!("{width} columns, the maximum is {WIDEST_LINE}"),
                ));
            }
        }
        for (number, passage) in self.paragraphs().iter().chain(&self.literals) {
            found.extend(phrases(passage).map(|what| (*number, what)));
        }
        found
    }

    /// Successive lines, joined without the signs of comments.
    fn paragraphs(&self) -> Vec<(usize, String)> {
        let mut paragraphs: Vec<(usize, String)> = Vec::new();
        let mut last = 0;
        for (number, line) in &self.lines {
            let words = line.trim_start().trim_start_matches(['/', '!', '#']);
            match paragraphs.last_mut() {
                Some((_, paragraph)) if last + 1 == *number => {
                    paragraph.push(' ');
                    paragraph.push_str(words.trim());
                }
                _ => paragraphs.push((*number, words.trim().to_owned())),
            }
            last = *number;
        }
        paragraphs
    }
}

/// The banned phrases in a passage.
fn phrases(passage: &str) -> impl Iterator<Item = String> {
    let words: Vec<&str> = passage.split_whitespace().collect();
    let text = words.join(" ");
    let banned = BANNED.iter().filter(|(phrase, _)| contains(&text, phrase));
    let banned = banned.map(|(phrase, instead)| format!("{phrase:?}: write {instead:?}"));
    let denials = DENIALS.into_iter().filter(|denial| denies(&text, denial));
    let denials = denials.map(|denial| format!("{denial:?}: write \"not a\""));
    banned.chain(denials).collect::<Vec<_>>().into_iter()
}

/// Whether `text` has `phrase` as whole words.
fn contains(text: &str, phrase: &str) -> bool {
    places(text, phrase).any(|(before, after)| {
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_end = phrase.ends_with(' ') || !is_letter(after.chars().next());
        is_end && !is_letter(before.chars().next_back())
    })
}

/// Whether `text` denies what something is, where it should say that it is not.
fn denies(text: &str, denial: &str) -> bool {
    places(text, denial).any(|(before, after)| {
        let is_word = !before.ends_with(char::is_alphanumeric);
        let is_usual = before.trim_end().to_lowercase().ends_with("there");
        is_word && !is_usual && !after.starts_with("longer")
    })
}

/// The text before and behind each occurrence of `phrase`.
fn places<'t>(text: &'t str, phrase: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let places = text.match_indices(phrase);
    places.map(move |(at, found)| {
        let (before, rest) = text.split_at(at);
        (before, rest.strip_prefix(found).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(phrase: &str) -> usize {
        phrases(phrase).count()
    }

    #[test]
    fn denials_are_found_where_plain_english_has_none() {
        assert_eq!(complaints("build 7 is no number"), 1);
        assert_eq!(complaints("\"is no number\""), 1);
        assert_eq!(complaints("the files are no\n    directories"), 1);
        assert_eq!(complaints("There is no slave, and there are no builds"), 0);
        assert_eq!(complaints("the slave is no longer connected"), 0);
        assert_eq!(complaints("this is not a number"), 0);
    }

    #[test]
    fn phrases_are_whole_words() {
        assert_eq!(complaints("slaves that are let in"), 1);
        assert_eq!(complaints("an outlet into the sea"), 0);
        assert_eq!(complaints("for those who asked"), 1);
    }

    #[test]
    fn phrases_are_found_across_the_lines_of_a_comment() {
        let text = "/// A slave that is\n/// let in late.\nfn a() {}\n// So.\n// many\n";
        let source = Source::parse(Path::new("src/model/x.rs"), text.to_owned());
        let found = Text::of_source(&source).complaints();
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 1]);
    }

    #[test]
    fn code_blocks_and_tables_of_documents_may_be_wide() {
        let wide = "x".repeat(WIDEST_LINE + 1);
        let text = format!("{wide}\n\n```sh\n{wide}\n```\n\n|{wide}|\n\n# {wide}\n");
        let found = Text::of_markdown(&text).complaints();
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 9]);
    }

    #[test]
    fn settings_that_are_commented_out_may_be_wide() {
        let wide = "x".repeat(WIDEST_LINE);
        let text = format!("# {wide}\n#key = \"{wide}\"\n");
        let found = Text::of_script(&text).complaints();
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1]);
    }
}
