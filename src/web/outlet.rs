//! Addresses for programs: what answers in another form than as a page.

use axum::http::StatusCode;
use bytes::Bytes;

use super::args::Arg;
use super::page::Scene;
use super::refusal::Refusal;
use crate::store::State;

/// An address for programs: its row in the table of outlets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlet {
    /// Its address, with `{name}` for each variable part.
    pub(super) path: &'static str,
    /// Its arguments.
    pub(super) args: &'static [Arg],
    /// Who may read it.
    pub(super) readers: Readers,
    /// Makes what it answers.
    pub(super) show: fn(&State, &Scene) -> Result<Document, Refusal>,
    /// Says in its form why it answers nothing.
    pub(super) refuse: fn(StatusCode, &str) -> Document,
}

/// Who may read what an outlet answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Readers {
    /// Those who may look at pages.
    OfPages,
    /// This machine, and whom the configuration lets read the metrics.
    OfMetrics,
}

/// What an outlet answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Document {
    /// The status.
    pub(super) status: StatusCode,
    /// The media type.
    pub(super) kind: &'static str,
    /// The contents.
    pub(super) body: Bytes,
    /// Whether pages of other sites may show it, as they show badges.
    pub(super) is_embedded: bool,
    /// An address for the header `Link`: where the rest of a list is.
    pub(super) next: Option<String>,
}

const TEXT: &str = "text/plain; charset=utf-8";

/// The part of [`Scene::args`] that has the address as it was written.
pub(super) const TARGET: &str = "*target";

/// The part of [`Scene::args`] that has the name and port by which the reader calls the master.
pub(super) const HOST: &str = "*host";

impl Document {
    /// A document of this type.
    pub(super) fn new(kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            kind,
            body: body.into(),
            is_embedded: false,
            next: None,
        }
    }

    /// This document with another status.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// One line of text that says why there is nothing else.
    pub(super) fn sentence(status: StatusCode, sentence: &str) -> Self {
        Self::new(TEXT, format!("{sentence}\n")).with_status(status)
    }
}

/// A refusal as a status and a sentence for programs.
pub(super) fn in_words(refusal: &Refusal) -> (StatusCode, String) {
    let mut sentence = refusal.sentence().into_owned();
    if let Refusal::NotFound { near, .. } = refusal
        && let Some((near, _)) = near.first()
    {
        sentence += &format!(" Did you mean {near}?");
    }
    (refusal.status(), sentence)
}
