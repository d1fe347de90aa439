//! Fingerprints: what is the same about the same error in two builds (PRB-03).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Most fingerprints of a failure.
pub const MOST_FINGERPRINTS: usize = 50;

/// Most characters of a fingerprint.
const LONGEST: usize = 300;

/// What differs between two builds, in the order in which it is taken out.
struct Varying {
    colours: Regex,
    time: Regex,
    directories: Regex,
    ids: Regex,
    numbers: Regex,
}

static VARYING: LazyLock<Option<Varying>> = LazyLock::new(|| {
    let compiled = |pattern: &str| Regex::new(pattern).ok();
    Some(Varying {
        colours: compiled(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07)")?,
        time: compiled(concat!(
            r"^\s*[\[(]?(\d{4}-\d\d-\d\d([T ]|[\])]?\s))?",
            r"(\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)?[\])]?\s+)?"
        ))?,
        directories: compiled(
            r#"(^|[^\w.~/\\-])([A-Za-z]:[/\\]|/)(([^\s:'"`()\[\]<>,;=/\\]+[/\\])+|$)?"#,
        )?,
        ids: compiled(
            r"(?i)\b(0x[0-9a-f]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{6,})\b",
        )?,
        numbers: compiled(r"\d+")?,
    })
});

/// The fingerprint of a line: without colours, the time at its start, and the directories of
/// absolute paths; identifiers and numbers are `#`.
#[must_use]
pub fn fingerprint(line: &str) -> String {
    let Some(varying) = VARYING.as_ref() else {
        return line.chars().take(LONGEST).collect();
    };
    let plain = varying.colours.replace_all(line, "");
    let plain: String = plain
        .chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| !c.is_control())
        .collect();
    let plain = without_time(varying, &plain);
    let plain = varying.directories.replace_all(plain, short_path);
    let plain = varying.ids.replace_all(&plain, short_id);
    let plain = varying.numbers.replace_all(&plain, "#");
    let words: Vec<_> = plain.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST).collect()
}

/// The fingerprints of lines, at most [`MOST_FINGERPRINTS`].
#[must_use]
pub fn symptoms<'a>(lines: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let all = lines.into_iter().map(fingerprint);
    let mut symptoms = BTreeSet::new();
    for print in all.filter(|print| !print.is_empty()) {
        if symptoms.len() == MOST_FINGERPRINTS {
            break;
        }
        symptoms.insert(print);
    }
    symptoms
}

fn without_time<'a>(varying: &Varying, line: &'a str) -> &'a str {
    let found = varying.time.find(line);
    // What matches may be empty, or be a bracket alone.
    let time = found.filter(|found| found.as_str().contains(|c: char| c.is_ascii_digit()));
    time.and_then(|time| line.get(time.end()..)).unwrap_or(line)
}

/// A path without its directories. A drive or a directory is there, or it is not a path.
fn short_path(found: &Captures<'_>) -> String {
    let is_drive = found[2].len() > 1;
    let has_directories = found.get(3).is_some_and(|all| !all.is_empty());
    if is_drive || has_directories {
        return found[1].to_owned();
    }
    found[0].to_owned()
}

/// `#` in place of an identifier; words of the letters a to f are left alone.
fn short_id(found: &Captures<'_>) -> String {
    let word = &found[0];
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    if has_digit { "#" } else { word }.to_owned()
}
