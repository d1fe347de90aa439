//! Builds with their steps, source stamps and changes in the JSON of Buildbot 0.8, for its `/json`
//! tree and the packets of its `HttpStatusPush`.

use std::sync::Arc;

use chrono::DateTime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{Build, Step};
use crate::logs::{Channel, LogReader};
use crate::model::{
    BuildNumber, BuilderName, Change, PatchBody, Properties, Remaining, Results, SourceStamp,
    SourceStamps, Timestamp, Zone, build_url,
};
use crate::store::{State, StoreError};

pub use super::old_json_filter::without_empty;

/// What is encoded in a part of a path: all but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What the JSON is made with.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The state.
    pub state: &'a State,
    /// The address of the pages.
    pub base: &'a str,
    /// The zone of times in words.
    pub zone: Zone,
}

/// A build.
///
/// # Errors
/// The state cannot be read.
pub fn build(around: Surroundings<'_>, build: &Build) -> Result<Value, StoreError> {
    let stamps = stamps(around.state, build)?;
    let stamps = stamps.iter().map(|stamp| source_stamp(around, stamp));
    let stamps = stamps.collect::<Result<Vec<_>, _>>()?;
    let names = steps(build);
    let current = build
        .steps
        .iter()
        .position(|step| step.finished_at.is_none());
    let logs = (0..build.steps.len()).flat_map(|step| logs(around, build, step));
    Ok(json!({
        "builderName": build.builder,
        "number": build.number,
        "sourceStamps": stamps,
        "reason": build.reason,
        "blame": build.blamelist,
        "properties": properties(&build.properties),
        "times": [seconds(build.started_at), build.finished_at.map(seconds)],
        "text": build.text,
        "results": build.result.map(Results::number),
        "slave": build.slave,
        "logs": logs.collect::<Vec<_>>(),
        "eta": eta(build.remaining),
        "steps": (0..names.len()).map(|index| step(around, build, index)).collect::<Vec<_>>(),
        "currentStep": current.map(|index| step(around, build, index)),
    }))
}

/// The names of all steps of a build, those included that have not begun.
#[must_use]
pub fn steps(build: &Build) -> Vec<&str> {
    let begun = build.steps.iter().map(|step| step.name.as_str());
    let mut names: Vec<_> = begun.collect();
    for planned in &build.planned {
        if !names.contains(&planned.as_str()) {
            names.push(planned);
        }
    }
    names
}

/// A step, by its position among all steps.
#[must_use]
pub fn step(around: Surroundings<'_>, build: &Build, index: usize) -> Value {
    let Some(step) = build.steps.get(index) else {
        let names = steps(build);
        let name = names.get(index).copied().unwrap_or_default();
        return json!({
            "name": name,
            "text": [],
            "results": [null, []],
            "isStarted": false,
            "isFinished": false,
            "statistics": {},
            "times": [null, null],
            "expectations": [],
            "eta": null,
            "urls": {},
            "step_number": index,
            "hidden": false,
            "logs": [],
        });
    };
    let urls = step
        .links
        .iter()
        .map(|link| (link.name.clone(), json!(link.url)));
    json!({
        "name": step.name,
        "text": step.text,
        "results": [step.result.map(Results::number), step.build_text],
        "isStarted": true,
        "isFinished": step.finished_at.is_some(),
        "statistics": step.statistics,
        "times": [seconds(step.started_at), step.finished_at.map(seconds)],
        "expectations": expectations(around.state, build, step),
        "eta": eta(step.remaining),
        "urls": urls.collect::<Map<_, _>>(),
        "step_number": index,
        "hidden": step.hidden,
        "logs": logs(around, build, index),
    })
}

/// What is expected of a step that runs: bytes of each log, now and at its end.
fn expectations(state: &State, build: &Build, step: &Step) -> Vec<Value> {
    if step.finished_at.is_some() {
        return Vec::new();
    }
    let expected = build.forecast.0.get(&step.name).and_then(Option::as_ref);
    let expected = expected.iter().flat_map(|effort| &effort.output);
    let expected = expected.map(|(log, bytes)| {
        let path = step.logs.iter().find(|known| known.name == *log);
        let reader = path.and_then(|log| LogReader::open(state.basedir(), &log.path).ok());
        let now = reader.and_then(|reader| reader.count(&Channel::OUTPUT).ok());
        json!([log, now.unwrap_or_default(), bytes])
    });
    expected.collect()
}

fn logs(around: Surroundings<'_>, build: &Build, step: usize) -> Vec<Value> {
    let Some(step) = build.steps.get(step) else {
        return Vec::new();
    };
    let logs = step.logs.iter().map(|log| {
        let of_build = (&build.builder, build.number);
        json!([
            log.name,
            log_url(around.base, of_build, &step.name, &log.name)
        ])
    });
    logs.collect()
}

/// The address of a log, below the address `base` of the pages.
#[must_use]
pub fn log_url(
    base: &str,
    (builder, number): (&BuilderName, BuildNumber),
    step: &str,
    log: &str,
) -> String {
    let url = build_url(base, builder, number);
    let encoded = |name| utf8_percent_encode(name, ENCODED);
    format!("{url}/steps/{}/logs/{}", encoded(step), encoded(log))
}

/// What a build was made of. Of a build whose sets were pruned, only what the build knows itself.
///
/// # Errors
/// The state cannot be read.
pub fn stamps(state: &State, build: &Build) -> Result<Arc<SourceStamps>, StoreError> {
    let (stamps, _) = state.wishes(&build.requests)?;
    if !stamps.is_empty() {
        return Ok(SourceStamps::merged(&stamps));
    }
    let mut changes = Vec::new();
    for &number in &build.changes {
        changes.extend(state.change(number)?.map(Arc::new));
    }
    let stamp = SourceStamp {
        branch: build.branch.clone(),
        revision: build.revision.clone(),
        changes,
        project: build.project.clone().unwrap_or_default(),
        repository: build.repository.clone().unwrap_or_default(),
        codebase: build.codebase.clone().unwrap_or_default(),
        patch: None,
    };
    Ok(Arc::new(stamp.into()))
}

/// A source stamp.
///
/// # Errors
/// The state cannot be read.
pub fn source_stamp(around: Surroundings<'_>, stamp: &SourceStamp) -> Result<Value, StoreError> {
    let changes = stamp.changes.iter().map(|one| change(around, one));
    let mut shown = json!({
        "branch": stamp.branch,
        "revision": stamp.revision_to_build(),
        "project": stamp.project,
        "repository": stamp.repository,
        "codebase": stamp.codebase,
        "hasPatch": stamp.patch.is_some(),
        "changes": changes.collect::<Vec<_>>(),
    });
    if let (Some(patch), Some(fields)) = (&stamp.patch, shown.as_object_mut()) {
        let body = match &patch.body {
            PatchBody::Given(body) => Some(body.to_vec()),
            PatchBody::Kept(set) => around.state.diff(*set)?,
        };
        let body = body.unwrap_or_default();
        fields.insert("patch_level".to_owned(), json!(patch.level));
        fields.insert(
            "patch_body".to_owned(),
            json!(String::from_utf8_lossy(&body)),
        );
        fields.insert("patch_subdir".to_owned(), json!(patch.subdir));
        fields.insert("patch_author".to_owned(), json!(patch.who));
        fields.insert("patch_comment".to_owned(), json!(patch.comment));
    }
    Ok(shown)
}

/// A change.
#[must_use]
pub fn change(around: Surroundings<'_>, change: &Change) -> Value {
    let files = change.files.iter().map(|name| json!({"name": name}));
    json!({
        "number": change.number,
        "branch": change.branch,
        "category": change.category,
        "who": change.who,
        "comments": change.comments,
        "revision": change.revision,
        "rev": change.revision,
        "when": change.when.0.div_euclid(1_000_000),
        "at": in_words(change.when, around.zone),
        "files": files.collect::<Vec<_>>(),
        "revlink": change.revlink,
        "properties": properties(&change.properties),
        "repository": change.repository,
        "codebase": change.codebase,
        "project": change.project,
    })
}

/// Properties as triples of name, value and source.
#[must_use]
pub fn properties(properties: &Properties) -> Vec<Value> {
    let all = properties.iter();
    let all = all.map(|(name, property)| json!([name, property.value, property.source]));
    all.collect()
}

/// A time in seconds since 1970.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of this century are exact enough"
)]
#[must_use]
pub fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1e6
}

fn eta(remaining: Option<Remaining>) -> Option<f64> {
    remaining.map(|Remaining(seconds)| seconds)
}

/// `Thu 26 Nov 2026 13:25:05`, on the clocks of the master.
fn in_words(at: Timestamp, zone: Zone) -> String {
    let seconds = at.0.div_euclid(1_000_000);
    let local = DateTime::from_timestamp(seconds + zone.offset_at(seconds), 0);
    local.map_or_else(String::new, |local| {
        local.format("%a %d %b %Y %H:%M:%S").to_string()
    })
}
