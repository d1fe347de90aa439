//! What the slave tells of itself (PROTOCOL sections 9.2 and 9.6).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytes::Bytes;

use super::Settings;
use super::command::COMMANDS;
use crate::pb::Value;
use crate::protocol::TextStyle;

/// The version of this slave: free text to every master.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of every command, which is what masters decide by: that of Buildbot 4.3, whose
/// arguments are all understood, beside those of 0.8 that it has lost.
const COMMAND_VERSION: &str = "3.3";

/// Most bytes of one file of the `info` directory that are told.
const MAX_INFO_BYTES: u64 = 64 * 1024;

/// `raw` in the given spelling; as text, what is not UTF-8 is replaced.
pub(super) fn spell(style: TextStyle, raw: &[u8]) -> Value {
    match style {
        TextStyle::Bytes => Value::Bytes(Bytes::copy_from_slice(raw)),
        TextStyle::Unicode => Value::text(&String::from_utf8_lossy(raw)),
    }
}

/// The answer to `getSlaveInfo`: the files of the `info` directory, environment, system, base
/// directory.
pub(super) fn slave_info(settings: &Settings, style: TextStyle) -> Vec<(Value, Value)> {
    let text = |text: &str| style.value(text);
    let mut info = info_files(&settings.base_dir, style);
    let environment = settings.environment.borrow();
    let environ = environment
        .iter()
        .map(|(k, v)| (spell(style, k.as_bytes()), spell(style, v.as_bytes())))
        .collect();
    info.push((text("environ"), Value::Dict(environ)));
    info.push((text("system"), text("posix")));
    info.push((
        text("basedir"),
        spell(style, settings.base_dir.as_os_str().as_bytes()),
    ));
    info
}

/// The answer to `getWorkerInfo`: that of `getSlaveInfo`, and what later masters ask besides.
pub(super) fn worker_info(settings: &Settings) -> Vec<(Value, Value)> {
    let style = TextStyle::Unicode;
    let text = |text: &str| style.value(text);
    let mut info = slave_info(settings, style);
    info.extend(os_release(style));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let processors = i64::try_from(processors).unwrap_or(i64::MAX);
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

/// The answer to `getCommands`. Masters of the 0.8 line tell by the version of `svn`, of all things,
/// whether a slave can be told to use a pseudo terminal, so that it is named here; a checkout with it
/// is refused like any unknown command.
pub(super) fn slave_commands(style: TextStyle) -> Value {
    let mut commands = commands(style);
    commands.push((style.value("svn"), style.value("2.16")));
    Value::Dict(commands)
}

/// Each file of the `info` directory with its text; what cannot be read is left out.
fn info_files(base_dir: &Path, style: TextStyle) -> Vec<(Value, Value)> {
    let Ok(entries) = fs::read_dir(base_dir.join("info")) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let meta = fs::metadata(path).ok()?;
        let fits = meta.is_file() && meta.len() <= MAX_INFO_BYTES;
        let text = fits.then(|| fs::read(path).ok())??;
        let name = path.file_name()?.as_bytes();
        Some((spell(style, name), spell(style, &text)))
    };
    files.iter().filter_map(read).collect()
}

/// The system's own description of itself, as `os_id`, `os_name` and so on.
fn os_release(style: TextStyle) -> Vec<(Value, Value)> {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pair = |line: &str| {
        let (key, value) = line.trim().split_once('=')?;
        let value = value.trim_matches(|c| c == '"' || c == '\'');
        let key = format!("os_{}", key.to_ascii_lowercase());
        (!key.contains('#')).then(|| (style.value(&key), style.value(value)))
    };
    text.lines().filter_map(pair).collect()
}
