//! The slave's description of itself for masters (PROTOCOL sections 9.2 and 9.6).

use std::path::Path;

use super::Settings;
use super::command::COMMANDS;
use super::host::{Entry, Host, read_whole};
use crate::pb::Value;
use crate::platform::SYSTEM;
use crate::protocol::TextStyle;

/// The version of this slave: free text to every master.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of every command, by which masters choose arguments. It is that of Buildbot 4.3,
/// whose arguments are all understood, in addition to those that only 0.8 has.
const COMMAND_VERSION: &str = "3.3";

/// Maximum number of bytes sent of one file of the `info` directory.
const MAX_INFO_BYTES: u64 = 64 * 1024;

/// The answer to `getSlaveInfo`: the files of the `info` directory, environment, system, base
/// directory.
pub(super) fn slave_info(settings: &Settings, style: TextStyle) -> Vec<(Value, Value)> {
    let text = |text: &str| style.value(text);
    let mut info = info_files(settings, style);
    let environment = settings.environment.borrow();
    let environ = environment
        .iter()
        .map(|(k, v)| {
            (
                style.lossy(k.as_encoded_bytes()),
                style.lossy(v.as_encoded_bytes()),
            )
        })
        .collect();
    info.push((text("environ"), Value::Dict(environ)));
    info.push((text("system"), text(SYSTEM)));
    info.push((
        text("basedir"),
        style.lossy(settings.base_dir.as_os_str().as_encoded_bytes()),
    ));
    info
}

/// The answer to `getWorkerInfo`: that of `getSlaveInfo`, and the additions of later masters.
pub(super) fn worker_info(settings: &Settings) -> Vec<(Value, Value)> {
    let style = TextStyle::Unicode;
    let text = |text: &str| style.value(text);
    let mut info = slave_info(settings, style);
    info.extend(os_release(&*settings.host, style));
    let processors = i64::try_from(settings.host.processors()).unwrap_or(i64::MAX);
    info.push((text("numcpus"), Value::Int(processors)));
    info.push((text("version"), text(VERSION)));
    info.push((
        text(crate::protocol::slave::USE_PTY),
        Value::Int(settings.use_pty.into()),
    ));
    info.push((text("worker_commands"), Value::Dict(commands(style))));
    info.push((text("delete_leftover_dirs"), Value::Bool(false)));
    info
}

/// Every command with its version.
fn commands(style: TextStyle) -> Vec<(Value, Value)> {
    let version = |name: &&str| (style.value(name), style.value(COMMAND_VERSION));
    COMMANDS.iter().map(version).collect()
}

/// The answer to `getCommands`. Masters of the 0.8 line check the version of `svn` before they send
/// `usePTY`, and expect this one.
pub(super) fn slave_commands(style: TextStyle) -> Value {
    let mut commands = commands(style);
    commands.push((style.value("svn"), style.value("2.16")));
    Value::Dict(commands)
}

/// Each file of the `info` directory with its text, without unreadable files.
fn info_files(settings: &Settings, style: TextStyle) -> Vec<(Value, Value)> {
    let dir = settings.base_dir.join("info");
    let mut files = settings.host.list(&dir).unwrap_or_default();
    files.sort();
    let read = |entry: &Entry| {
        let text = read_whole(&*settings.host, &dir.join(&entry.name), MAX_INFO_BYTES).ok()?;
        Some((
            style.lossy(entry.name.as_encoded_bytes()),
            style.lossy(&text),
        ))
    };
    files.iter().filter_map(read).collect()
}

/// The contents of `/etc/os-release`, as `os_id`, `os_name` and so on.
fn os_release(host: &dyn Host, style: TextStyle) -> Vec<(Value, Value)> {
    let text = read_whole(host, Path::new("/etc/os-release"), MAX_INFO_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let pair = |line: &str| {
        let (key, value) = line.trim().split_once('=')?;
        let value = value.trim_matches(|c| c == '"' || c == '\'');
        let key = format!("os_{}", key.to_ascii_lowercase());
        (!key.contains('#')).then(|| (style.value(&key), style.value(value)))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::buildslave::host::scripted::ScriptedHost;

    #[test]
    fn the_info_directory_and_the_machine_are_told() {
        let long = "x".repeat(64 * 1024 + 1);
        let host = ScriptedHost::default()
            .with_file("/base/info/admin", "zoe")
            .with_file("/base/info/host", "a machine")
            .with_file("/base/info/too-long", &long)
            .with_file("/etc/os-release", "ID=test\nNAME=\"A Test\"\n# A=b\n");
        let mut settings = Settings::new("s", "p", "/base");
        settings.host = Arc::new(host);
        let info = Value::Dict(worker_info(&settings));
        let text = |key: &str| info.get(key).and_then(Value::as_text).unwrap_or_default();
        assert_eq!((&*text("admin"), &*text("host")), ("zoe", "a machine"));
        assert_eq!((&*text("os_id"), &*text("os_name")), ("test", "A Test"));
        assert_eq!(info.get("too-long"), None);
        assert_eq!(info.get("numcpus"), Some(&Value::Int(4)));
    }
}
