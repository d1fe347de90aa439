//! Which changes a scheduler looks at, and which of them matter (SCH-03, SCH-12).

use serde::Serialize;

use crate::config::pattern::{ChangeFilter, FilePatterns, PatternError, TextMatch};
use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;

/// Which changes a scheduler looks at, and which of them matter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeRules {
    /// Whether changes of different repositories, projects and codebases wait apart, each with a
    /// set of its own (CBS-02): true.
    pub separate: bool,
    /// Whether unimportant changes stay out of the set (SCH-12).
    pub only_important: bool,
    /// Which changes are important; absent: all.
    #[serde(rename = "important_files")]
    pub importance: Option<Importance>,
    /// Which changes it looks at.
    pub filter: ChangeFilter,
}

/// Which changes are important: those that touch a matching file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Importance {
    /// The files that count.
    pub files: FilePatterns,
}

impl Default for ChangeRules {
    fn default() -> Self {
        Self {
            separate: true,
            only_important: false,
            importance: None,
            filter: ChangeFilter::default(),
        }
    }
}

pub(in crate::config) static IMPORTANT_FILES: Shape = Shape {
    place: "schedulers.important_files",
    noun: "important_files",
    keys: &["include", "exclude", "regex"],
    kinds: Vec::new,
};

pub(in crate::config) static FILTER: Shape = Shape {
    place: "schedulers.filter",
    noun: "filter",
    keys: &["project", "repository", "category", "codebase", "branch"],
    kinds: Vec::new,
};

pub(in crate::config) static MATCH: Shape = Shape {
    place: "schedulers.filter.match",
    noun: "this filter",
    keys: &["regex", "not"],
    kinds: Vec::new,
};

impl ChangeRules {
    /// Takes what the table has; `branch` is the setting that takes the place of a filter on the
    /// branch.
    pub(super) fn read(&mut self, table: &mut Table<'_>, branch: Option<&Value<'_>>) {
        table.set("filter", &mut self.filter, |v| read_filter(v, branch));
        table.set_some("important_files", &mut self.importance, |v| {
            read_important_files(v).map(|files| Importance { files })
        });
        table.set("separate", &mut self.separate, Value::flag);
        table.set("only_important", &mut self.only_important, Value::flag);
    }
}

fn read_important_files(value: &Value<'_>) -> Option<FilePatterns> {
    let mut table = value.table(&IMPORTANT_FILES)?;
    let include = table.take("include");
    let exclude = table.take("exclude");
    let regex = table.take("regex");
    table.finish();
    match (&include, &exclude, &regex) {
        (None, None, None) => {
            value.error(
                "says nothing",
                "`{ include = [\"**/*.c\"] }`, `exclude`, or `{ regex = \"…\" }`",
            );
            None
        }
        (None, None, Some(regex)) => regex.pattern(FilePatterns::from_regex),
        (_, _, Some(regex)) => {
            let help = "keep one of the two";
            regex.error("cannot be combined with `include` and `exclude`", help);
            None
        }
        (_, _, None) => {
            let include = globs(include.as_ref())?;
            let exclude = globs(exclude.as_ref())?;
            FilePatterns::from_globs(&include, &exclude).ok()
        }
    }
}

fn globs<'a>(value: Option<&Value<'a>>) -> Option<Vec<&'a str>> {
    let Some(value) = value else {
        return Some(Vec::new());
    };
    if value.raw().as_array().is_some_and(|globs| globs.is_empty()) {
        value.error("is empty", "leave it out, or name a pattern");
        return None;
    }
    let entries = value.one_or_list()?;
    let check = |entry: &Value<'a>| {
        entry.pattern(|glob| FilePatterns::from_globs(&[glob], &[]))?;
        entry.text()
    };
    let texts: Vec<Option<&str>> = entries.iter().map(check).collect();
    texts.into_iter().collect()
}

fn read_filter(value: &Value<'_>, branch: Option<&Value<'_>>) -> Option<ChangeFilter> {
    let mut table = value.table(&FILTER)?;
    if let (Some(ours), Some(branch)) = (table.place("branch"), branch) {
        value.sink.clash(
            (ours, branch.key_span.clone()),
            format!(
                "a scheduler has either `{}` or a filter on the branch",
                branch.key
            ),
            "here is the other",
            "keep one of the two",
        );
    }
    let mut field = |key| table.take(key).and_then(|v| read_match(&v));
    let filter = ChangeFilter {
        project: field("project"),
        repository: field("repository"),
        category: field("category"),
        codebase: field("codebase"),
        branch: field("branch"),
    };
    table.finish();
    Some(filter)
}

/// A text, `false` for an absent field, a list of those, `{ regex = … }` or `{ not = … }`.
fn read_match(value: &Value<'_>) -> Option<TextMatch> {
    if !value.raw().is_table() {
        let entries = value.one_or_list()?;
        let texts = entries.iter().map(|entry| match entry.is_false() {
            true => Some(None),
            false if entry.raw().is_str() => entry.text().map(|t| Some(t.to_owned())),
            false => {
                let help = "a string, a list of strings, { regex = \"…\" }, { not = … }, or `false` for \
                            changes without it";
                entry.expected("a string", help)
            }
        });
        let texts: Vec<Option<Option<String>>> = texts.collect();
        let texts: Option<Vec<Option<String>>> = texts.into_iter().collect();
        return texts.map(TextMatch::one_of);
    }
    let mut table = value.table(&MATCH)?;
    let regex = table.take("regex");
    let not = table.take("not");
    table.finish();
    match (regex, not) {
        (Some(regex), None) => {
            let entries = regex.one_or_list()?;
            let check =
                |entry: &Value<'_>| entry.pattern(|r| TextMatch::regex(&[r]).map(|_| r.to_owned()));
            let texts: Vec<String> = entries.iter().filter_map(check).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            TextMatch::regex(&texts).ok()
        }
        (None, Some(not)) => read_match(&not).map(TextMatch::negate),
        (Some(_), Some(_)) | (None, None) => {
            value.error(
                "must have `regex` or `not`",
                "{ regex = \"…\" }, or { not = … }",
            );
            None
        }
    }
}

impl<'a> Value<'a> {
    /// Its text, made into a pattern.
    fn pattern<T>(&self, make: impl FnOnce(&'a str) -> Result<T, PatternError>) -> Option<T> {
        match make(self.text()?) {
            Ok(pattern) => Some(pattern),
            Err(wrong) => {
                self.error("is not a valid pattern", wrong.to_string());
                None
            }
        }
    }
}
