//! Errors of a configuration, and how they are shown.
//!
//! Invariant: a span may lie anywhere; showing it never panics.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// What is wrong, with the name of the thing.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Where: bytes of the text.
    pub span: Option<Range<usize>>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// A second place that belongs to it, such as the first use of a name that is used twice, and
    /// what is there.
    pub related: Option<(Range<usize>, String)>,
}

impl ConfigError {
    /// An error at `span` of `text`, for those who find something wrong after the checks.
    #[must_use]
    pub fn new(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let lines = Lines::of(text);
        Self {
            message: message.into(),
            help: None,
            line: lines.number(span.start),
            column: lines.column(span.start),
            span: Some(span),
            related: None,
        }
    }
}

/// All that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigErrors {
    /// Name of the file, for messages.
    pub file: String,
    /// Its text, for the pictures.
    pub text: String,
    /// The errors, in the order of the file.
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
        let lines = Lines::of(&self.text);
        let errors = self.errors.iter().map(|e| (Level::ERROR, e));
        let warnings = self.warnings.iter().map(|w| (Level::WARNING, w));
        let mut shown: Vec<String> = errors
            .chain(warnings)
            .take(MOST_SHOWN)
            .map(|(level, problem)| renderer.render(&[self.picture(&lines, level, problem)]))
            .collect();
        let left = (self.errors.len() + self.warnings.len()).saturating_sub(MOST_SHOWN);
        if left > 0 {
            shown.push(format!("… and {left} more"));
        }
        shown.join("\n\n")
    }

    fn picture<'a>(
        &'a self,
        lines: &Lines<'a>,
        level: Level<'a>,
        problem: &'a ConfigError,
    ) -> Group<'a> {
        let mut group = Group::with_title(level.primary_title(problem.message.as_str()));
        let place = |span: &Range<usize>, kind: AnnotationKind, label: Option<&'a str>| {
            let at = lines.locate(span.start);
            let start = lines
                .text
                .floor_char_boundary(span.start.clamp(at.start, at.end));
            let end = lines.text.ceil_char_boundary(span.end.clamp(start, at.end));
            let columns = start - at.start..end - at.start;
            Snippet::source(lines.text.get(at).unwrap_or_default())
                .line_start(lines.number(span.start))
                .path(self.file.as_str())
                .annotation(kind.span(columns).label(label))
        };
        if let Some(span) = &problem.span {
            group = group.element(place(span, AnnotationKind::Primary, None));
        }
        if let Some((span, label)) = &problem.related {
            group = group.element(place(span, AnnotationKind::Context, Some(label)));
        }
        match &problem.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Looks for the lines of `text`.
    pub(super) fn of(text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(i, _)| i + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(after_breaks).collect(),
        }
    }

    /// Number of the line of the byte `offset`, from 1.
    pub(super) fn number(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// Column of the byte `offset` in its line, from 1, in characters.
    pub(super) fn column(&self, offset: usize) -> usize {
        let line = self.locate(offset);
        let end = self.text.floor_char_boundary(offset.min(line.end));
        1 + self
            .text
            .get(line.start..end)
            .map_or(0, |s| s.chars().count())
    }

    /// The line of the byte `offset`, without its end-of-line.
    pub(super) fn locate(&self, offset: usize) -> Range<usize> {
        let number = self.number(offset);
        let start = self.starts.get(number - 1).copied().unwrap_or(0);
        let next = self.starts.get(number).copied();
        let line = self.text.get(start..next.unwrap_or(self.text.len()));
        let line = line.unwrap_or_default().trim_end_matches(['\n', '\r']);
        start..start + line.len()
    }
}

/// A file that is not a configuration at all has an error in each line; nobody reads more errors
/// than these.
const MOST_SHOWN: usize = 100;
