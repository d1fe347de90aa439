//! Errors of a configuration, and how they are shown.
//!
//! Invariant: a span may lie anywhere; showing it never panics.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::class::Class;
use super::places::{ContextId, Location, Places, Real, row_in_words};

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// What kind of mistake it is.
    pub class: Class,
    /// What is wrong, with the name of the thing.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Where: offsets of [`Places`].
    pub span: Option<Range<usize>>,
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// The names of `for` around it, with their values: of the first row that has it.
    pub row: Vec<(String, String)>,
    /// How many rows have it.
    pub rows: usize,
    /// The entries by which it came there, as `FILE:LINE`, the nearest first.
    pub via: Vec<String>,
    /// A second place that belongs to it, such as the first use of a name that is used twice, and
    /// what is there.
    pub related: Option<(Range<usize>, String)>,
}

impl ConfigError {
    /// An error at `span` of `places`, for those who find after the checks that something outside
    /// of the files is missing.
    #[must_use]
    pub fn new(places: &Places, span: Range<usize>, message: impl Into<String>) -> Self {
        Self::of_class(Class::MissingFile, places, span, message)
    }

    /// An error of this class at `span` of `places`.
    pub(super) fn of_class(
        class: Class,
        places: &Places,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        let Location { file, line, column } = places.locate(span.start);
        let context = places.context_of(&span);
        Self {
            class,
            message: message.into(),
            help: None,
            file,
            line,
            column,
            row: places.row(context),
            rows: places.uses(context),
            via: places.via(context),
            span: Some(span),
            related: None,
        }
    }

    /// A line for programs (CFL-65).
    fn json(&self, level: &str) -> serde_json::Value {
        let row = self.row.iter();
        let row = row.map(|(name, value)| (name.clone(), value.as_str().into()));
        serde_json::json!({
            "level": level,
            "class": self.class.name(),
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "row": serde_json::Map::from_iter(row),
            "rows": self.rows,
            "via": self.via,
            "message": self.message,
            "help": self.help,
        })
    }

    /// By what it came there: `in: b = "3.12", and in 7 more rows, by builders.toml:3`.
    fn origin(&self) -> Option<String> {
        let mut words = Vec::new();
        if !self.row.is_empty() {
            words.push(row_in_words(&self.row));
        }
        match self.rows.saturating_sub(1) {
            0 => {}
            1 => words.push("and in 1 more row".to_owned()),
            more => words.push(format!("and in {more} more rows")),
        }
        if !self.via.is_empty() {
            words.push(format!("by {}", self.via.join(", ")));
        }
        let sign = if self.row.is_empty() { "" } else { "in: " };
        (!words.is_empty()).then(|| format!("{sign}{}", words.join(", ")))
    }
}

/// All that is wrong.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    /// Name of the first file, for messages.
    pub file: String,
    /// The files, for the pictures.
    pub places: Arc<Places>,
    /// The errors, in the order of the files.
    pub errors: Vec<ConfigError>,
    /// The warnings.
    pub warnings: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The errors and warnings with a picture of each place; with colours for a terminal. Of more
    /// than 100 only the first are shown, and how many are left out.
    #[must_use]
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let errors = self.errors.iter().map(|e| (Level::ERROR, e));
        let warnings = self.warnings.iter().map(|w| (Level::WARNING, w));
        let mut shown: Vec<String> = errors
            .chain(warnings)
            .take(MOST_SHOWN)
            .map(|(level, problem)| renderer.render(&[self.picture(level, problem)]))
            .collect();
        let left = (self.errors.len() + self.warnings.len()).saturating_sub(MOST_SHOWN);
        if left > 0 {
            shown.push(format!("… and {left} more"));
        }
        shown.join("\n\n")
    }

    /// Adds what was found later.
    pub fn add(&mut self, errors: Vec<ConfigError>, warnings: Vec<ConfigError>) {
        for (all, more) in [(&mut self.errors, errors), (&mut self.warnings, warnings)] {
            let all_of_them = all.drain(..).chain(more).collect();
            *all = told_once(&self.places, all_of_them);
        }
    }

    /// The errors and warnings as JSON, one object a line (CFL-65).
    #[must_use]
    pub fn json_lines(&self) -> String {
        let errors = self.errors.iter().map(|e| e.json("error"));
        let warnings = self.warnings.iter().map(|w| w.json("warning"));
        errors
            .chain(warnings)
            .map(|line| format!("{line}\n"))
            .collect()
    }

    fn picture<'a>(&'a self, level: Level<'a>, problem: &'a ConfigError) -> Group<'a> {
        let mut group = Group::with_title(level.primary_title(problem.message.as_str()));
        if let Some(place) = problem.span.as_ref() {
            group = match self.place(place, AnnotationKind::Primary, None) {
                Some(snippet) => group.element(snippet),
                None => group,
            };
        }
        if let Some((place, label)) = &problem.related {
            group = match self.place(place, AnnotationKind::Context, Some(label)) {
                Some(snippet) => group.element(snippet),
                None => group,
            };
        }
        if let Some(origin) = problem.origin() {
            group = group.element(Level::NOTE.no_name().message(origin));
        }
        match &problem.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    /// The line of `place` with a mark.
    fn place<'a>(
        &'a self,
        place: &Range<usize>,
        kind: AnnotationKind,
        label: Option<&'a str>,
    ) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
        let (source, span) = self.places.range(place)?;
        let lines = &source.lines;
        let at = lines.locate(span.start);
        let start = lines
            .text
            .floor_char_boundary(span.start.clamp(at.start, at.end));
        let end = lines.text.ceil_char_boundary(span.end.clamp(start, at.end));
        let columns = start - at.start..end - at.start;
        let snippet = Snippet::source(lines.text.get(at).unwrap_or_default())
            .line_start(lines.number(span.start))
            .path(source.name.as_str())
            .annotation(kind.span(columns).label(label));
        Some(snippet)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

/// `problems` in the order of the files, the same one in several rows once (CFL-62). Messages that
/// name the thing of their row differ by that alone, so the number of the problem in its row
/// counts.
pub(super) fn told_once(places: &Places, mut problems: Vec<ConfigError>) -> Vec<ConfigError> {
    let place_of = |p: &ConfigError| p.span.as_ref().map(|span| places.real(span));
    problems.sort_by_key(|p| p.span.as_ref().map(|s| (s.start, s.end)));
    problems.dedup();
    let mut told: Vec<ConfigError> = Vec::new();
    let mut first: BTreeMap<(Option<Real>, Class, usize), usize> = BTreeMap::new();
    let mut seen: BTreeMap<(Option<Real>, Class, Option<ContextId>), usize> = BTreeMap::new();
    for problem in problems {
        let place = place_of(&problem);
        let context = problem.span.as_ref().map(|span| places.context_of(span));
        let number = seen.entry((place, problem.class, context)).or_default();
        let key = (place, problem.class, *number);
        *number += 1;
        match first.get(&key).and_then(|at| told.get_mut(*at)) {
            Some(told) => told.rows = told.rows.saturating_add(problem.rows),
            None => {
                first.insert(key, told.len());
                told.push(problem);
            }
        }
    }
    told.sort_by_key(|p| (place_of(p), p.span.as_ref().map(|s| s.start)));
    told
}

/// A file that is not a configuration at all has an error in each line; nobody reads more errors
/// than these.
const MOST_SHOWN: usize = 100;
