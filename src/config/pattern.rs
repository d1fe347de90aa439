//! Patterns on files and on the fields of changes, ready to match.
//!
//! Regular expressions must match from the beginning of the text on, and may end before its end, as
//! Buildbot's do (Python's `re.match`). Two patterns are equal if they were written alike.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::{Captures, Regex, RegexBuilder};

use crate::model::{FilterField, NewChange};

/// Which files count: globs to include and exclude, or a regular expression.
///
/// In a glob `*` and `?` stop at slashes, and `**` crosses them: `**/*.c` is every C file, `*.c`
/// those in the top directory, `doc/**` all below `doc`. `[ab]` and `{a,b}` are choices.
#[derive(Clone, Debug)]
pub struct FilePatterns(Files);

#[derive(Clone, Debug)]
enum Files {
    Globs { include: Globs, exclude: Globs },
    Regex(Regex),
}

#[derive(Clone, Debug)]
struct Globs {
    written: Vec<String>,
    set: GlobSet,
}

impl FilePatterns {
    /// The files that match one of `include`, or all if that is empty, and none of `exclude`.
    ///
    /// # Errors
    /// The first pattern that is none, and why.
    pub fn from_globs(include: &[&str], exclude: &[&str]) -> Result<Self, PatternError> {
        let include = if include.is_empty() { &["**"] } else { include };
        Ok(Self(Files::Globs {
            include: Globs::new(include)?,
            exclude: Globs::new(exclude)?,
        }))
    }

    /// The files that match a regular expression from the beginning of their path on.
    ///
    /// # Errors
    /// The expression is none.
    pub fn from_regex(regex: &str) -> Result<Self, PatternError> {
        Ok(Self(Files::Regex(anchored(regex)?)))
    }

    /// Whether `file` counts.
    #[must_use]
    pub fn is_match(&self, file: &str) -> bool {
        match &self.0 {
            Files::Globs { include, exclude } => {
                include.set.is_match(file) && !exclude.set.is_match(file)
            }
            Files::Regex(regex) => regex.is_match(file),
        }
    }
}

impl PartialEq for FilePatterns {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (
                Files::Globs { include, exclude },
                Files::Globs {
                    include: i,
                    exclude: e,
                },
            ) => include.written == i.written && exclude.written == e.written,
            (Files::Regex(a), Files::Regex(b)) => a.as_str() == b.as_str(),
            (Files::Globs { .. }, Files::Regex(_)) | (Files::Regex(_), Files::Globs { .. }) => {
                false
            }
        }
    }
}

impl Globs {
    fn new(patterns: &[&str]) -> Result<Self, PatternError> {
        let mut set = GlobSetBuilder::new();
        let wrong = |e: globset::Error| PatternError::of(e.kind().to_string());
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(glob.map_err(wrong)?);
        }
        Ok(Self {
            written: patterns.iter().map(|&p| p.to_owned()).collect(),
            set: set.build().map_err(wrong)?,
        })
    }
}

/// Which names count: patterns in which `*` crosses slashes (CFL-50).
#[derive(Clone, Debug)]
pub(super) struct NamePatterns(GlobSet);

impl NamePatterns {
    /// The names that match one of `patterns`.
    ///
    /// # Errors
    /// The first pattern that is none, and why.
    pub(super) fn new(patterns: &[String]) -> Result<Self, PatternError> {
        let mut set = GlobSetBuilder::new();
        let wrong = |e: globset::Error| PatternError::of(e.kind().to_string());
        for pattern in patterns {
            set.add(GlobBuilder::new(pattern).build().map_err(wrong)?);
        }
        Ok(Self(set.build().map_err(wrong)?))
    }

    /// Whether `name` counts.
    pub(super) fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// The pattern of names that only `name` matches.
pub(super) fn escape(name: &str) -> String {
    globset::escape(name)
}

/// How a field of a change must look: an exact text, one of a list, or an anchored regular
/// expression, and the not-equal forms (SCH-12).
#[derive(Clone, Debug)]
pub struct TextMatch {
    negated: bool,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    /// One of these; `None` is a field that is absent.
    OneOf(Vec<Option<String>>),
    /// One of these expressions; an absent field matches none.
    Regex(Vec<Regex>),
}

impl TextMatch {
    /// One of `texts`, among which `None` is an absent field.
    #[must_use]
    pub const fn one_of(texts: Vec<Option<String>>) -> Self {
        Self {
            negated: false,
            wanted: Wanted::OneOf(texts),
        }
    }

    /// A match of one of `regexes` from the beginning of the text on.
    ///
    /// # Errors
    /// One of them is none.
    pub fn regex(regexes: &[&str]) -> Result<Self, PatternError> {
        let regexes = regexes.iter().map(|r| anchored(r));
        Ok(Self {
            negated: false,
            wanted: Wanted::Regex(regexes.collect::<Result<_, _>>()?),
        })
    }

    /// What this does not match.
    #[must_use]
    pub fn negate(self) -> Self {
        Self {
            negated: !self.negated,
            ..self
        }
    }

    /// Whether `text`, or its absence, matches.
    #[must_use]
    pub fn is_match(&self, text: Option<&str>) -> bool {
        let wanted = match &self.wanted {
            Wanted::OneOf(texts) => texts.iter().any(|t| t.as_deref() == text),
            Wanted::Regex(regexes) => text.is_some_and(|t| regexes.iter().any(|r| r.is_match(t))),
        };
        wanted != self.negated
    }
}

impl PartialEq for TextMatch {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.wanted, &other.wanted) {
            (Wanted::OneOf(a), Wanted::OneOf(b)) => a == b,
            (Wanted::Regex(a), Wanted::Regex(b)) => {
                a.iter().map(Regex::as_str).eq(b.iter().map(Regex::as_str))
            }
            (Wanted::OneOf(_), Wanted::Regex(_)) | (Wanted::Regex(_), Wanted::OneOf(_)) => false,
        };
        same && self.negated == other.negated
    }
}

/// Which changes a scheduler looks at; what is absent matches all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChangeFilter {
    /// On the project.
    pub project: Option<TextMatch>,
    /// On the repository.
    pub repository: Option<TextMatch>,
    /// On the category.
    pub category: Option<TextMatch>,
    /// On the codebase.
    pub codebase: Option<TextMatch>,
    /// On the branch, in place of the scheduler's own.
    pub branch: Option<TextMatch>,
    /// On the author.
    pub who: Option<TextMatch>,
    /// On the files, of which one must match.
    pub files: Option<FilePatterns>,
}

impl ChangeFilter {
    /// Whether `change` passes; the branch is looked at only if the filter has one.
    #[must_use]
    pub fn passes(&self, change: &NewChange) -> bool {
        self.refuses(change).is_none()
    }

    /// The first field for which `change` does not pass.
    #[must_use]
    pub fn refuses(&self, change: &NewChange) -> Option<FilterField> {
        use FilterField as Field;
        let all = [
            (Field::Project, &self.project, Some(change.project.as_str())),
            (
                Field::Repository,
                &self.repository,
                Some(change.repository.as_str()),
            ),
            (Field::Category, &self.category, change.category.as_deref()),
            (
                Field::Codebase,
                &self.codebase,
                Some(change.codebase.as_str()),
            ),
            (Field::Branch, &self.branch, change.branch.as_deref()),
            (Field::Who, &self.who, Some(change.who.as_str())),
        ];
        let refuses = |wanted: &Option<TextMatch>, text| {
            wanted.as_ref().is_some_and(|wanted| !wanted.is_match(text))
        };
        let mut all = all.into_iter();
        let refusing = all.find(|(_, wanted, text)| refuses(wanted, *text));
        let refusing = refusing.map(|(field, ..)| field);
        refusing.or_else(|| self.refuses_files(change).then_some(Field::Files))
    }
}

impl ChangeFilter {
    /// Whether no file of `change` matches. Files that are not known might.
    fn refuses_files(&self, change: &NewChange) -> bool {
        self.files.as_ref().is_some_and(|wanted| {
            let mut files = change.files.iter();
            change.files_left_out == 0 && !files.any(|file| wanted.is_match(file))
        })
    }
}

impl Serialize for FilePatterns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Files::Globs { include, exclude } => serializer
                .collect_map([("include", &include.written), ("exclude", &exclude.written)]),
            Files::Regex(regex) => serializer.collect_map([("regex", regex.as_str())]),
        }
    }
}

impl Serialize for TextMatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.wanted {
            Wanted::OneOf(texts) => (self.negated, texts).serialize(serializer),
            Wanted::Regex(regexes) => {
                let regexes: Vec<_> = regexes.iter().map(Regex::as_str).collect();
                (self.negated, "regex", regexes).serialize(serializer)
            }
        }
    }
}

/// What to do about a regular expression that is refused as `wrong`.
pub(super) fn help(wrong: &str) -> &'static str {
    if wrong.contains("look-around") || wrong.contains("backreferences") {
        "look-ahead, look-behind and back references are not supported; write it without them"
    } else if wrong.contains("unclosed") || wrong.contains("unopened") {
        "a bracket that stands for itself has a backslash before it: `\\(`"
    } else if wrong.contains("repetition") {
        "`*`, `+` and `?` follow what they repeat: `.*`; with a backslash they stand for themselves"
    } else {
        "see https://docs.rs/regex for what can be written"
    }
}

/// A regular expression for lines of output; its copies share what was compiled.
#[derive(Clone, Debug)]
pub struct LinePattern(Arc<Regex>);

impl LinePattern {
    /// Matches anywhere in a line.
    ///
    /// # Errors
    /// The expression is none.
    pub fn anywhere(regex: &str) -> Result<Self, PatternError> {
        let wrong = |e: regex::Error| PatternError::of_regex(&e);
        let compiled = Regex::new(regex).map_err(wrong)?;
        Ok(Self(Arc::new(compiled)))
    }

    /// Matches from the beginning of a line on.
    ///
    /// # Errors
    /// The expression is none.
    pub fn from_start(regex: &str) -> Result<Self, PatternError> {
        anchored(regex).map(Arc::new).map(Self)
    }

    /// Whether the line matches.
    #[must_use]
    pub fn is_match(&self, line: &str) -> bool {
        self.0.is_match(line)
    }

    /// Each match in a text, with its groups.
    pub fn all<'l>(&'l self, text: &'l str) -> impl Iterator<Item = Captures<'l>> {
        self.0.captures_iter(text)
    }

    /// How many groups it has.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.0.captures_len() - 1
    }

    /// The groups of the match.
    #[must_use]
    pub fn captures<'l>(&self, line: &'l str) -> Option<Captures<'l>> {
        self.0.captures(line)
    }
}

impl PartialEq for LinePattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Serialize for LinePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// Why a pattern is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{why}")]
pub struct PatternError {
    why: String,
    /// Whether it is larger than a pattern may be.
    is_too_large: bool,
}

impl PatternError {
    fn of(why: String) -> Self {
        Self {
            why,
            is_too_large: false,
        }
    }

    fn too_large(why: String) -> Self {
        Self {
            why,
            is_too_large: true,
        }
    }

    fn of_regex(error: &regex::Error) -> Self {
        Self {
            why: reason(&error.to_string()),
            is_too_large: matches!(error, regex::Error::CompiledTooBig(_)),
        }
    }

    /// Whether the pattern is larger than one may be.
    pub(super) const fn is_too_large(&self) -> bool {
        self.is_too_large
    }
}

/// `regex`, made to match only at the beginning of a string.
fn anchored(regex: &str) -> Result<Regex, PatternError> {
    anchored_within(regex, LARGEST_OF_FILTERS)
}

/// As [`anchored`], compiled to at most `largest` bytes.
fn anchored_within(regex: &str, largest: usize) -> Result<Regex, PatternError> {
    // Parsed as written first, so that a pattern such as `a)(b` is refused and messages show what
    // the user wrote. Only the anchored pattern is compiled, because that is what takes time.
    regex_syntax::parse(regex).map_err(|e| PatternError::of(reason(&e.to_string())))?;
    let build = |text: &str| RegexBuilder::new(text).size_limit(largest).build();
    // An `x` pattern may end in a comment, which only a line break ends.
    build(&format!("\\A(?:{regex})"))
        .or_else(|_| build(&format!("\\A(?:{regex}\n)")))
        .map_err(|e| PatternError::of_regex(&e))
}

/// A regular expression of an expression of the configuration, within its limits (CFL-70). It may
/// match anywhere in a text, or from its beginning on.
pub(super) fn limited(regex: &str, is_anchored: bool) -> Result<Regex, PatternError> {
    if regex.chars().count() > LONGEST {
        return Err(PatternError::too_large(format!(
            "it has more than {LONGEST} characters"
        )));
    }
    if is_anchored {
        return anchored_within(regex, LARGEST);
    }
    let compiled = RegexBuilder::new(regex).size_limit(LARGEST).build();
    compiled.map_err(|e| PatternError::of_regex(&e))
}

/// The longest regular expression in an expression, in characters.
const LONGEST: usize = 1000;

/// The largest one, compiled, in bytes.
const LARGEST: usize = 1 << 20;

/// The largest regular expression of a filter, compiled, in bytes: the library's own limit.
const LARGEST_OF_FILTERS: usize = 10 << 20;

/// The last line of a message of the library; those before are a picture, which we have ourselves.
fn reason(message: &str) -> String {
    let last = message.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn globs(include: &[&str], exclude: &[&str]) -> FilePatterns {
        FilePatterns::from_globs(include, exclude).unwrap()
    }

    #[test]
    fn stars_stop_at_slashes_and_double_stars_do_not() {
        let c_files = globs(&["**/*.c"], &["doc/**"]);
        for (file, expected) in [
            ("main.c", true),
            ("src/deep/main.c", true),
            ("src/main.h", false),
            ("doc/example.c", false),
        ] {
            assert_eq!(c_files.is_match(file), expected, "{file}");
        }
        assert!(globs(&["*.c"], &[]).is_match("main.c"));
        assert!(!globs(&["*.c"], &[]).is_match("src/main.c"));
        assert!(globs(&[], &["doc/**"]).is_match("src/.hidden/x"));
        assert!(!globs(&["[ab]?.c"], &[]).is_match("a/.c"));
    }

    #[test]
    fn regular_expressions_match_from_the_beginning_and_may_end_early() {
        let regex = |r| FilePatterns::from_regex(r).unwrap();
        assert!(regex("src/").is_match("src/main.c"));
        assert!(!regex("main").is_match("src/main.c"));
        assert!(regex(r".*\.c$").is_match("src/main.c"));
        assert!(!regex("b|c").is_match("ac"));
        assert!(regex("(?x) a # or nothing").is_match("ab"));
        assert!(!regex("^b").is_match("a\nb"));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        let glob = FilePatterns::from_globs(&["[a"], &[]).unwrap_err();
        assert_eq!(glob.to_string(), "unclosed character class; missing ']'");
        let regex = FilePatterns::from_regex("a)(b").unwrap_err();
        assert_eq!(regex.to_string(), "unopened group");
        let ahead = FilePatterns::from_regex("(?!a)b").unwrap_err();
        assert!(ahead.to_string().contains("look-around"), "{ahead}");
    }

    #[test]
    fn patterns_are_equal_if_they_were_written_alike() {
        assert_eq!(globs(&["a"], &[]), globs(&["a"], &[]));
        assert_ne!(globs(&["a"], &[]), globs(&[], &["a"]));
        assert_ne!(globs(&["a"], &[]), FilePatterns::from_regex("a").unwrap());
        let exact = TextMatch::one_of(vec![Some("a".to_owned())]);
        assert_eq!(exact, exact.clone());
        assert_ne!(exact, exact.clone().negate());
        assert_ne!(exact, TextMatch::regex(&["a"]).unwrap());
    }

    #[test]
    fn an_absent_field_matches_only_where_absence_is_named() {
        let trunk = TextMatch::one_of(vec![Some("trunk".to_owned())]);
        assert!(trunk.is_match(Some("trunk")) && !trunk.is_match(None));
        let default = TextMatch::one_of(vec![None]);
        assert!(default.is_match(None) && !default.is_match(Some("")));
        let any = TextMatch::regex(&[""]).unwrap();
        assert!(any.is_match(Some("")) && !any.is_match(None));
        assert!(any.negate().is_match(None));
    }

    #[test]
    fn a_filter_looks_at_every_field_it_has() {
        let text = |t: &str| Some(TextMatch::one_of(vec![Some(t.to_owned())]));
        let mut change = crate::model::Change {
            number: crate::model::ChangeNumber(1),
            arrived_at: crate::model::Timestamp::default(),
            when: crate::model::Timestamp::default(),
            content: NewChange::default(),
        };
        change.content.project = "widget".to_owned();
        let mut filter = ChangeFilter {
            project: text("widget"),
            ..ChangeFilter::default()
        };
        assert!(filter.passes(&change));
        filter.category = text("code");
        assert!(!filter.passes(&change));
        change.content.category = Some("code".to_owned());
        assert!(filter.passes(&change));
        filter.branch = Some(TextMatch::one_of(vec![None]));
        assert!(filter.passes(&change));
        change.content.branch = Some("trunk".to_owned());
        assert_eq!(filter.refuses(&change), Some(FilterField::Branch));
        change.content.category = None;
        assert_eq!(filter.refuses(&change), Some(FilterField::Category));
    }
    #[test]
    fn a_filter_looks_at_the_author_and_at_any_file() {
        let mut change = NewChange {
            who: "Ann <ann@example.org>".to_owned(),
            files: vec!["doc/a".to_owned(), "src/b.c".to_owned()],
            ..NewChange::default()
        };
        let by = |regex: &str| ChangeFilter {
            who: Some(TextMatch::regex(&[regex]).unwrap()),
            ..ChangeFilter::default()
        };
        assert!(by(".*@example[.]org>").passes(&change));
        assert_eq!(by("bot").refuses(&change), Some(FilterField::Who));
        let of = |include: &[&str], exclude: &[&str]| ChangeFilter {
            files: Some(FilePatterns::from_globs(include, exclude).unwrap()),
            ..ChangeFilter::default()
        };
        assert!(of(&["src/**"], &[]).passes(&change));
        assert!(of(&[], &["doc/**"]).passes(&change));
        assert_eq!(of(&["*"], &[]).refuses(&change), Some(FilterField::Files));
        change.files.pop();
        assert!(!of(&[], &["doc/**"]).passes(&change));
        // What was left out might match.
        change.files_left_out = 1;
        assert!(of(&[], &["doc/**"]).passes(&change));
    }
}
