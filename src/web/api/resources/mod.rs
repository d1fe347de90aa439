//! The resources, by what they are about. Each is a row and the functions that make its answer.

pub(super) mod builders;
pub(super) mod builds;
pub(super) mod change_sources;
pub(super) mod changes;
pub(super) mod logs;
pub(super) mod master;
pub(super) mod outbox;
pub(super) mod people;
pub(super) mod problems;
pub(super) mod queue;
pub(super) mod schedulers;
pub(super) mod searches;
pub(super) mod slaves;
pub(super) mod sources;
pub(super) mod tests;

use crate::config::nearest;
use crate::model::Timestamp;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

/// That there is no thing of this name, and which may have been meant.
fn missing<'a>(
    what: &'static str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Refusal {
    let near = nearest(name, known.into_iter());
    Refusal::NotFound {
        what,
        name: name.to_owned(),
        near: near
            .map(|near| (near.to_owned(), String::new()))
            .into_iter()
            .collect(),
    }
}

/// The number in a part of the path.
fn number(scene: &Scene, part: &str, what: &'static str) -> Result<u64, Refusal> {
    let text = scene.args.part(part);
    text.parse().map_err(|_| missing(what, text, []))
}

/// Whether a member is to be part of the answer that is elsewhere otherwise.
fn includes(scene: &Scene, name: &str) -> bool {
    let all = scene.args.all("include").iter();
    let mut all = all.flat_map(|text| text.split(','));
    all.any(|word| word.trim() == name)
}

/// The time in an argument: RFC 3339, or seconds since 1970.
fn time(scene: &Scene, argument: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = scene.args.text(argument) else {
        return Ok(None);
    };
    let parsed = chrono::DateTime::parse_from_rfc3339(text).ok();
    let parsed = parsed.map(|time| Timestamp(time.timestamp_micros()));
    let seconds = || text.parse().ok().map(Timestamp::from_secs);
    let found = parsed.or_else(seconds);
    found.map(Some).ok_or_else(|| Refusal::Argument {
        sentence: format!(
            "The argument {argument} is \u{201c}{text}\u{201d}. It must be a time such as \
             2026-11-26T13:25:05Z, or seconds since 1970."
        ),
    })
}
