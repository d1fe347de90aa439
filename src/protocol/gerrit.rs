//! Events of Gerrit, as `gerrit stream-events` prints them, and changes, as `gerrit query` does
//! (POL-14), without I/O.
//!
//! A change has what Buildbot's `GerritChangeSource` gives it: its grouping branch, the commit of
//! its patch set, the type of the event as category, and the whole event as properties such as
//! `event.patchSet.ref`.

mod review;

use serde_json::{Map, Value};

use super::hook::payload::{is_nothing, json, number, text};
use crate::model::{NewChange, Properties, Timestamp};

pub use self::review::{Review, review};

/// What is known before an event is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GerritReading {
    /// What comes before the name of a project in its address: `ssh://user@host:29418`.
    pub base: String,
    /// The types of events that are changes.
    pub handled: Vec<String>,
}

/// An event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GerritEvent {
    /// When it happened, in seconds since 1970.
    pub at: Option<i64>,
    /// The number of the change whose patch set it is about.
    pub number: Option<u64>,
    /// The change that it is; or why it is none.
    pub change: Result<Box<NewChange>, String>,
}

/// What a query answers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GerritAnswer {
    /// The patch sets since the time that was asked for, as events, the oldest first.
    pub events: Vec<GerritEvent>,
    /// Number of changes in the answer.
    pub rows: u64,
    /// Whether there are more.
    pub has_more: bool,
}

/// The types of events that Buildbot handles unless it is told otherwise.
pub const USUAL_EVENTS: [&str; 2] = ["patchset-created", "ref-updated"];

/// The command for a server that prints events as they happen.
pub const STREAM: [&str; 2] = ["gerrit", "stream-events"];

const PATCHSET_CREATED: &str = "patchset-created";
const REF_UPDATED: &str = "ref-updated";

/// The source of the properties of a change (PRP-02).
const SOURCE: &str = "Change";

/// Most properties of an event.
const MOST_PROPERTIES: usize = 200;
/// Bytes of a property of an event.
const LONGEST_PROPERTY: usize = 16 * 1024;

/// The command for a server that prints the changes that were updated since a time, after the first
/// `start` ones.
#[must_use]
pub fn query(since: i64, start: u64) -> Vec<String> {
    let since = chrono::DateTime::from_timestamp(since, 0).unwrap_or_default();
    let since = since.format("%Y-%m-%d %H:%M:%S +0000");
    let words = format!(
        "gerrit query --format=JSON --current-patch-set --files --start {start} \
         \"after:{{{since}}}\" limit:{ROWS}"
    );
    vec![words]
}

/// Changes that a query asks for at once.
const ROWS: u64 = 200;

/// The command for a server that prints a change with the files of its newest patch set.
#[must_use]
pub fn files_query(change: u64) -> Vec<String> {
    vec![format!(
        "gerrit query --format=JSON --current-patch-set --files change:{change} limit:1"
    )]
}

/// Reads the files of the patch set `revision` from what [`files_query`] prints; none if the change
/// has a newer patch set by now.
#[must_use]
pub fn read_files(printed: &[u8], revision: &str) -> Option<Vec<String>> {
    let rows = printed.split(|byte| *byte == b'\n');
    let rows = rows.filter_map(|line| json(line).ok());
    let mut sets = rows.filter_map(|row| row.get("currentPatchSet").cloned());
    let set = sets.find(|set| text(set, "/revision") == revision)?;
    files_of(&set)
}

/// The files of a patch set, if they are told.
fn files_of(set: &Value) -> Option<Vec<String>> {
    let files = set.get("files")?.as_array()?.iter();
    let names = files.flat_map(|file| [text(file, "/fileOld"), text(file, "/file")]);
    // What Gerrit shows among the files, and begins with a slash, is none.
    let names = names.filter(|name| !name.is_empty() && !name.starts_with('/'));
    Some(names.collect())
}

/// Address of what the plugin `events-log` of the server at `url` has since a time: an event a
/// line.
#[must_use]
pub fn events_log(url: &str, since: i64) -> String {
    let since = chrono::DateTime::from_timestamp(since, 0).unwrap_or_default();
    let since = since.format("%Y-%m-%d%%20%H:%M:%S");
    format!("{url}/a/plugins/events-log/events/?t1={since}")
}

/// Reads an event.
#[must_use]
pub fn read_event(line: &[u8], reading: &GerritReading) -> GerritEvent {
    let event = match json(line) {
        Ok(event) => event,
        Err(why) => {
            return GerritEvent {
                at: None,
                number: None,
                change: Err(why.to_string()),
            };
        }
    };
    GerritEvent {
        at: number(&event, "/eventCreatedOn").and_then(|at| i64::try_from(at).ok()),
        number: event
            .get("patchSet")
            .and_then(|_| number(&event, "/change/number")),
        change: change_of(&event, reading).map(Box::new),
    }
}

/// Reads what [`query`] prints. Of each change, the newest patch set is an event if it was made at
/// `since` or later.
///
/// # Errors
/// What the server refuses.
pub fn read_answer(
    printed: &[u8],
    since: i64,
    reading: &GerritReading,
) -> Result<GerritAnswer, String> {
    let mut answer = GerritAnswer::default();
    for line in printed.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row = json(line).map_err(|why| format!("gerrit query: {why}"))?;
        match text(&row, "/type").as_str() {
            "stats" => {
                let more = row.get("moreChanges").and_then(Value::as_bool);
                answer.has_more = more.unwrap_or_default();
            }
            "error" => return Err(format!("gerrit query: {}", text(&row, "/message"))),
            _ => {
                answer.rows += 1;
                answer.events.extend(missed(row, since, reading));
            }
        }
    }
    answer.events.sort_by_key(|event| event.at);
    Ok(answer)
}

/// Gives a change the names of its files.
pub fn set_files(change: &mut NewChange, files: Vec<String>) {
    change.files = files;
    change.files_left_out = 0;
}

/// The event that a change of a query stands for.
fn missed(change: Value, since: i64, reading: &GerritReading) -> Option<GerritEvent> {
    let mut change = change;
    let mut set = change.as_object_mut()?.remove("currentPatchSet")?;
    let files = files_of(&set);
    set.as_object_mut()?.remove("files");
    let at = number(&set, "/createdOn").and_then(|at| i64::try_from(at).ok());
    if at.is_some_and(|at| at < since) {
        return None;
    }
    let event = serde_json::json!({
        "type": PATCHSET_CREATED,
        "change": change,
        "uploader": set.get("uploader"),
        "patchSet": set,
    });
    let mut change = change_of(&event, reading).map(Box::new);
    if let (Ok(change), Some(files)) = (&mut change, files) {
        set_files(change, files);
    }
    let number = number(&event, "/change/number");
    Some(GerritEvent { at, number, change })
}

/// The change that an event is; or why it is none.
fn change_of(event: &Value, reading: &GerritReading) -> Result<NewChange, String> {
    let kind = text(event, "/type");
    if kind.is_empty() {
        return Err("an event has no type".to_owned());
    }
    if !reading.handled.contains(&kind) {
        return Err(format!("events of the type {kind} are not asked for"));
    }
    let change = match kind.as_str() {
        REF_UPDATED => ref_updated(event, reading)?,
        _ if event.get("change").is_some() && event.get("patchSet").is_some() => {
            of_patch_set(event, &kind)?
        }
        _ => return Err(format!("an event of the type {kind} has no patch set")),
    };
    let project = change.project.clone();
    let mut properties = Properties::new();
    if let Some(fields) = event.as_object() {
        flatten(&mut properties, "event", fields);
    }
    let at = number(event, "/eventCreatedOn").or_else(|| number(event, "/patchSet/createdOn"));
    Ok(NewChange {
        repository: format!("{}/{project}", reading.base),
        category: Some(kind),
        made_at: at.and_then(|at| Some(Timestamp::from_secs(i64::try_from(at).ok()?))),
        src: Some("git".to_owned()),
        // The names of the files are not told.
        files_left_out: 1,
        properties,
        ..change
    })
}

fn of_patch_set(event: &Value, kind: &str) -> Result<NewChange, String> {
    let branch = without_heads(&text(event, "/change/branch"));
    let change_number = match event.pointer("/change/number") {
        Some(Value::Number(number)) => number.to_string(),
        _ => text(event, "/change/number"),
    };
    // Patch sets of a change wait together, and apart from those of others.
    let branch = match kind {
        PATCHSET_CREATED => format!("{branch}/{change_number}"),
        _ => branch,
    };
    let revision = text(event, "/patchSet/revision");
    let project = text(event, "/change/project");
    if revision.is_empty() || project.is_empty() {
        return Err(format!("an event of the type {kind} has no commit"));
    }
    Ok(NewChange {
        who: author(event.pointer("/change/owner"), "unknown"),
        comments: text(event, "/change/subject"),
        revision: Some(revision),
        revlink: text(event, "/change/url"),
        branch: Some(branch),
        project,
        ..NewChange::default()
    })
}

fn ref_updated(event: &Value, reading: &GerritReading) -> Result<NewChange, String> {
    let name = text(event, "/refUpdate/refName");
    let revision = text(event, "/refUpdate/newRev");
    if revision.is_empty() || is_nothing(&revision) {
        return Err(format!("{name} was deleted"));
    }
    let is_patch_set = name.starts_with("refs/changes/");
    if is_patch_set && reading.handled.iter().any(|kind| kind == PATCHSET_CREATED) {
        return Err(format!("{name} is told as a patch set"));
    }
    Ok(NewChange {
        who: author(event.get("submitter"), "gerrit"),
        comments: "Gerrit: patchset(s) merged.".to_owned(),
        revision: Some(revision),
        branch: Some(without_heads(&name)),
        project: text(event, "/refUpdate/project"),
        ..NewChange::default()
    })
}

fn without_heads(name: &str) -> String {
    name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()
}

/// `Name <address>`, or what there is of it.
fn author(account: Option<&Value>, otherwise: &str) -> String {
    let field = |name: &str| {
        let value = account.and_then(|account| account.get(name)?.as_str());
        value.filter(|value| !value.is_empty())
    };
    let name = field("name")
        .or_else(|| field("username"))
        .unwrap_or(otherwise);
    match field("email") {
        Some(address) => format!("{name} <{address}>"),
        None => name.to_owned(),
    }
}

/// Sets a property for each field that is not a table, by its path.
fn flatten(properties: &mut Properties, base: &str, fields: &Map<String, Value>) {
    for (key, value) in fields {
        let name = format!("{base}.{key}");
        if let Value::Object(fields) = value {
            flatten(properties, &name, fields);
            continue;
        }
        let is_long = value.to_string().len() > LONGEST_PROPERTY;
        if !is_long && properties.iter().count() < MOST_PROPERTIES {
            properties.set(&name, value.clone(), SOURCE);
        }
    }
}

#[cfg(test)]
mod tests;
