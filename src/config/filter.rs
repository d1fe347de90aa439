//! Filters on changes, which schedulers and change sources have (SCH-12, INT-07).

use std::sync::Arc;

use super::change_condition::ChangeCondition;
use super::condition::Condition;
use super::expression::Mode;
use super::pattern::{ChangeFilter, FilePatterns, PatternError, TextMatch};
use super::reader::Value;
use super::shape::Shape;
use super::trace::Wanted;
use super::visible::{OF_CHANGE, Sees};

/// The keys of a filter; only schedulers have the last one.
const KEYS: [&str; 8] = [
    "project",
    "repository",
    "category",
    "codebase",
    "branch",
    "who",
    "files",
    "when",
];

pub(super) static FILTER: Shape = Shape {
    place: "schedulers.filter",
    noun: "filter",
    keys: &KEYS,
    kinds: Vec::new,
};

/// The filter of a change source, which has no expression.
pub(super) static SOURCE_FILTER: Shape = Shape {
    place: "schedulers.filter",
    noun: "filter",
    keys: KEYS.split_at(KEYS.len() - 1).0,
    kinds: Vec::new,
};

pub(super) static MATCH: Shape = Shape {
    place: "schedulers.filter.match",
    noun: "this filter",
    keys: &["regex", "not"],
    kinds: Vec::new,
};

/// Reads the filter of a change source.
pub(super) fn read_source_filter(value: &Value<'_>) -> Option<ChangeFilter> {
    read_fields(value, &SOURCE_FILTER, None).map(|(filter, _)| filter)
}

/// Reads the filter of a scheduler; `branch` is the setting that takes the place of one on the
/// branch.
pub(super) fn read_filter(
    value: &Value<'_>,
    branch: Option<&Value<'_>>,
) -> Option<(ChangeFilter, Option<ChangeCondition>)> {
    read_fields(value, &FILTER, branch)
}

fn read_fields(
    value: &Value<'_>,
    shape: &'static Shape,
    branch: Option<&Value<'_>>,
) -> Option<(ChangeFilter, Option<ChangeCondition>)> {
    let mut table = value.table(shape)?;
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
        who: field("who"),
        files: table.take("files").and_then(|v| read_files(&v)),
    };
    let mut when = None;
    if shape.keys.contains(&"when") {
        table.set_some("when", &mut when, |v| v.change_condition());
    }
    table.finish();
    Some((filter, when))
}

/// A text, `false` for an absent field, a list of those, `{ regex = … }` or `{ not = … }`.
fn read_match(value: &Value<'_>) -> Option<TextMatch> {
    let forms = [Wanted::Text, Wanted::False, Wanted::List, Wanted::Table];
    if !value.among(forms).is_table() {
        let entries = value.one_or_list()?;
        let texts = entries.iter().map(|entry| match entry.is_false() {
            true => Some(None),
            false if entry.data().is_str() => entry.text().map(|t| Some(t.to_owned())),
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
        (Some(_), Some(_)) | (None, None) => one_of_the_two(value),
    }
}

/// A glob, a list of globs, `{ regex = … }`, or `{ not = … }` with globs.
fn read_files(value: &Value<'_>) -> Option<FilePatterns> {
    let forms = [Wanted::Text, Wanted::List, Wanted::Table];
    if !value.among(forms).is_table() {
        return FilePatterns::from_globs(&globs(Some(value))?, &[]).ok();
    }
    let mut table = value.table(&MATCH)?;
    let (regex, not) = (table.take("regex"), table.take("not"));
    table.finish();
    match (regex, not) {
        (Some(regex), None) => regex.pattern(FilePatterns::from_regex),
        (None, Some(not)) => FilePatterns::from_globs(&[], &globs(Some(&not))?).ok(),
        (Some(_), Some(_)) | (None, None) => one_of_the_two(value),
    }
}

fn one_of_the_two<T>(value: &Value<'_>) -> Option<T> {
    value.error(
        "must have `regex` or `not`",
        "{ regex = \"…\" }, or { not = … }",
    );
    None
}

/// Reads globs; none if there is no value.
pub(super) fn globs<'a>(value: Option<&Value<'a>>) -> Option<Vec<&'a str>> {
    let Some(value) = value else {
        return Some(Vec::new());
    };
    if value
        .data()
        .as_array()
        .is_some_and(|globs| globs.is_empty())
    {
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

impl<'a> Value<'a> {
    /// Its text, made into a pattern.
    pub(super) fn pattern<T>(
        &self,
        make: impl FnOnce(&'a str) -> Result<T, PatternError>,
    ) -> Option<T> {
        match make(self.text()?) {
            Ok(pattern) => Some(pattern),
            Err(wrong) => {
                self.error("is not a valid pattern", wrong.to_string());
                None
            }
        }
    }
}

impl Value<'_> {
    /// A condition on changes.
    pub(super) fn change_condition(&self) -> Option<ChangeCondition> {
        let condition = self.condition_of(Mode::Core, Sees::only(OF_CHANGE))?;
        let names_values = match &condition {
            Condition::If(expression) => {
                let mut uses = expression.uses().iter();
                uses.any(|used| used.path.first().is_some_and(|name| name == "kw"))
            }
            Condition::Always(_) => false,
        };
        let known = self.sink.values.get().filter(|_| names_values);
        let values = known.map(|known| Arc::clone(&known.named));
        Some(ChangeCondition {
            condition,
            values: values.unwrap_or_default(),
        })
    }
}
