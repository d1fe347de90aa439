//! Job files: try jobs as they lie in a job directory (TJD-08 to TJD-10, PROTOCOL section 16).
//!
//! A file is a run of netstrings, `LENGTH:BYTES,`: first the version, then the fields of the job
//! one by one (versions 1 to 4) or one JSON object (from version 5 on). Version 7 is our own: a
//! codebase beside what version 6 has, so that no master of Buildbot patches another one.
//!
//! Invariant: a file that is not wholly understood is refused. A half-written file never becomes a
//! job for fewer builders than were asked for (SB-08), and nothing that is in a file ends the
//! caller (SB-07).

mod netstring;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};

use self::netstring::Netstrings;
use super::change::{MAX_COMMENTS_BYTES, MAX_NAME_BYTES, MAX_PROPERTIES_BYTES};
use crate::model::{BuilderName, Properties, TryJob};

/// Deepest nesting of a property's value.
const MAX_DEPTH: usize = 16;

/// Why a job file is refused; a sentence part for people.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct BadJobfile(pub String);

/// Reads a job file of any version, 1 to 7. Its size, which the caller limits, bounds how many
/// builders it names.
///
/// # Errors
/// It is not one: TJD-09.
pub fn decode(file: &[u8]) -> Result<TryJob, BadJobfile> {
    if file.is_empty() {
        return bad("the file is empty");
    }
    let mut fields = Netstrings::new(file);
    let version = version(fields.require("version")?)?;
    let job = match version {
        1..=4 => decode_fields(version, &mut fields)?,
        5..=7 => {
            let object = fields.require("JSON object")?;
            if !fields.is_at_end() {
                return bad("there is something behind the JSON object");
            }
            decode_json(version, object)?
        }
        other => {
            return bad(format!(
                "version {other} is unknown; this master reads 1 to 7"
            ));
        }
    };
    Ok(job)
}

/// Writes a job file of the lowest version that can carry the job: 2, 3 with who, 4 with a comment,
/// 5 with properties, 6 if the diff is not text (CLI-02), 7 with a codebase (CBS-05).
#[must_use]
pub fn encode(job: &TryJob) -> Vec<u8> {
    if !job.properties.is_empty() || !job.codebase.is_empty() {
        return encode_json(job);
    }
    let version = match (job.who.is_empty(), job.comment.is_empty()) {
        (_, false) => 4,
        (false, true) => 3,
        (true, true) => 2,
    };
    let level = job.patch_level.to_string();
    let mut fields: Vec<&[u8]> = vec![
        job.id.as_bytes(),
        job.branch.as_deref().unwrap_or_default().as_bytes(),
        job.base_revision.as_deref().unwrap_or_default().as_bytes(),
        level.as_bytes(),
        &job.patch,
        job.repository.as_bytes(),
        job.project.as_bytes(),
    ];
    if version >= 3 {
        fields.push(job.who.as_bytes());
    }
    if version >= 4 {
        fields.push(job.comment.as_bytes());
    }
    fields.extend(job.builders.iter().map(|b| b.as_str().as_bytes()));
    let mut file = Vec::with_capacity(job.patch.len() + 512);
    netstring::push(&mut file, version.to_string().as_bytes());
    for field in fields {
        netstring::push(&mut file, field);
    }
    file
}

fn encode_json(job: &TryJob) -> Vec<u8> {
    let builders: Vec<_> = job.builders.iter().map(BuilderName::as_str).collect();
    let mut object = json!({
        "jobid": job.id,
        "branch": job.branch.as_deref().unwrap_or_default(),
        "baserev": job.base_revision.as_deref().unwrap_or_default(),
        "patch_level": job.patch_level,
        "repository": job.repository,
        "project": job.project,
        "who": job.who,
        "comment": job.comment,
        "builderNames": builders,
        "properties": job.properties,
    });
    let version: &[u8] = match std::str::from_utf8(&job.patch) {
        _ if !job.codebase.is_empty() => {
            object["codebase"] = job.codebase.as_str().into();
            object["patch_body_base64"] = BASE64.encode(&job.patch).into();
            b"7"
        }
        Ok(text) => {
            object["patch_body"] = text.into();
            b"5"
        }
        Err(_) => {
            object["patch_body_base64"] = BASE64.encode(&job.patch).into();
            b"6"
        }
    };
    let mut file = Vec::new();
    netstring::push(&mut file, version);
    netstring::push(&mut file, object.to_string().as_bytes());
    file
}

/// Versions are numbers: 10 is not between 1 and 2.
fn version(text: &[u8]) -> Result<u64, BadJobfile> {
    match decimal(text) {
        Some(version) => Ok(version),
        None => bad(format!("{} is not a version", shown(text))),
    }
}

/// The job of versions 1 to 4, each of which adds fields before the builders.
fn decode_fields(version: u64, fields: &mut Netstrings<'_>) -> Result<TryJob, BadJobfile> {
    let mut job = TryJob {
        id: name(fields, "job id")?,
        branch: some(name(fields, "branch")?),
        base_revision: some(name(fields, "base revision")?),
        ..TryJob::default()
    };
    let level = fields.require("patch level")?;
    job.patch_level = match decimal(level).and_then(|level| u32::try_from(level).ok()) {
        Some(level) => level,
        None => return bad(format!("the patch level is {}", shown(level))),
    };
    job.patch = fields.require("patch")?.to_vec();
    if version >= 2 {
        job.repository = name(fields, "repository")?;
        job.project = name(fields, "project")?;
    }
    if version >= 3 {
        job.who = remark(fields, "who", MAX_NAME_BYTES)?;
    }
    if version >= 4 {
        job.comment = remark(fields, "comment", MAX_COMMENTS_BYTES)?;
    }
    while !fields.is_at_end() {
        let builder = name(fields, "builder")?;
        job.builders.push(BuilderName::from(builder.as_str()));
    }
    Ok(job)
}

/// A text that means something to the master, and therefore must be exact.
fn name(fields: &mut Netstrings<'_>, what: &str) -> Result<String, BadJobfile> {
    match std::str::from_utf8(fields.require(what)?) {
        Ok(text) => within(text, what, MAX_NAME_BYTES),
        Err(_) => bad(format!("the {what} is not UTF-8 text")),
    }
}

/// A text that people read. Clients on Python 2 write it in the sender's encoding, whatever that
/// is.
fn remark(fields: &mut Netstrings<'_>, what: &str, limit: usize) -> Result<String, BadJobfile> {
    let text = String::from_utf8_lossy(fields.require(what)?);
    within(&text, what, limit)
}

fn within(text: &str, what: &str, limit: usize) -> Result<String, BadJobfile> {
    if text.len() > limit {
        return bad(format!("the {what} is longer than {limit} bytes"));
    }
    Ok(text.to_owned())
}

/// The job of versions 5 to 7.
fn decode_json(version: u64, object: &[u8]) -> Result<TryJob, BadJobfile> {
    let object = match serde_json::from_slice(object) {
        Ok(Json::Object(object)) => object,
        Ok(_) => return bad("its JSON is not an object"),
        Err(error) => return bad(format!("its JSON cannot be read: {error}")),
    };
    let level = required(&object, "patch_level")?;
    let Some(level) = level.as_u64().and_then(|level| u32::try_from(level).ok()) else {
        return wrong("patch_level", "a number from 0 on");
    };
    Ok(TryJob {
        id: required_text(&object, "jobid")?,
        branch: some(required_text(&object, "branch")?),
        base_revision: some(required_text(&object, "baserev")?),
        patch_level: level,
        patch: patch(version, &object)?,
        repository: optional_text(&object, "repository", MAX_NAME_BYTES)?,
        codebase: match version {
            7 => required_text(&object, "codebase")?,
            _ => String::new(),
        },
        project: optional_text(&object, "project", MAX_NAME_BYTES)?,
        who: optional_text(&object, "who", MAX_NAME_BYTES)?,
        comment: optional_text(&object, "comment", MAX_COMMENTS_BYTES)?,
        builders: builders(required(&object, "builderNames")?)?,
        properties: properties(object.get("properties"))?,
    })
}

fn required<'o>(object: &'o Map<String, Json>, key: &str) -> Result<&'o Json, BadJobfile> {
    match object.get(key) {
        Some(value) => Ok(value),
        None => bad(format!("{key} is missing")),
    }
}

/// A text that must be there, but may be null.
fn required_text(object: &Map<String, Json>, key: &str) -> Result<String, BadJobfile> {
    required(object, key)?;
    optional_text(object, key, MAX_NAME_BYTES)
}

fn optional_text(
    object: &Map<String, Json>,
    key: &str,
    limit: usize,
) -> Result<String, BadJobfile> {
    match object.get(key) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => within(text, key, limit),
        Some(_) => wrong(key, "a string"),
    }
}

fn patch(version: u64, object: &Map<String, Json>) -> Result<Vec<u8>, BadJobfile> {
    let key = match version {
        5 => "patch_body",
        _ => "patch_body_base64",
    };
    let Some(body) = required(object, key)?.as_str() else {
        return wrong(key, "a string");
    };
    if version == 5 {
        return Ok(body.as_bytes().to_vec());
    }
    BASE64
        .decode(body)
        .or_else(|error| bad(format!("{key} is not Base64: {error}")))
}

fn builders(value: &Json) -> Result<Vec<BuilderName>, BadJobfile> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let Some(names) = value.as_array() else {
        return wrong("builderNames", "a list of strings");
    };
    let names = names.iter().map(|name| match name.as_str() {
        Some(name) => within(name, "builder", MAX_NAME_BYTES).map(|n| n.as_str().into()),
        None => wrong("builderNames", "a list of strings"),
    });
    names.collect()
}

/// Properties are bounded as those of changes are, since they go the same way.
fn properties(value: Option<&Json>) -> Result<BTreeMap<String, Json>, BadJobfile> {
    let object = match value {
        None | Some(Json::Null) => return Ok(BTreeMap::new()),
        Some(Json::Object(object)) => object,
        Some(_) => return wrong("properties", "an object"),
    };
    let mut total = 0;
    for (name, value) in object {
        if name.len() > MAX_NAME_BYTES || !Properties::is_valid_name(name) {
            let problem = "is not a property name; use letters, digits and _ . - / ~ :";
            return bad(format!("{} {problem}", shown(name.as_bytes())));
        }
        if depth(value) > MAX_DEPTH {
            return bad(format!(
                "property {name} is nested deeper than {MAX_DEPTH} levels"
            ));
        }
        total += name.len() + value.to_string().len();
        if total > MAX_PROPERTIES_BYTES {
            return bad(format!(
                "the properties are longer than {MAX_PROPERTIES_BYTES} bytes together"
            ));
        }
    }
    Ok(object.clone().into_iter().collect())
}

/// How many lists and objects `value` is deep. The reader of JSON has bounded it, at 128.
fn depth(value: &Json) -> usize {
    let below = match value {
        Json::Array(items) => items.iter().map(depth).max(),
        Json::Object(object) => object.values().map(depth).max(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return 0,
    };
    1 + below.unwrap_or(0)
}

/// A number of digits alone: no sign, no blanks.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The beginning of something that should have been something else, in one line of plain letters.
fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 40;
    let head = bytes.get(..LONGEST).unwrap_or(bytes);
    let dots = if head.len() < bytes.len() { "…" } else { "" };
    format!("\"{}{dots}\"", head.escape_ascii())
}

fn wrong<T>(key: &str, wanted: &str) -> Result<T, BadJobfile> {
    bad(format!("{key} is not {wanted}"))
}

fn bad<T>(why: impl Into<String>) -> Result<T, BadJobfile> {
    Err(BadJobfile(why.into()))
}

#[cfg(test)]
mod tests;
