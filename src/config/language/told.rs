//! Mistakes and warnings while the language is worked out.

use std::ops::Range;

use super::super::class::Class;
use super::super::places::{ContextId, Places};
use super::super::report::ConfigError;

/// What was found, and the places that it speaks of.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) places: Places,
    errors: Vec<Note>,
    warnings: Vec<Note>,
}

/// A mistake or a warning.
#[derive(Debug)]
pub(super) struct Note {
    class: Class,
    place: Range<usize>,
    message: String,
    help: String,
}

impl Note {
    /// One at `place`.
    pub(super) fn new(
        class: Class,
        place: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            class,
            place,
            message: message.into(),
            help: help.into(),
        }
    }
}

impl Told {
    /// Notes a mistake.
    pub(super) fn error(
        &mut self,
        class: Class,
        place: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.errors.push(Note::new(class, place, message, help));
    }

    /// Notes a mistake in a row: `place` is that in the files.
    pub(super) fn error_in(
        &mut self,
        class: Class,
        (place, context): (&Range<usize>, ContextId),
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.places.within(place, context);
        self.error(class, place, message, help);
    }

    /// Notes a warning.
    pub(super) fn warning(
        &mut self,
        class: Class,
        place: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.warnings.push(Note::new(class, place, message, help));
    }

    /// All of them, with their rows.
    pub(super) fn finish(self) -> (Places, Vec<ConfigError>, Vec<ConfigError>) {
        let Self {
            places,
            errors,
            warnings,
        } = self;
        let finish = |notes: Vec<Note>| {
            let notes = notes.into_iter().map(|note| {
                let mut error =
                    ConfigError::of_class(note.class, &places, note.place, note.message);
                error.help = Some(note.help).filter(|help| !help.is_empty());
                error
            });
            notes.collect::<Vec<_>>()
        };
        let (errors, warnings) = (finish(errors), finish(warnings));
        (places, errors, warnings)
    }
}
