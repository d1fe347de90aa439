//! The options file `.buildbot/options` (CLI-04).
//!
//! Buildbot executes the file as Python. We read TOML and, for Buildbot's files, lines of the form
//! `name = value`, where the value is a quoted string, a list of quoted strings, a number, `True`,
//! `False` or `None`. Nothing is executed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::spelling::nearest;
use crate::platform;

/// The options of a file, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionsFile {
    /// The file; absent if there is none.
    pub path: Option<PathBuf>,
    values: BTreeMap<String, OptionValue>,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionValue {
    /// A string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
    /// A number, as written.
    Number(String),
    /// True or false.
    Flag(bool),
    /// Python's `None`: the option counts as absent.
    Nothing,
}

/// Why an options file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A line of the file is invalid.
    #[error(
        "{}, line {line}: {what}; an options file has lines of the form name = \"text\", and no other Python code",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// The mistake, for people.
        what: String,
    },
    /// An option has another type.
    #[error("{}: {name} must be {expected}", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The option.
        name: String,
        /// The expected type, for people.
        expected: &'static str,
    },
}

impl OptionsFile {
    /// Finds and reads the file: in `.buildbot` of `here` and its parents, then in `.buildbot` of
    /// `home`. The first existing file is used. Directories that do not belong to user `uid` are
    /// skipped with a message to `messages`, because their owners could choose the options.
    ///
    /// # Errors
    /// The file cannot be read, or a line is invalid.
    pub fn find(
        here: &Path,
        home: Option<&Path>,
        uid: u32,
        messages: &mut dyn Write,
    ) -> Result<Self, OptionsError> {
        let above = here.ancestors().take(MAX_LEVELS);
        for directory in above.chain(home) {
            let directory = directory.join(".buildbot");
            let Ok(metadata) = fs::metadata(&directory) else {
                continue;
            };
            if !metadata.is_dir() {
                continue;
            }
            if !platform::belongs_to(&metadata, uid) {
                let shown = directory.display();
                // Errors of the output are ignored.
                drop(writeln!(
                    messages,
                    "skipping {shown} because you do not own it"
                ));
                continue;
            }
            let path = directory.join("options");
            match fs::read_to_string(&path) {
                Ok(text) => return Self::parse(&text, path),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(OptionsError::Unreadable { path, source }),
            }
        }
        Ok(Self::default())
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// A line of the file is invalid.
    pub fn parse(text: &str, path: PathBuf) -> Result<Self, OptionsError> {
        let values = match from_toml(text) {
            Some(values) => values,
            None => match Lines::new(text).all() {
                Ok(values) => values,
                Err((line, what)) => {
                    return Err(OptionsError::Malformed { path, line, what });
                }
            },
        };
        Ok(Self {
            path: Some(path),
            values,
        })
    }

    /// Unknown names in the file that are similar to known options, each with the known option.
    /// Other unknown names are ignored, since a file of Buildbot may define its own values.
    #[must_use]
    pub fn mistyped(&self) -> Vec<(&str, &'static str)> {
        let names = self.values.keys().map(String::as_str);
        let unknown = names.filter(|name| !KNOWN.contains(name));
        unknown
            .filter_map(|name| Some((name, nearest(name, KNOWN.into_iter())?)))
            .collect()
    }

    /// The value of an option.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OptionValue> {
        self.values
            .get(name)
            .filter(|value| **value != OptionValue::Nothing)
    }

    /// The string of an option; a number counts as a string.
    ///
    /// # Errors
    /// The option has another type.
    pub fn text(&self, name: &str) -> Result<Option<String>, OptionsError> {
        match self.get(name) {
            None | Some(OptionValue::Nothing) => Ok(None),
            Some(OptionValue::Text(text) | OptionValue::Number(text)) => Ok(Some(text.clone())),
            Some(OptionValue::List(_) | OptionValue::Flag(_)) => {
                Err(self.wrong_type(name, "a string"))
            }
        }
    }

    /// The strings of an option; a single string counts as a list.
    ///
    /// # Errors
    /// The option has another type.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, OptionsError> {
        match self.get(name) {
            None | Some(OptionValue::Nothing) => Ok(Vec::new()),
            Some(OptionValue::Text(text)) => Ok(vec![text.clone()]),
            Some(OptionValue::List(texts)) => Ok(texts.clone()),
            Some(OptionValue::Number(_) | OptionValue::Flag(_)) => {
                Err(self.wrong_type(name, "a list of strings"))
            }
        }
    }

    /// Whether an option is on. As in Python, numbers other than 0 are.
    ///
    /// # Errors
    /// The option has another type.
    pub fn flag(&self, name: &str) -> Result<bool, OptionsError> {
        match self.get(name) {
            None | Some(OptionValue::Nothing) => Ok(false),
            Some(OptionValue::Flag(flag)) => Ok(*flag),
            Some(OptionValue::Number(number)) => Ok(number.parse() != Ok(0.0)),
            Some(OptionValue::Text(_) | OptionValue::List(_)) => {
                Err(self.wrong_type(name, "True or False"))
            }
        }
    }

    fn wrong_type(&self, name: &str, expected: &'static str) -> OptionsError {
        OptionsError::WrongType {
            path: self.path.clone().unwrap_or_default(),
            name: name.to_owned(),
            expected,
        }
    }
}

/// The options of Buildbot's commands and ours.
const KNOWN: [&str; 34] = [
    "branch",
    "category",
    "debugMaster",
    "master",
    "masterstatus",
    "try_branch",
    "try_builders",
    "try_buildbotbin",
    "try_codebase",
    "try_comment",
    "try_connect",
    "try_dir",
    "try_host",
    "try_jobdir",
    "try_master",
    "try_masterstatus",
    "try_passwd",
    "try_password",
    "try_port",
    "try_quiet",
    "try_repository",
    "try_ssh",
    "try_topdir",
    "try_topfile",
    "try_username",
    "try_vc",
    "try_wait",
    "try_who",
    "user_master",
    "user_passwd",
    "user_username",
    "username",
    "vc",
    "who",
];

/// Maximum number of parent directories that are searched, as in Buildbot.
const MAX_LEVELS: usize = 20;

/// The options, if `text` is TOML with values of the supported types.
fn from_toml(text: &str) -> Option<BTreeMap<String, OptionValue>> {
    let table: toml::Table = text.parse().ok()?;
    table
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                toml::Value::String(text) => OptionValue::Text(text),
                toml::Value::Integer(number) => OptionValue::Number(number.to_string()),
                toml::Value::Float(number) => OptionValue::Number(number.to_string()),
                toml::Value::Boolean(flag) => OptionValue::Flag(flag),
                toml::Value::Array(items) => OptionValue::List(
                    items
                        .into_iter()
                        .map(|item| item.as_str().map(str::to_owned))
                        .collect::<Option<_>>()?,
                ),
                toml::Value::Datetime(_) | toml::Value::Table(_) => return None,
            };
            Some((name, value))
        })
        .collect()
}

/// Reads the lines of an old options file.
struct Lines<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

/// A line and its mistake.
type Wrong = (usize, String);

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars().peekable(),
            line: 1,
        }
    }

    fn all(mut self) -> Result<BTreeMap<String, OptionValue>, Wrong> {
        let mut values = BTreeMap::new();
        loop {
            self.skip_space(true);
            if self.rest.peek().is_none() {
                return Ok(values);
            }
            let name = self.word();
            let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !starts_well {
                return self.wrong("not an option name");
            }
            self.skip_space(false);
            if self.next() != Some('=') {
                return self.wrong(&format!("'{name}' is not followed by '='"));
            }
            self.skip_space(false);
            let value = self.value()?;
            self.skip_space(false);
            match self.rest.peek() {
                None | Some('\n' | ';') => drop(self.next()),
                Some(_) => return self.wrong(&format!("something follows the value of '{name}'")),
            }
            values.insert(name, value);
        }
    }

    fn value(&mut self) -> Result<OptionValue, Wrong> {
        match self.rest.peek() {
            Some('"' | '\'') => Ok(OptionValue::Text(self.quoted()?)),
            Some('[') => self.list(']'),
            Some('(') => self.list(')'),
            Some(_) | None => {
                let word = self.word();
                match word.as_str() {
                    "True" => Ok(OptionValue::Flag(true)),
                    "False" => Ok(OptionValue::Flag(false)),
                    "None" => Ok(OptionValue::Nothing),
                    "u" | "b" | "r" if matches!(self.rest.peek(), Some('"' | '\'')) => {
                        Ok(OptionValue::Text(self.quoted()?))
                    }
                    number if number.parse::<f64>().is_ok_and(f64::is_finite) => {
                        Ok(OptionValue::Number(word))
                    }
                    _ => self.wrong(
                        "not a quoted string, a list of quoted strings, a number, True or False",
                    ),
                }
            }
        }
    }

    fn list(&mut self, end: char) -> Result<OptionValue, Wrong> {
        self.next();
        let mut items = Vec::new();
        loop {
            self.skip_space(true);
            match self.rest.peek() {
                Some(c) if *c == end => {
                    self.next();
                    return Ok(OptionValue::List(items));
                }
                Some('"' | '\'') => items.push(self.quoted()?),
                Some(_) | None => return self.wrong("a list can only have quoted strings"),
            }
            self.skip_space(true);
            if self.rest.peek() == Some(&',') {
                self.next();
            } else if self.rest.peek() != Some(&end) {
                return self.wrong("a list needs commas between its strings");
            }
        }
    }

    fn quoted(&mut self) -> Result<String, Wrong> {
        let quote = self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('\n') | None => return self.wrong("a string is not closed"),
                c if c == quote => return Ok(text),
                Some('\\') => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(c @ ('\\' | '\'' | '"')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => return self.wrong("a string is not closed"),
                },
                Some(c) => text.push(c),
            }
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+'))
        {
            word.push(c);
        }
        word
    }

    /// Skips blanks and comments, and with `lines` also line ends.
    fn skip_space(&mut self, lines: bool) {
        while let Some(c) = self.rest.peek().copied() {
            match c {
                ' ' | '\t' | '\r' => drop(self.next()),
                '\n' | ';' if lines => drop(self.next()),
                '#' => while self.rest.next_if(|c| *c != '\n').is_some() {},
                _ => return,
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        if c == Some('\n') {
            self.line += 1;
        }
        c
    }

    fn wrong<T>(&self, what: &str) -> Result<T, Wrong> {
        Err((self.line, what.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parse(text: &str) -> Result<BTreeMap<String, OptionValue>, String> {
        OptionsFile::parse(text, PathBuf::from("options"))
            .map(|file| file.values)
            .map_err(|e| e.to_string())
    }

    fn text(text: &str) -> OptionValue {
        OptionValue::Text(text.to_owned())
    }

    #[test]
    fn toml_and_old_files_are_read() {
        for (line, value) in [
            ("x = \"a b\"", text("a b")),
            ("x='a'   # a comment", text("a")),
            ("x = 'it\\'s'", text("it's")),
            ("x = u'a'", text("a")),
            ("x = \"tab\\tquote\\\"\"", text("tab\tquote\"")),
            ("x = 25", OptionValue::Number("25".to_owned())),
            ("x = 1.5", OptionValue::Number("1.5".to_owned())),
            ("x = True", OptionValue::Flag(true)),
            ("x = False;", OptionValue::Flag(false)),
            ("x = true", OptionValue::Flag(true)),
            ("x = None", OptionValue::Nothing),
            (
                "x = ['a',\n  'b', # why\n]",
                OptionValue::List(vec!["a".to_owned(), "b".to_owned()]),
            ),
            (
                "x = ('a', 'b')",
                OptionValue::List(vec!["a".to_owned(), "b".to_owned()]),
            ),
            ("x = []", OptionValue::List(Vec::new())),
        ] {
            let values = parse(&format!("\n# options\n{line}\n")).unwrap();
            assert_eq!(values, BTreeMap::from([("x".to_owned(), value)]), "{line}");
        }
    }

    #[test]
    fn a_mistyped_name_is_told_with_the_one_that_was_meant() {
        let text = "try_conect = 'pb'\ntry_userame = 'me'\nTRY_WAIT = True\ntry_vc = 'git'\nhere = 'x'\nvc = 'git'\n";
        let file = OptionsFile::parse(text, PathBuf::from("options")).unwrap();
        let told = [
            ("TRY_WAIT", "try_wait"),
            ("try_conect", "try_connect"),
            ("try_userame", "try_username"),
        ];
        assert_eq!(file.mistyped(), told);
    }

    #[test]
    fn python_code_is_refused_with_its_line() {
        for code in [
            "import os",
            "x = os.getenv('USER')",
            "x = 'a' + 'b'",
            "x = 'a' 'b'",
            "x = ['a', 1]",
            "x = ['a' 'b']",
            "x = {'a': 1}",
            "x = 'a",
            "x =",
            "if True: x = 1",
            "x = inf",
        ] {
            let error = parse(&format!("y = True\n{code}")).unwrap_err();
            assert!(error.starts_with("options, line 2: "), "{code}: {error}");
        }
    }

    /// A directory tree with options files, named after where they are.
    fn tree(places: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        fs::create_dir_all(root.path().join("home")).unwrap();
        for place in places {
            let directory = root.path().join(place).join(".buildbot");
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("options"), format!("who = '{place}'\n")).unwrap();
        }
        root
    }

    fn found(root: &Path, uid: u32) -> (Option<String>, String) {
        let mut messages = Vec::new();
        let home = root.join("home");
        let here = root.join("a/b/c");
        let file = OptionsFile::find(&here, Some(&home), uid, &mut messages).unwrap();
        let messages = String::from_utf8(messages).unwrap();
        (file.text("who").unwrap(), messages)
    }

    #[test]
    fn the_nearest_file_counts_and_home_comes_last() {
        let me = rustix::process::getuid().as_raw();
        let nearest = |places: &[&str]| found(tree(places).path(), me).0;
        assert_eq!(nearest(&["a", "a/b", "home"]).as_deref(), Some("a/b"));
        assert_eq!(nearest(&["a", "home"]).as_deref(), Some("a"));
        assert_eq!(nearest(&["home"]).as_deref(), Some("home"));
        assert_eq!(nearest(&["a/b/c", "a/b"]).as_deref(), Some("a/b/c"));
    }

    #[test]
    fn a_directory_of_somebody_else_is_skipped_with_a_message() {
        let root = tree(&["a", "home"]);
        let somebody_else = rustix::process::getuid().as_raw() + 1;
        let (who, messages) = found(root.path(), somebody_else);
        assert_eq!(who, None);
        assert_eq!(messages.lines().count(), 2, "{messages}");
        assert!(messages.contains("a/.buildbot because you do not own it"));
    }

    #[test]
    fn an_option_of_another_type_is_refused() {
        let file = OptionsFile::parse("who = ['a']", PathBuf::from("o")).unwrap();
        assert_eq!(
            file.text("who").unwrap_err().to_string(),
            "o: who must be a string"
        );
    }
}
