//! A page as a row of the table, what it is made from, and what it gives.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::http::StatusCode;
use chrono::DateTime;

use super::args::{Arg, Args};
use super::form::Form;
use super::harmless::harmless;
use super::parts::{Ago, Local, Outcome, Time, Tone};
use super::reader::Reader;
use super::refusal::Refusal;
use super::vitals::Vitals;
use super::xml::shortened;
use crate::botmaster::{Blocker, Live};
use crate::config::{Config, WebConfig};
use crate::control::{Facts, Target, object};
use crate::model::{Action, Timestamp, Zone};
use crate::schedulers::forcing::WrongField;
use crate::store::{State, StoreError};
use crate::text::printable;
use crate::view::Moment;

/// Characters of a time such as `2026-11-26T13:25:05.312Z`.
const RFC_3339: usize = 24;

/// Characters of a title.
const LONGEST_TITLE: usize = 200;

/// A page: its row in the table.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its address, with `{name}` for each variable part.
    pub path: &'static str,
    /// Its arguments.
    pub args: &'static [Arg],
    /// What its reader must be allowed.
    pub permission: Permission,
    /// The topics of the events that change it, with `{name}` for variable parts of the address.
    pub topics: &'static [&'static str],
    /// The address of its twin in the JSON API, for the foot of the page.
    pub api: Option<&'static str>,
    /// Its place in the navigation.
    pub place: Place,
    /// Shows it.
    pub show: fn(&State, &Scene) -> Result<Shown, Refusal>,
}

/// What somebody must be allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Permission {
    /// To look at pages.
    View,
    /// Nothing: also who may not look at pages sees this one.
    Nothing,
}

/// The place of a page in the navigation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// An entry of this name. The entries are in the order of the table.
    Entry(&'static str),
    /// Below the entry of this name.
    Below(&'static str),
    /// Not in the navigation.
    Apart,
}

impl Place {
    /// The name of the entry.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Entry(name) | Self::Below(name) => Some(name),
            Self::Apart => None,
        }
    }
}

/// What a page is made from, besides the state.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What the core knows.
    pub live: Arc<Live>,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// What the master says of its own process.
    pub facts: Facts,
    /// What keeps the request of the page from being built, if the page is that of a request.
    pub blockers: Vec<Blocker>,
    /// How the running program is; only there for pages and metrics that say so.
    pub vitals: Option<Box<Vitals>>,
    /// The arguments.
    pub args: Args,
    /// Who looks.
    pub reader: Reader,
    /// The path and the arguments, as they were asked for.
    pub address: String,
    /// A form of the page that was sent and refused.
    pub(super) refused: Option<Arc<RefusedForm>>,
    /// The time.
    pub now: Timestamp,
    /// The zone in which times are shown: that of the reader, or else that of the pages.
    pub zone: Zone,
    /// The zone of the pages.
    pub usual_zone: Zone,
}

/// A form that was refused: what was typed, and what is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct RefusedForm {
    /// What was typed.
    pub(super) form: Form,
    /// The fields that are wrong.
    pub(super) wrong: Vec<WrongField>,
}

/// The fields that each form has: its mark and its number.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<input type="hidden" name="csrf" value="{{ csrf }}">{% if !once.is_empty() %}<input type="hidden" name="once" value="{{ once }}">{% endif %}"#,
    ext = "html"
)]
pub(super) struct Marks {
    csrf: String,
    once: String,
}

impl askama::filters::HtmlSafe for Marks {}

impl RefusedForm {
    /// A form with these wrong fields.
    pub(super) const fn new(form: Form, wrong: Vec<WrongField>) -> Self {
        Self { form, wrong }
    }
}

impl Scene {
    /// The fields for a form on the page.
    pub(super) fn marks(&self) -> Marks {
        Marks {
            csrf: self.reader.csrf(self.now),
            once: self.reader.once(),
        }
    }

    /// The fields for a form on the page, if the reader may do `action` to `target`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn form(
        &self,
        state: &State,
        action: Action,
        target: &Target,
    ) -> Result<Option<Marks>, StoreError> {
        let may = self.may(state, action, target)?;
        Ok(may.then(|| self.marks()))
    }

    /// Whether the reader may do `action` to `target`; forms are shown only to those who may.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn may(&self, state: &State, action: Action, target: &Target) -> Result<bool, StoreError> {
        let object = object(state, &self.config, target)?;
        Ok(self.reader.may(&self.config, action, &object))
    }

    /// When the page is looked at, for views.
    #[must_use]
    pub const fn moment(&self) -> Moment {
        Moment {
            is_running: true,
            now: self.now,
        }
    }

    /// A time, with its day if that is not today.
    #[must_use]
    pub fn time(&self, at: Timestamp) -> Time {
        Time::new(self.local(at), self.local(self.now))
    }

    /// A time to the second.
    #[must_use]
    pub fn second(&self, at: Timestamp) -> Time {
        Time::to_the_second(self.local(at), self.local(self.now))
    }

    /// How long ago a time was; goes on by itself on the page.
    #[must_use]
    pub fn ago(&self, at: Timestamp) -> Ago {
        Ago::new(self.local(at), self.since(at))
    }

    /// How long ago a time was.
    #[must_use]
    pub fn since(&self, at: Timestamp) -> Duration {
        self.now.since(at)
    }

    /// A time in the zone of the pages.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> Local {
        Local::new(at, self.zone)
    }

    /// A sentence of the core in which times for programs are replaced by times for people.
    #[must_use]
    pub fn with_local_times(&self, sentence: &str) -> String {
        let mut text = String::with_capacity(sentence.len());
        let mut rest = sentence;
        while let Some(c) = rest.chars().next() {
            let time = rest.get(..RFC_3339).filter(|time| time.ends_with('Z'));
            match time.and_then(|time| DateTime::parse_from_rfc3339(time).ok()) {
                Some(at) => {
                    let at = self.local(Timestamp(at.timestamp_micros()));
                    text += &at.short(self.local(self.now));
                    rest = rest.get(RFC_3339..).unwrap_or_default();
                }
                None => {
                    text.push(c);
                    rest = rest.get(c.len_utf8()..).unwrap_or_default();
                }
            }
        }
        text
    }

    /// The settings of the pages.
    #[must_use]
    pub fn web(&self) -> WebConfig {
        self.config.web.clone().unwrap_or_default()
    }

    /// How many builds a list has: as the argument `numbuilds` says, or else the configuration.
    #[must_use]
    pub fn num_builds(&self) -> u32 {
        let asked = self.args.number("numbuilds");
        let asked = asked.and_then(|number| u32::try_from(number).ok());
        asked.unwrap_or_else(|| self.web().num_builds)
    }
}

/// A page that was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    /// Its title without the name of the project; begins with the state.
    pub title: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// The state that its icon shows.
    pub icon: Tone,
    /// Whether something on it runs, so that it looks different after a quarter of a minute.
    pub runs: bool,
    /// Whether it is kept for the next reader, as long as nothing changes.
    pub kept: bool,
    /// The arguments of its feed, if it has one of its own: `builder=linux`.
    pub feed: Option<String>,
    /// A cookie to set: a name and one of our own words.
    pub cookie: Option<(&'static str, &'static str)>,
    /// What is inside of `<main>`, as HTML.
    pub(super) body: String,
}

impl Shown {
    /// A page with this title and contents.
    ///
    /// # Errors
    /// The template fails.
    pub fn new(title: impl Into<String>, contents: &impl Template) -> Result<Self, Refusal> {
        let body = contents.render();
        let body = body.map_err(|error| Refusal::Internal {
            why: error.to_string(),
        })?;
        let title: String = title.into();
        Ok(Self {
            title: printable(&shortened(&title, LONGEST_TITLE)),
            status: StatusCode::OK,
            icon: Tone::Off,
            runs: false,
            kept: true,
            feed: None,
            cookie: None,
            body: harmless(&body),
        })
    }

    /// This page, with the icon of a state.
    #[must_use]
    pub fn with_icon(self, icon: Tone) -> Self {
        Self { icon, ..self }
    }

    /// This page, whose feed has these arguments.
    #[must_use]
    pub fn with_feed(self, args: &[(&str, &str)]) -> Self {
        let query = super::address::with_args("", args);
        Self {
            feed: Some(query.trim_start_matches('?').to_owned()),
            ..self
        }
    }

    /// This page, as an answer with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// This page, on which something runs if `runs`.
    #[must_use]
    pub fn running(self, runs: bool) -> Self {
        Self { runs, ..self }
    }

    /// This page, which depends on more than the state, and is made anew for each reader.
    #[must_use]
    pub fn unkept(self) -> Self {
        Self {
            kept: false,
            ..self
        }
    }

    /// This page, with the icon and the symbol of an outcome.
    #[must_use]
    pub fn of(self, outcome: Outcome) -> Self {
        let symbol = outcome.tone().symbol();
        Self {
            title: format!("{symbol}{}", self.title),
            icon: outcome.tone(),
            ..self
        }
    }
}
