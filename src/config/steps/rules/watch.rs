//! `watch`: rules on the lines that the commands of a step print (CFL-113, CFL-114).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use regex::Regex;
use serde::{Serialize, Serializer};

use crate::config::pattern;
use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;
use crate::config::steps::kind::Printed;
use crate::model::Results;

/// A rule on lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WatchRule {
    /// The log whose lines are looked at; the output of the commands by default.
    #[serde(rename = "in")]
    pub log_in: Option<String>,
    /// Which lines.
    #[serde(flatten)]
    pub lines: Lines,
    /// The step's result becomes this if it is worse.
    pub result: Option<Results>,
    /// The count to which they add.
    pub count: Option<String>,
    /// The log to which they go.
    pub log: Option<String>,
    /// The link that they give.
    pub url: Option<String>,
    /// The property that they give.
    pub property: Option<String>,
}

/// Which lines a rule is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Lines {
    /// Each line that matches somewhere.
    #[serde(rename = "match")]
    Match(WatchPattern),
    /// All lines from one that matches to one that matches, or to the end.
    #[serde(rename = "from")]
    Between(WatchPattern, Option<WatchPattern>),
}

/// A regular expression that may match anywhere in a line. Two are equal if they are written alike,
/// and copies share what was compiled.
#[derive(Clone)]
pub struct WatchPattern(Arc<Regex>);

impl WatchPattern {
    /// Reads `text`.
    ///
    /// # Errors
    /// Why it is not a regular expression, or that it is too large.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = pattern::limited(text, false);
        let regex = regex.map(Arc::new);
        regex.map(Self).map_err(|wrong| wrong.to_string())
    }

    /// What matches first in `line`, and its group 1 if there is one that took part.
    #[must_use]
    pub fn find<'l>(&self, line: &'l str) -> Option<(&'l str, Option<&'l str>)> {
        if self.0.captures_len() == 1 {
            return self.0.find(line).map(|found| (found.as_str(), None));
        }
        let groups = self.0.captures(line)?;
        let group = groups.get(1).map(|group| group.as_str());
        Some((groups.get(0)?.as_str(), group))
    }

    /// The regular expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether `line` matches somewhere.
    #[must_use]
    pub fn is_match(&self, line: &str) -> bool {
        self.0.is_match(line)
    }
}

impl PartialEq for WatchPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Debug for WatchPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl Serialize for WatchPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

pub(in crate::config) static RULE: Shape = Shape {
    place: "steps.watch",
    noun: "watch rule",
    keys: &[
        "in", "match", "from", "to", "result", "count", "log", "url", "property",
    ],
    kinds: Vec::new,
};

/// Reads a regular expression.
pub(in crate::config::steps) fn pattern(value: &Value<'_>) -> Option<WatchPattern> {
    let text = value.text()?.to_owned();
    let compile = |text: &String| pattern::limited(text, false).map(Arc::new);
    match value.sink.shared.limited.get(text, compile) {
        Ok(regex) => Some(WatchPattern(regex)),
        Err(wrong) => {
            let help = pattern::help(&wrong.to_string());
            value.error(&format!("is not a regular expression: {wrong}"), help);
            None
        }
    }
}

/// Reads the rules on what a step prints.
pub(super) fn read(value: &Value<'_>, printed: Option<&Printed>) -> Option<Vec<WatchRule>> {
    let tables = value.tables(&RULE);
    if tables.len() > MOST_RULES {
        value.error(
            &format!("has more than {MOST_RULES} rules"),
            "join some patterns with `|`",
        );
        return None;
    }
    let rules: Vec<WatchRule> = tables
        .into_iter()
        .filter_map(|table| read_rule(table, printed))
        .collect();
    let logs: BTreeSet<&str> = rules
        .iter()
        .filter_map(|rule| rule.log.as_deref())
        .collect();
    if logs.len() > MOST_LOGS {
        value.error(
            &format!("fills more than {MOST_LOGS} logs"),
            "let some rules share a log",
        );
        return None;
    }
    Some(rules)
}

/// The log of the output.
const STDIO: &str = "stdio";

/// So many rules may a step have.
const MOST_RULES: usize = 50;

/// So many logs may they fill.
const MOST_LOGS: usize = 20;

/// Warns of a rule whose lines never come.
fn check_log(table: &Table<'_>, printed: &Printed) {
    let (place, message) = match table.text_of("in") {
        Some((log, place)) if log != STDIO && !printed.logs.iter().any(|known| known == log) => (
            place,
            format!(
                "`in` of {} names `{log}`, which is not a log of the step",
                table.label
            ),
        ),
        None if !printed.has_output => {
            let message = format!("{} is on output that does not get here", table.label);
            (table.span.clone(), message)
        }
        Some(_) | None => return,
    };
    let help = "name one of `logfiles` as `in`, or remove the rule";
    table.sink.warning(place, message, help);
}

fn read_rule(mut table: Table<'_>, printed: Option<&Printed>) -> Option<WatchRule> {
    if let Some(printed) = printed {
        check_log(&table, printed);
    }
    let text = |v: &Value<'_>| v.name().map(str::to_owned);
    let (mut log_in, mut count, mut log, mut url, mut property) = (None, None, None, None, None);
    let mut others = ["result", "count", "url", "property"].into_iter();
    let says_more = others.any(|key| table.place(key).is_some());
    let fills_log = table.place("log").is_some();
    table.set_some("in", &mut log_in, text);
    let lines = read_lines(&mut table);
    let mut result = None;
    table.set_some("result", &mut result, |v| {
        v.one_of(&["warnings", "failure", "exception", "retry"])
            .and_then(Results::from_name)
    });
    table.set_some("count", &mut count, text);
    table.set_some("log", &mut log, |v| {
        let name = v.name()?;
        if name == STDIO {
            v.error("is the log of the output itself", "choose another name");
            return None;
        }
        Some(name.to_owned())
    });
    table.set_some("url", &mut url, text);
    table.set_some("property", &mut property, Value::sets_property);
    let rule = WatchRule {
        log_in,
        lines: lines?,
        result,
        count,
        log,
        url,
        property,
    };
    let help = match rule.lines {
        Lines::Match(_) if !fills_log && !says_more => {
            Some("give it `result`, `count`, `log`, `url` or `property`")
        }
        Lines::Between(..) if !fills_log || says_more => {
            Some("lines from one to another go to a log: give it `log` alone")
        }
        Lines::Match(_) | Lines::Between(..) => None,
    };
    if let Some(help) = help {
        let message = format!("{} does not say what to do with the lines", table.label);
        table.sink.missing(table.span.clone(), message, help);
        return None;
    }
    table.finish();
    Some(rule)
}

fn read_lines(table: &mut Table<'_>) -> Option<Lines> {
    match (table.take("match"), table.take("from"), table.take("to")) {
        (Some(value), None, None) => pattern(&value).map(Lines::Match),
        (None, Some(from), to) => {
            let to = match to {
                Some(to) => Some(pattern(&to)?),
                None => None,
            };
            Some(Lines::Between(pattern(&from)?, to))
        }
        _ => {
            let message = format!("{} does not say which lines it is about", table.label);
            let help = "give it `match`, or `from` with or without `to`";
            table.sink.missing(table.span.clone(), message, help);
            None
        }
    }
}
