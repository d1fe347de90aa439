//! What a slave tells of itself (PROTOCOL sections 9.2 and 9.6).

use std::collections::BTreeMap;

use crate::pb::Value;

use super::TextStyle;

/// Most bytes that are kept of each dictionary, each entry with [`ENTRY_COST`].
const MAX_BYTES: usize = 1024 * 1024;
/// What an entry costs besides its texts.
const ENTRY_COST: usize = 64;
/// Longest text that is kept; a real environment variable or info file is far below.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Under what name the native slave tells whether it wants a pseudo terminal for commands that leave it to the slave.
/// Workers of Buildbot have no such setting.
pub const USE_PTY: &str = "usepty";

/// A slave as it described itself when it attached.
#[derive(Clone, Debug, PartialEq)]
pub struct SlaveInfo {
    /// `admin`, `host`, `access_uri`, `basedir`, `system`, `version` …: the texts of its info, without final newlines.
    pub texts: BTreeMap<String, String>,
    /// Its environment.
    pub environ: BTreeMap<String, String>,
    /// Command names with their versions; empty for a slave that announces none ("old", SLB-05).
    pub commands: BTreeMap<String, String>,
    /// How to spell text for it.
    pub style: TextStyle,
    /// Whether it is a worker (0.9 and later), which is greeted and pinged on its bot.
    pub is_worker: bool,
}

impl SlaveInfo {
    /// From a worker's answer to `getWorkerInfo`; absent if the call failed.
    #[must_use]
    pub fn of_worker(info: Option<&Value>) -> Self {
        Self {
            texts: texts(info),
            environ: pairs(info.and_then(|info| info.get("environ"))),
            commands: pairs(info.and_then(|info| info.get("worker_commands"))),
            style: TextStyle::Unicode,
            is_worker: true,
        }
    }

    /// From a slave's answers to `getSlaveInfo`, `getVersion` and `getCommands`, each absent if the call failed.
    #[must_use]
    pub fn of_slave(
        info: Option<&Value>,
        version: Option<&Value>,
        commands: Option<&Value>,
    ) -> Self {
        let mut texts = texts(info);
        if let Some(version) = version.and_then(text) {
            texts.insert("version".to_owned(), version);
        }
        Self {
            texts,
            environ: pairs(info.and_then(|info| info.get("environ"))),
            commands: pairs(commands),
            style: TextStyle::Bytes,
            is_worker: false,
        }
    }

    /// Whether `command` is at least of `version`, compared part by part (PROTOCOL section 9.6).
    #[must_use]
    pub fn command_is_at_least(&self, command: &str, version: &str) -> bool {
        let parts = |v: &str| {
            v.split('.')
                .map(|p| p.parse::<u64>().unwrap_or(0))
                .collect::<Vec<_>>()
        };
        self.commands
            .get(command)
            .is_some_and(|have| parts(have) >= parts(version))
    }
}

/// The entries of `info` that are texts or numbers.
fn texts(info: Option<&Value>) -> BTreeMap<String, String> {
    let mut texts = pairs(info);
    for text in texts.values_mut() {
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
    }
    texts
}

fn pairs(dict: Option<&Value>) -> BTreeMap<String, String> {
    let pairs = dict.and_then(Value::as_dict).unwrap_or_default();
    pairs
        .iter()
        .filter_map(|(key, value)| Some((text(key)?, text(value)?)))
        .scan(MAX_BYTES, |budget, (key, value)| {
            *budget = budget.checked_sub(key.len() + value.len() + ENTRY_COST)?;
            Some((key, value))
        })
        .collect()
}

fn text(value: &Value) -> Option<String> {
    if let Some(raw) = value.as_raw() {
        let kept = raw.get(..MAX_TEXT_BYTES).unwrap_or(raw);
        return Some(String::from_utf8_lossy(kept).into_owned());
    }
    value.as_int().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_newlines_of_info_files_are_cut() {
        let info = Value::Dict(vec![
            (Value::bytes("admin"), Value::bytes("me\n")),
            (Value::bytes("numcpus"), Value::Int(2)),
            (Value::bytes("environ"), Value::Dict(vec![])),
        ]);
        let slave = SlaveInfo::of_slave(Some(&info), Some(&Value::bytes("0.8.14")), None);
        let want = [("admin", "me"), ("numcpus", "2"), ("version", "0.8.14")];
        assert_eq!(
            slave.texts,
            want.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        );
        assert_eq!(slave.style, TextStyle::Bytes);
    }

    #[test]
    fn a_slave_that_answers_nothing_is_described_by_nothing() {
        let slave = SlaveInfo::of_slave(None, None, None);
        assert!(slave.texts.is_empty() && slave.commands.is_empty() && !slave.is_worker);
        assert!(SlaveInfo::of_worker(Some(&Value::Int(1))).is_worker);
    }

    #[test]
    fn versions_are_compared_part_by_part() {
        let commands = Value::Dict(vec![(Value::bytes("shell"), Value::bytes("2.14"))]);
        let slave = SlaveInfo::of_slave(None, None, Some(&commands));
        assert!(slave.command_is_at_least("shell", "2.9"));
        assert!(slave.command_is_at_least("shell", "2.14"));
        assert!(!slave.command_is_at_least("shell", "2.15"));
        assert!(!slave.command_is_at_least("git", "1"));
    }

    #[test]
    fn entries_and_texts_are_limited() {
        let value = "x".repeat(1024 - ENTRY_COST - 4);
        let entry = |n: usize| (Value::text(&format!("{n:04}")), Value::text(&value));
        let info = |n| SlaveInfo::of_worker(Some(&Value::Dict((0..n).map(entry).collect())));
        assert_eq!(info(MAX_BYTES / 1024).texts.len(), MAX_BYTES / 1024);
        assert_eq!(info(MAX_BYTES / 1024 + 1).texts.len(), MAX_BYTES / 1024);
        let long = |n| {
            let dict = vec![(Value::text("k"), Value::text(&"x".repeat(n)))];
            SlaveInfo::of_worker(Some(&Value::Dict(dict))).texts["k"].len()
        };
        assert_eq!(long(MAX_TEXT_BYTES), MAX_TEXT_BYTES);
        assert_eq!(long(MAX_TEXT_BYTES + 1), MAX_TEXT_BYTES);
    }
}
