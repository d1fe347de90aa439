//! What browsers send when a form is filled in.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};

use super::reader::{Means, Reader, is_from_here, text};
use super::refusal::Refusal;
use crate::config::Config;
use crate::model::Timestamp;

/// Maximum number of bytes of a form.
const LARGEST: usize = 64 * 1024;

/// Maximum number of fields.
const MOST_FIELDS: usize = 2000;

const ELSEWHERE: &str = "The form was not sent from a page of this master.";
const OLD: &str = "The form is not right any more: it is too old, or you have logged in since. Go \
                   back, load the page again, and send it again.";

/// The fields of a form, in the order in which they were sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Form {
    fields: BTreeMap<String, Vec<String>>,
}

impl Form {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// It is too large, or not a form.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Refusal> {
        let kind = text(headers, &header::CONTENT_TYPE);
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.is_empty() && !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let sentence = "A form must be sent as application/x-www-form-urlencoded.".to_owned();
            return Err(Refusal::Argument { sentence });
        }
        let body = to_bytes(body, LARGEST).await;
        let body = body.map_err(|_| Refusal::TooLarge)?;
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(&body).take(MOST_FIELDS) {
            let values = fields.entry(name.into_owned()).or_default();
            values.push(value.into_owned());
        }
        Ok(Self { fields })
    }

    /// All fields by their names, with their values in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        let fields = self.fields.iter();
        fields.map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Whether a field was sent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// All values of a field, in order.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.fields.get(name).map_or(&[], Vec::as_slice)
    }

    /// The last value of a field; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.all(name).last().map_or("", String::as_str)
    }
}

/// Whether a request was sent from a page of ours, with the mark that `reader` was shown.
pub(super) fn is_marked(
    reader: &Reader,
    mark: &str,
    headers: &HeaderMap,
    config: &Config,
    now: Timestamp,
) -> bool {
    is_from_here(headers, config) && reader.is_csrf(mark, now)
}

/// Whether a form was shown to `reader` by us and sent from there. Programs with a token need no
/// form (LGN-07).
///
/// # Errors
/// It was not.
pub(super) fn is_right(
    reader: &Reader,
    form: &Form,
    headers: &HeaderMap,
    config: &Config,
    now: Timestamp,
) -> Result<(), Refusal> {
    if reader.means() == Means::Token {
        return Ok(());
    }
    if !is_from_here(headers, config) {
        let sentence = ELSEWHERE;
        return Err(Refusal::NotOurForm { sentence });
    }
    match is_marked(reader, form.text("csrf"), headers, config, now) {
        true => Ok(()),
        false => Err(Refusal::NotOurForm { sentence: OLD }),
    }
}
