//! `{{ … }}` in a text (CFL-16).

use std::ops::Range;

use super::super::expression::{Expression, Mistake, Mode};

/// A text with braces.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) parts: Vec<Part>,
    /// Where braces are opened and not closed.
    pub(super) unclosed: Option<usize>,
}

/// A part of a text.
#[derive(Debug)]
pub(super) enum Part {
    /// It stays as it is: bytes of the text.
    Plain(Range<usize>),
    /// It is worked out.
    Braces(Braces),
}

/// An expression in braces.
#[derive(Debug)]
pub(super) struct Braces {
    /// With the braces: bytes of the text.
    pub(super) whole: Range<usize>,
    /// Between the braces, without the star.
    pub(super) inside: Range<usize>,
    /// Without blanks around it.
    pub(super) trimmed: Range<usize>,
    /// Whether it is `{{* … }}`.
    pub(super) is_star: bool,
    pub(super) expression: Result<Expression, Mistake>,
}

impl Parsed {
    /// Finds the braces of `text` and compiles what is in them.
    pub(super) fn of(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut done = 0;
        let mut unclosed = None;
        while let Some(found) = text.get(done..).and_then(|rest| rest.find("{{")) {
            let start = done + found;
            let Some(end) = end(text, start + 2) else {
                unclosed = Some(start);
                break;
            };
            if start > done {
                parts.push(Part::Plain(done..start));
            }
            parts.push(Part::Braces(Braces::of(text, start..end)));
            done = end;
        }
        if done < text.len() {
            parts.push(Part::Plain(done..text.len()));
        }
        Self { parts, unclosed }
    }

    /// The braces, if the text is nothing else.
    pub(super) fn alone(&self) -> Option<&Braces> {
        match self.parts.as_slice() {
            [Part::Braces(braces)] => Some(braces),
            _ => None,
        }
    }

    /// All expressions.
    pub(super) fn all(&self) -> impl Iterator<Item = &Braces> {
        self.parts.iter().filter_map(|part| match part {
            Part::Braces(braces) => Some(braces),
            Part::Plain(_) => None,
        })
    }
}

impl Braces {
    fn of(text: &str, whole: Range<usize>) -> Self {
        let mut inside = whole.start + 2..whole.end - 2;
        let is_star = text.get(inside.clone()).is_some_and(|t| t.starts_with('*'));
        inside.start += usize::from(is_star);
        let between = text.get(inside.clone()).unwrap_or_default();
        let start = inside.start + (between.len() - between.trim_start().len());
        let trimmed = start..start + between.trim().len();
        let expression = text.get(trimmed.clone()).unwrap_or_default();
        Self {
            expression: Expression::compile(expression, Mode::Reading, ""),
            whole,
            inside,
            trimmed,
            is_star,
        }
    }
}

/// Where the braces end whose inside begins at `from`: behind the first `}}` outside of quotes and
/// brackets.
fn end(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut quote = None;
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), close) if open == *close => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(*byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b'}') if depth == 0 && bytes.get(at + 1) == Some(&b'}') => return Some(at + 2),
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        at += 1;
    }
    None
}
