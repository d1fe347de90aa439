//! Where things are written: files, and by which rows and entries they came there (CFL-60, CFL-61).
//!
//! All of the configuration speaks of places as ranges of offsets. The files lie one after the
//! other on one line of offsets. What an entry with rows makes has places of its own: the same line
//! again for each row, so that an offset tells the place in the files and the row too.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value as Json;

use super::lines::Lines;

/// The files of a configuration, and the rows of its entries.
#[derive(Clone, Debug, Default)]
pub struct Places {
    files: Vec<Source>,
    /// How long the files are together.
    length: usize,
    /// Files with data that variables name.
    data_files: BTreeSet<String>,
    contexts: Vec<Context>,
}

/// A file.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) lines: Lines,
    /// Where it begins on the line of offsets.
    base: usize,
}

/// By what something came into the configuration: a row of an entry, a step that another one uses,
/// a bundle of defaults.
#[derive(Clone, Debug)]
struct Context {
    /// What it is in; the first one is the files as they are.
    parent: usize,
    /// The names of `for`, with their values.
    row: Vec<(Arc<str>, Arc<Json>)>,
    /// The entry by which it came there.
    via: Option<usize>,
    /// How many entries share it.
    uses: usize,
}

/// A number of a [`Context`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct ContextId(usize);

/// The files as they are.
pub(super) const AS_WRITTEN: ContextId = ContextId(0);

/// A place for people.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Location {
    /// Name of the file.
    pub(super) file: String,
    /// Line, from 1.
    pub(super) line: usize,
    /// Column, from 1, in characters.
    pub(super) column: usize,
}

/// Equal places in the files.
pub(super) type Real = (usize, usize);

impl Places {
    /// One file.
    #[must_use]
    pub fn of(name: &str, text: &str) -> Self {
        let mut places = Self::default();
        places.add(name, text);
        places
    }

    /// Adds a file, before there are any rows; gives where it begins.
    pub(super) fn add(&mut self, name: &str, text: &str) -> usize {
        let base = self.length;
        self.length = base.saturating_add(text.len()).saturating_add(1);
        self.files.push(Source {
            name: name.to_owned(),
            lines: Lines::of(text),
            base,
        });
        base
    }

    /// Adds a context in `parent`.
    pub(super) fn context(
        &mut self,
        parent: ContextId,
        row: Vec<(Arc<str>, Arc<Json>)>,
        via: Option<usize>,
    ) -> ContextId {
        self.contexts.push(Context {
            parent: parent.0,
            row,
            via,
            uses: 1,
        });
        ContextId(self.contexts.len())
    }

    /// One more entry shares what `context` made.
    pub(super) fn shares(&mut self, context: ContextId) {
        let context = context.0.checked_sub(1);
        if let Some(context) = context.and_then(|at| self.contexts.get_mut(at)) {
            context.uses += 1;
        }
    }

    /// The place in the files `place`, as it is in `context`. Of more than a machine can count, the
    /// place as it is.
    pub(super) fn within(&self, place: &Range<usize>, context: ContextId) -> Range<usize> {
        let start = context.0.checked_mul(self.length.max(1));
        let moved = start
            .and_then(|start| Some(place.start.checked_add(start)?..place.end.checked_add(start)?));
        moved.unwrap_or_else(|| place.clone())
    }

    fn split(&self, offset: usize) -> (usize, usize) {
        let length = self.length.max(1);
        match offset / length {
            context if context <= self.contexts.len() => (context, offset % length),
            _ => (0, length.saturating_sub(1)),
        }
    }

    fn source(&self, offset: usize) -> Option<(usize, &Source)> {
        let at = self.files.partition_point(|file| file.base <= offset);
        let at = at.checked_sub(1)?;
        Some((at, self.files.get(at)?))
    }

    /// The file with `offset`, and the offset in it.
    pub(super) fn find(&self, offset: usize) -> Option<(&Source, usize)> {
        let (_, offset) = self.split(offset);
        let (_, source) = self.source(offset)?;
        Some((source, offset - source.base))
    }

    /// The file of `place` and its bytes there.
    pub(super) fn range(&self, place: &Range<usize>) -> Option<(&Source, Range<usize>)> {
        let (source, start) = self.find(place.start)?;
        Some((source, start..start + place.end.saturating_sub(place.start)))
    }

    /// What is written at `place`.
    pub(super) fn written(&self, place: &Range<usize>) -> &str {
        self.range(place)
            .and_then(|(source, range)| source.lines.text.get(range))
            .unwrap_or_default()
    }

    /// `place` in the files alone, so that the same one in all rows is equal.
    pub(super) fn real(&self, place: &Range<usize>) -> Real {
        let (_, start) = self.split(place.start);
        (start, start + place.end.saturating_sub(place.start))
    }

    /// The context of `place`.
    pub(super) fn context_of(&self, place: &Range<usize>) -> ContextId {
        ContextId(self.split(place.start).0)
    }

    /// The line of `offset`: number of the file, and of the line.
    pub(super) fn line(&self, offset: usize) -> (usize, usize) {
        let (_, offset) = self.split(offset);
        match self.source(offset) {
            Some((at, source)) => (at, source.lines.number(offset - source.base)),
            None => (0, 1),
        }
    }

    /// `offset` for people.
    pub(super) fn locate(&self, offset: usize) -> Location {
        match self.find(offset) {
            Some((source, at)) => Location {
                file: source.name.clone(),
                line: source.lines.number(at),
                column: source.lines.column(at),
            },
            None => Location {
                file: String::new(),
                line: 1,
                column: 1,
            },
        }
    }

    /// In words, as seen from the place `from`: `on line 3`, with the file if it is another one,
    /// and the row.
    pub(super) fn in_words(&self, place: &Range<usize>, from: &Range<usize>) -> String {
        let there = self.locate(place.start);
        let mut words = format!("on line {}", there.line);
        if self.locate(from.start).file != there.file {
            words = format!("in {}, line {}", there.file, there.line);
        }
        let row = self.row(self.context_of(place));
        if !row.is_empty() {
            words.push_str(" with ");
            words.push_str(&row_in_words(&row));
        }
        words
    }

    fn chain(&self, context: ContextId) -> Vec<&Context> {
        let mut chain = Vec::new();
        let mut at = context.0;
        while let Some(context) = at.checked_sub(1).and_then(|at| self.contexts.get(at)) {
            chain.push(context);
            at = context.parent;
        }
        chain
    }

    /// The names of `for` around `context`, outermost first, with their values for people.
    pub(super) fn row(&self, context: ContextId) -> Vec<(String, String)> {
        let chain = self.chain(context);
        let rows = chain.iter().rev().flat_map(|context| &context.row);
        rows.map(|(name, value)| (name.to_string(), shown(value)))
            .collect()
    }

    /// The entries by which `context` came there, the nearest first.
    pub(super) fn via(&self, context: ContextId) -> Vec<String> {
        let chain = self.chain(context);
        let entries = chain.iter().filter_map(|context| context.via);
        let entries = entries.map(|offset| self.locate(offset));
        entries
            .map(|there| format!("{}:{}", there.file, there.line))
            .collect()
    }

    /// How many entries share `context`.
    pub(super) fn uses(&self, context: ContextId) -> usize {
        let chain = self.chain(context);
        chain
            .iter()
            .fold(1, |uses, context| uses.saturating_mul(context.uses))
    }

    /// The text of the first file.
    #[must_use]
    pub fn text(&self) -> &str {
        self.files
            .first()
            .map_or("", |file| file.lines.text.as_ref())
    }

    /// Notes that the file `name` with data was read too.
    pub(super) fn add_data_file(&mut self, name: &str) {
        self.data_files.insert(name.to_owned());
    }

    /// Which files were read, for people: `master.toml and 4 more files` (CFL-75).
    #[must_use]
    pub fn files_in_words(&self) -> String {
        let first = self.files.first().map_or("", |file| file.name.as_str());
        let first = first.rsplit('/').next().unwrap_or(first);
        let count = self.files.len() + self.data_files.len();
        match count.saturating_sub(1) {
            0 => first.to_owned(),
            1 => format!("{first} and 1 more file"),
            more => format!("{first} and {more} more files"),
        }
    }
}

/// A row for people: `b = "3.12", d = "AMD64"`.
pub(super) fn row_in_words(row: &[(String, String)]) -> String {
    let names = row.iter().map(|(name, value)| format!("{name} = {value}"));
    names.collect::<Vec<_>>().join(", ")
}

/// A value of a row: a table by its `name`, and anything else as JSON, cut to 40 characters
/// (CFL-61).
fn shown(value: &Json) -> String {
    let text = match value.as_object() {
        Some(map) => match map.get("name").filter(|name| name.is_string()) {
            Some(name) => name.to_string(),
            None => "{…}".to_owned(),
        },
        None => value.to_string(),
    };
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
