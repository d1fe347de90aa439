//! The lines of a text.

use std::ops::Range;
use std::sync::Arc;

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) text: Arc<str>,
    starts: Vec<usize>,
}

impl Lines {
    /// Looks for the lines of `text`.
    pub(super) fn of(text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(i, _)| i + 1);
        Self {
            text: text.into(),
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
