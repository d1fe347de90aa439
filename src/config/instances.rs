//! What latent slaves have beyond others: how their instances are started and stopped (LAT-01, LAT-11).

use std::net::Ipv6Addr;
use std::time::Duration;

use super::checked::{InstanceKind, LatentConfig, MasterAddress, SlaveKind};
use super::needs::Needed;
use super::quantities::{LONGEST, SHORTEST};
use super::reader::{self, Table, Value};

/// Types of slave that are started when a build wants them.
pub(super) const TYPES: [&str; 3] = ["command", "process", "docker"];

/// Their keys, and the types that have each.
const KEYS: [(&str, &[&str]); 10] = [
    ("build_wait_timeout", &TYPES),
    ("missing_timeout", &TYPES),
    ("stop_timeout", &TYPES),
    ("master", &["command", "docker"]),
    ("start", &["command"]),
    ("stop", &["command"]),
    ("image", &["docker"]),
    ("docker", &["docker"]),
    ("docker_args", &["docker"]),
    ("command", &["docker"]),
];

const BUILD_WAIT_TIMEOUT: Duration = Duration::from_secs(600);
const MISSING_TIMEOUT: Duration = Duration::from_secs(1200);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the keys of a slave of type `kind`; nothing if that is no latent one, or if something is wrong.
pub(super) fn read(table: &mut Table<'_>, kind: &str, name: Option<&str>) -> Option<SlaveKind> {
    let connects = kind == "slave";
    let kind = TYPES.into_iter().find(|known| *known == kind);
    for (key, of) in KEYS {
        // What else connects can be missing as well.
        let applies =
            kind.is_some_and(|kind| of.contains(&kind)) || (connects && key == "missing_timeout");
        if !applies && let Some(value) = table.take(key) {
            let types = of.iter().map(|t| format!("`type = \"{t}\"`"));
            let types = types.collect::<Vec<_>>().join(", ");
            let message = format!("{} means nothing here", reader::of(key, &table.label));
            let help = format!("it is for slaves of {types}; remove it");
            table.sink.error(value.key_span.clone(), message, help);
        }
    }
    let kind = kind?;
    let build_wait = match table.take("build_wait_timeout") {
        None => Some(Some(BUILD_WAIT_TIMEOUT)),
        Some(value) if is_negative(&value) => Some(None),
        Some(value) => value.duration(Duration::ZERO..=LONGEST).map(Some),
    };
    let mut time = |key, default| {
        let value = table.take(key);
        value.map_or(Some(default), |v| v.duration(SHORTEST..=LONGEST))
    };
    let missing_timeout = time("missing_timeout", MISSING_TIMEOUT);
    let stop_timeout = time("stop_timeout", STOP_TIMEOUT);
    let master = match table.take("master") {
        None => Some(None),
        Some(value) => address(&value).map(Some),
    };
    let kind = match kind {
        "command" => {
            let password = table.password(false);
            let start = command(table, "start");
            let stop = command(table, "stop");
            InstanceKind::Command {
                password: password?,
                start: start?,
                stop: stop?,
            }
        }
        "docker" => docker(table, name)?,
        _ => InstanceKind::Process,
    };
    Some(SlaveKind::Latent(Box::new(LatentConfig {
        kind,
        master: master?,
        build_wait_timeout: build_wait?,
        missing_timeout: missing_timeout?,
        stop_timeout: stop_timeout?,
    })))
}

fn docker(table: &mut Table<'_>, name: Option<&str>) -> Option<InstanceKind> {
    let password = table.password(false);
    let image = table.require("image", "\"IMAGE\"");
    let program = match table.take("docker") {
        None => Some("docker".to_owned()),
        Some(value) => value.name().map(str::to_owned),
    };
    if let (Some(image), Some(program)) = (&image, &program) {
        needs_program(image, program);
    }
    let image = image.and_then(|v| not_an_option(&v));
    let mut words = |key| match table.take(key) {
        None => Some(Vec::new()),
        Some(value) => words(&value),
    };
    let (args, command) = (words("docker_args"), words("command"));
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if let Some(name) = name
        && !name.chars().all(fits)
    {
        let message = format!("{} cannot be a container", table.label);
        let help = "containers are named after their slaves: letters, digits, `_`, `.` and `-`";
        table.sink.error(table.span.clone(), message, help);
        return None;
    }
    Some(InstanceKind::Docker {
        password: password?,
        docker: program?,
        image: image?,
        args: args?,
        command: command?,
    })
}

fn command(table: &mut Table<'_>, key: &'static str) -> Option<Vec<String>> {
    let value = table.require(key, "[\"PROGRAM\", \"ARGUMENT\"]")?;
    let words = words(&value)?;
    if words.first().is_none_or(String::is_empty) {
        value.error("has no program", "its first text is the program to run");
        return None;
    }
    if let Some(program) = words.first() {
        needs_program(&value, program);
    }
    Some(words)
}

fn needs_program(value: &Value<'_>, program: &str) {
    value.needs(Needed::Program {
        program: program.to_owned(),
        otherwise: format!("no instance of {} can be started or stopped", value.label),
        help: "install it, or correct its path, which is relative to the base directory".to_owned(),
    });
}

fn words(value: &Value<'_>) -> Option<Vec<String>> {
    let entries = value.list()?;
    entries
        .iter()
        .map(|entry| {
            let text = entry.text()?;
            if text.contains('\0') {
                entry.error("has a null character in it", "no program can get that");
                return None;
            }
            Some(text.to_owned())
        })
        .collect()
}

/// A name that a program cannot take for an option.
fn not_an_option(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    if name.starts_with('-') {
        value.error("cannot begin with `-`", "it would be taken for an option");
        return None;
    }
    Some(name.to_owned())
}

/// `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
fn address(value: &Value<'_>) -> Option<MasterAddress> {
    const HELP: &str = "HOST or HOST:PORT, as the instances reach the master";
    let text = value.name()?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if text.parse::<Ipv6Addr>().is_err() => match port.parse() {
            Ok(port) if port != 0 => (host, Some(port)),
            Ok(_) | Err(_) => {
                value.error("has no port number after its colon", HELP);
                return None;
            }
        },
        Some(_) | None => (text, None),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() || host.contains(char::is_whitespace) {
        value.error("has no host", HELP);
        return None;
    }
    Some(MasterAddress {
        host: host.to_owned(),
        port,
    })
}

fn is_negative(value: &Value<'_>) -> bool {
    let number = value.raw().as_integer();
    number.is_some_and(|number| number.as_str().starts_with('-'))
}
