//! Builds with their steps, source stamps and changes.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::tree::Tree;
use crate::logs::{Channel, LogReader};
use crate::model::{
    Change, PatchBody, Properties, Remaining, Results, SourceStamp, SourceStamps, Timestamp, Zone,
};
use crate::store::State;
use crate::view::{Build, Step};
use crate::web::address;
use crate::web::refusal::Refusal;

/// A build.
pub(super) fn build(tree: Tree<'_>, build: &Build) -> Result<Value, Refusal> {
    let stamps = stamps(tree.state, build)?;
    let stamps = stamps.iter().map(|stamp| source_stamp(tree, stamp));
    let stamps = stamps.collect::<Result<Vec<_>, _>>()?;
    let names = steps(build);
    let current = build
        .steps
        .iter()
        .position(|step| step.finished_at.is_none());
    let logs = (0..build.steps.len()).flat_map(|step| logs(tree, build, step));
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
        "steps": (0..names.len()).map(|index| step(tree, build, index)).collect::<Vec<_>>(),
        "currentStep": current.map(|index| step(tree, build, index)),
    }))
}

/// The names of all steps of a build, those included that have not begun.
pub(super) fn steps(build: &Build) -> Vec<&str> {
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
pub(super) fn step(tree: Tree<'_>, build: &Build, index: usize) -> Value {
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
        "expectations": expectations(tree.state, build, step),
        "eta": eta(step.remaining),
        "urls": urls.collect::<Map<_, _>>(),
        "step_number": index,
        "hidden": step.hidden,
        "logs": logs(tree, build, index),
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

fn logs(tree: Tree<'_>, build: &Build, step: usize) -> Vec<Value> {
    let Some(step) = build.steps.get(step) else {
        return Vec::new();
    };
    let base = tree.scene.config.buildbot_url.trim_end_matches('/');
    let logs = step.logs.iter().map(|log| {
        let path = address::log(&build.builder, build.number, &step.name, &log.name);
        json!([log.name, format!("{base}{path}")])
    });
    logs.collect()
}

/// What a build was made of. Of a build whose sets were pruned, only what the build knows itself.
pub(super) fn stamps(state: &State, build: &Build) -> Result<Arc<SourceStamps>, Refusal> {
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
pub(super) fn source_stamp(tree: Tree<'_>, stamp: &SourceStamp) -> Result<Value, Refusal> {
    let changes = stamp.changes.iter().map(|one| change(tree, one));
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
            PatchBody::Kept(set) => tree.state.diff(*set)?,
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
pub(super) fn change(tree: Tree<'_>, change: &Change) -> Value {
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
        "at": in_words(change.when, tree.scene.zone),
        "files": files.collect::<Vec<_>>(),
        "revlink": change.revlink,
        "properties": properties(&change.properties),
        "repository": change.repository,
        "codebase": change.codebase,
        "project": change.project,
    })
}

/// Properties as triples of name, value and source.
pub(super) fn properties(properties: &Properties) -> Vec<Value> {
    let all = properties.iter();
    let all = all.map(|(name, property)| json!([name, property.value, property.source]));
    all.collect()
}

/// A time in seconds since 1970.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of this century are exact enough"
)]
pub(super) fn seconds(at: Timestamp) -> f64 {
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
