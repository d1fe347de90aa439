//! What a slave tells of itself (PROTOCOL sections 9.2 and 9.6).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::pb::Value;

use super::{PromptVariable, TextStyle};

/// Most bytes that are kept of each dictionary, each entry with [`ENTRY_COST`].
const MAX_BYTES: usize = 1024 * 1024;
/// What an entry costs besides its texts.
const ENTRY_COST: usize = 64;
/// Longest text that is kept; a real environment variable or info file is far below.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// Under what name the native slave tells whether it wants a pseudo terminal for commands that
/// leave it to the slave. Workers of Buildbot have no such setting.
pub const USE_PTY: &str = "usepty";

/// A slave as it described itself when it attached.
#[derive(Clone, Debug, PartialEq)]
pub struct SlaveInfo {
    /// `admin`, `host`, `access_uri`, `basedir`, `system`, `version` …: the texts of its info,
    /// without final newlines.
    pub texts: Arc<BTreeMap<String, String>>,
    /// Those that its environment has; of the rest of its environment nothing is kept.
    pub prompts: BTreeSet<PromptVariable>,
    /// Command names with their versions; empty for a slave that announces none ("old", SLB-05).
    /// Slaves of one version have the same, which they share.
    pub commands: Arc<BTreeMap<String, String>>,
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
            texts: Arc::new(texts(info)),
            prompts: prompts(info),
            commands: Arc::new(pairs(info.and_then(|info| info.get("worker_commands")))),
            style: TextStyle::Unicode,
            is_worker: true,
        }
    }

    /// From a slave's answers to `getSlaveInfo`, `getVersion` and `getCommands`, each absent if the
    /// call failed.
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
            texts: Arc::new(texts),
            prompts: prompts(info),
            commands: Arc::new(pairs(commands)),
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

/// The tables of commands of the connected slaves, one copy of each: slaves of one version announce
/// the same.
#[derive(Debug, Default)]
pub struct CommandTables(BTreeSet<Arc<BTreeMap<String, String>>>);

impl CommandTables {
    /// Has `slave` share its table with those that announced the same.
    pub fn share(&mut self, slave: &mut Arc<SlaveInfo>) {
        if let Some(table) = self.0.get(&slave.commands) {
            let commands = Arc::clone(table);
            Arc::make_mut(slave).commands = commands;
            return;
        }
        // A table that only this set holds is of slaves that have left.
        self.0.retain(|table| Arc::strong_count(table) > 1);
        self.0.insert(Arc::clone(&slave.commands));
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

/// The prompt variables that the environment in `info` has.
fn prompts(info: Option<&Value>) -> BTreeSet<PromptVariable> {
    let environ = info.and_then(|info| info.get("environ"));
    let has = |variable: &PromptVariable| environ.and_then(|e| e.get(variable.name())).is_some();
    PromptVariable::ALL.into_iter().filter(has).collect()
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
            *slave.texts,
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
    fn of_the_environment_what_decides_about_prompts_is_kept() {
        let set = |name: &str| (Value::text(name), Value::text("x"));
        let environ = Value::Dict(vec![set("PATH"), set("GIT_SSH"), set("SSH_ASKPASS")]);
        let info = Value::Dict(vec![(Value::text("environ"), environ)]);
        for slave in [
            SlaveInfo::of_worker(Some(&info)),
            SlaveInfo::of_slave(Some(&info), None, None),
        ] {
            let kept: Vec<_> = slave.prompts.into_iter().collect();
            assert_eq!(kept, [PromptVariable::GitSsh, PromptVariable::SshAskpass]);
        }
    }

    #[test]
    fn slaves_of_one_version_share_one_table_of_commands() {
        let announcing = |version: &str| {
            let commands = Value::Dict(vec![(Value::bytes("shell"), Value::bytes(version))]);
            Arc::new(SlaveInfo::of_slave(None, None, Some(&commands)))
        };
        let mut tables = CommandTables::default();
        let [mut one, mut two, mut other] = ["2.14", "2.14", "2.9"].map(announcing);
        for slave in [&mut one, &mut two, &mut other] {
            tables.share(slave);
        }
        assert!(Arc::ptr_eq(&one.commands, &two.commands));
        assert_eq!(other.commands["shell"], "2.9");
        assert_eq!(tables.0.len(), 2);
        drop((one, two));
        tables.share(&mut announcing("3.0"));
        assert_eq!(tables.0.len(), 2, "the table that no slave has is dropped");
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
