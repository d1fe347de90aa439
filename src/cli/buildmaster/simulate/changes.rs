//! The file of changes: one JSON object per line. All mistakes are reported at once.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::cli::buildmaster::moment;
use crate::model::{Change, ChangeNumber, NewChange, Properties, Timestamp};

/// Changes in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct History {
    changes: Vec<Arc<Change>>,
    /// The ids from the file, integers or strings, in the order of `changes`.
    ids: Vec<Value>,
}

/// A parsed line.
struct Line {
    number: usize,
    id: Option<Value>,
    at: Timestamp,
    content: NewChange,
}

/// The members of a line. `show changes --json` has other names for `id` and `at`.
const MEMBERS: &str = "`at`, `id`, `when`, `made_at`, `branch`, `revision`, `files`, `files_left_out`, `who`, `project`, `repository`, \
                       `category`, `comments`, `codebase`, `revlink`, `src` and `properties`";

/// Maximum number of mistakes to report.
const MOST_MISTAKES: usize = 20;

/// Maximum number of characters of an invalid value to show.
const SHOWN: usize = 40;

/// Reads the changes of a simulation that starts at `from`. `name` is the file name for messages.
///
/// # Errors
/// The file cannot be read; the inner error lists the mistakes in it.
pub(super) fn read(
    input: impl BufRead,
    name: &str,
    from: Timestamp,
) -> io::Result<Result<History, Vec<String>>> {
    let (mut lines, mut mistakes) = (Vec::new(), Vec::new());
    for (place, text) in input.split(b'\n').enumerate() {
        let (number, text) = (place + 1, text?);
        if text.trim_ascii().is_empty() {
            continue;
        }
        match Line::read(number, &text, from) {
            Ok(line) => lines.push(line),
            Err(why) => mistakes.push((number, why)),
        }
    }
    let history = History::new(lines, &mut mistakes);
    if mistakes.is_empty() {
        return Ok(Ok(history));
    }
    mistakes.sort_by_key(|(number, _)| *number);
    let more = mistakes.len().saturating_sub(MOST_MISTAKES);
    let shown = mistakes.iter().take(MOST_MISTAKES);
    let mut messages: Vec<_> = shown
        .map(|(number, why)| format!("error: {name}:{number}: {why}"))
        .collect();
    if more > 0 {
        messages.push(format!("error: {name}: and {more} more"));
    }
    Ok(Err(messages))
}

impl History {
    /// Sorts and numbers the changes as a master would.
    fn new(mut lines: Vec<Line>, mistakes: &mut Vec<(usize, String)>) -> Self {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for (place, line) in lines.iter_mut().enumerate() {
            let id = line.id.get_or_insert_with(|| (place + 1).into());
            if let Some(other) = taken.insert(id.to_string(), line.number) {
                let why = format!(
                    "the id {id} is also the id of line {other}; \
                     give every change a different `id`, or give no change an `id`"
                );
                mistakes.push((line.number, why));
            }
        }
        lines.sort_by_key(|line| line.at);
        let mut history = Self::default();
        for line in lines {
            let number = u64::try_from(history.changes.len()).unwrap_or(u64::MAX);
            history.changes.push(Arc::new(Change {
                number: ChangeNumber(number),
                arrived_at: line.at,
                when: line.content.when.unwrap_or(line.at),
                content: line.content,
            }));
            history.ids.push(line.id.unwrap_or_default());
        }
        history
    }

    /// The changes, numbered from 0.
    pub(super) fn changes(&self) -> &[Arc<Change>] {
        &self.changes
    }

    /// The id of a change in the file.
    pub(super) fn id(&self, number: ChangeNumber) -> &Value {
        let place = usize::try_from(number.0).ok();
        place
            .and_then(|place| self.ids.get(place))
            .unwrap_or(&Value::Null)
    }

    /// The change with this id in the file.
    pub(super) fn with_id(&self, id: &str) -> Option<ChangeNumber> {
        let mut all = self.changes.iter().map(|change| change.number);
        let number: Option<Value> = serde_json::from_str(id).ok();
        all.find(|change| {
            let known = self.id(*change);
            known.as_str() == Some(id) || Some(known) == number.as_ref()
        })
    }

    /// Number of changes.
    pub(super) const fn len(&self) -> usize {
        self.changes.len()
    }

    /// Number of changes that arrive after `until`.
    pub(super) fn arrive_after(&self, until: Timestamp) -> usize {
        let in_time = self.changes.partition_point(|c| c.arrived_at <= until);
        self.changes.len() - in_time
    }
}

impl Line {
    fn read(number: usize, text: &[u8], from: Timestamp) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(text).map_err(|error| {
            let (all, column) = (error.to_string(), error.column());
            let what = all.split(" at line ").next().unwrap_or_default();
            format!(
                "invalid JSON: {what} at column {column}; each line must be one object, a change"
            )
        })?;
        let Value::Object(map) = value else {
            return Err(format!(
                "{} is not a change; a change is a JSON object",
                shown(&value)
            ));
        };
        let mut members = Members(map);
        let at = match members.time("at")? {
            Some(at) => at,
            None => members
                .time("arrived_at")?
                .ok_or("`at` is missing; it is the arrival time of the change")?,
        };
        if at < from {
            return Err(
                "`at` is before --from; give an earlier --from, or leave the change out".to_owned(),
            );
        }
        let id = match members.id("id")? {
            None => members.id("number")?,
            id => id,
        };
        // `show changes` prints these members, of which the first follows from the times.
        drop((members.take("when_not_used"), members.take("notes")));
        let is_skipped = members.take("skipped") == Some(Value::Bool(true));
        let mut text = |key| members.text(key);
        let content = NewChange {
            who: text("who")?.unwrap_or_default(),
            comments: text("comments")?.unwrap_or_default(),
            revision: text("revision")?,
            branch: text("branch")?,
            project: text("project")?.unwrap_or_default(),
            repository: text("repository")?.unwrap_or_default(),
            codebase: text("codebase")?.unwrap_or_default(),
            category: text("category")?,
            revlink: text("revlink")?.unwrap_or_default(),
            src: text("src")?,
            when: members.time("when")?,
            made_at: members.time("made_at")?,
            files: members.files()?,
            files_left_out: members.count("files_left_out")?,
            properties: members.properties()?,
            notes: Vec::new(),
            is_skipped,
        };
        members.finish()?;
        Ok(Self {
            number,
            id,
            at,
            content,
        })
    }
}

/// The members of a line that have not been read yet.
struct Members(Map<String, Value>);

impl Members {
    /// Takes a member; `null` counts as absent.
    fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key).filter(|value| !value.is_null())
    }

    fn time(&mut self, key: &str) -> Result<Option<Timestamp>, String> {
        let time = self.take(key).map(|value| moment::from_json(&value));
        time.transpose().map_err(|why| format!("`{key}`: {why}"))
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("`{key}` must be a string, not {}", shown(&other))),
        }
    }

    fn id(&mut self, key: &str) -> Result<Option<Value>, String> {
        let id = self.take(key);
        match id.as_ref().filter(|id| !id.is_u64() && !id.is_string()) {
            None => Ok(id),
            Some(wrong) => Err(format!(
                "`{key}` must be an integer or a string, not {}",
                shown(wrong)
            )),
        }
    }

    fn count(&mut self, key: &str) -> Result<u64, String> {
        match self.take(key) {
            None => Ok(0),
            Some(value) => value
                .as_u64()
                .ok_or_else(|| format!("`{key}` must be an integer, not {}", shown(&value))),
        }
    }

    fn files(&mut self) -> Result<Vec<String>, String> {
        let Some(value) = self.take("files") else {
            return Ok(Vec::new());
        };
        let text = |entry: &Value| entry.as_str().map(str::to_owned);
        let files = value.as_array().map(|list| list.iter().map(text).collect());
        let files: Option<Option<Vec<String>>> = files;
        files
            .flatten()
            .ok_or_else(|| format!("`files` must be a list of strings, not {}", shown(&value)))
    }

    fn properties(&mut self) -> Result<Properties, String> {
        let mut properties = Properties::new();
        match self.take("properties") {
            None => {}
            Some(Value::Object(values)) => {
                for (name, value) in values {
                    properties.set(name, value, "Change");
                }
            }
            Some(other) => {
                let other = shown(&other);
                return Err(format!("`properties` must be an object, not {other}"));
            }
        }
        Ok(properties)
    }

    fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("unknown member {key:?}; a change has {MEMBERS}")),
        }
    }
}

/// The value for messages, shortened.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}
