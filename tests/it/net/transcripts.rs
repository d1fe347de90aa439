//! What real peers of every version said, read by the typed layer.

use std::path::{Path, PathBuf};

use buildmaster::pb::banana::{Decoder, Token};
use buildmaster::pb::jelly::Unjellier;
use buildmaster::pb::{Limits, Value};
use buildmaster::protocol::change::decode_change;
use buildmaster::protocol::{ShellArgs, SlaveInfo, Update, decode_updates};
use bytes::Bytes;
use serde_json::Value as Json;

/// A `message` of a transcript: method and positional arguments; or an `answer`, with an empty
/// method.
struct Said {
    method: String,
    args: Vec<Value>,
}

fn recordings() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pb");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !["jobfiles", "vectors", "probe"]
                .iter()
                .any(|no| name.starts_with(no))
        })
        .collect();
    paths.sort();
    paths
}

fn bytes_of(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// All that one side (`m2s`, `s2m`) said in a recording, connection by connection.
fn said(path: &Path, side: &str) -> Vec<Said> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut streams: std::collections::BTreeMap<u64, Vec<u8>> = Default::default();
    for line in text.lines() {
        let chunk: Json = serde_json::from_str(line).unwrap();
        if chunk["dir"] == side {
            let times = usize::try_from(chunk["n"].as_u64().unwrap_or(1)).unwrap();
            let bytes = bytes_of(chunk["hex"].as_str().unwrap()).repeat(times);
            streams
                .entry(chunk["conn"].as_u64().unwrap())
                .or_default()
                .extend(bytes);
        }
    }
    streams.into_values().flat_map(messages).collect()
}

fn messages(stream: Vec<u8>) -> Vec<Said> {
    let limits = Limits::LOGGED_IN;
    let mut decoder = Decoder::default();
    decoder.push(Bytes::from(stream));
    let mut all = Vec::new();
    while let Some(mut tokens) = decoder.next(&limits, true).unwrap() {
        let word = |token: Option<&Token>| match token {
            Some(Token::Bytes(word)) => String::from_utf8_lossy(word).into_owned(),
            _ => String::new(),
        };
        let (skip, method) = match word(tokens.get(1)).as_str() {
            "message" => (6, word(tokens.get(4))),
            "answer" => (3, String::new()),
            _ => continue,
        };
        let mut rest = tokens.drain(..);
        let value = {
            rest.by_ref().take(skip).for_each(drop);
            Unjellier::new(&limits).value(&mut rest).unwrap()
        };
        let args = match (method.is_empty(), value.as_items()) {
            (false, Some(args)) => args.to_vec(),
            _ => vec![value],
        };
        all.push(Said { method, args });
    }
    all
}

#[test]
fn every_recorded_update_is_understood() {
    let mut seen = std::collections::BTreeMap::new();
    for path in recordings() {
        for said in said(&path, "s2m").iter().filter(|s| s.method == "update") {
            for numbered in decode_updates(&said.args[0]).unwrap() {
                assert_eq!(numbered.number, 0, "as in every version of Buildbot");
                let kind = match numbered.update {
                    Update::Stdout(_) => "stdout".to_owned(),
                    Update::Stderr(_) => "stderr".to_owned(),
                    Update::Header(_) => "header".to_owned(),
                    Update::Log { name, .. } => format!("log {name}"),
                    Update::Rc(_) => "rc".to_owned(),
                    Update::Elapsed(_) => "elapsed".to_owned(),
                    Update::FailureReason(reason) => reason,
                    Update::Other { key, .. } => format!("other {key}"),
                };
                *seen.entry(kind).or_insert(0_u32) += 1;
            }
        }
    }
    let kinds: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        [
            "elapsed",
            "header",
            "log follow",
            "log tail",
            "max_lines_failure",
            "other files",
            "other got_revision",
            "other stat",
            "rc",
            "stderr",
            "stdout",
            "timeout",
            "timeout_without_output",
        ]
    );
}

#[test]
fn every_recorded_shell_command_is_understood() {
    let mut count = 0;
    for path in recordings() {
        for said in said(&path, "m2s")
            .iter()
            .filter(|s| s.method == "startCommand")
        {
            if said.args[2].as_text().unwrap() != "shell" {
                continue;
            }
            match ShellArgs::from_value(&said.args[3]) {
                Ok(args) => {
                    assert!(!args.workdir.is_empty());
                    count += 1;
                }
                // The recordings of bad arguments.
                Err(error) => {
                    let name = path.display().to_string();
                    assert!(name.contains("-bad-"), "{name}: {error}");
                }
            }
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_recorded_change_is_understood() {
    let mut count = 0;
    for path in recordings() {
        for said in said(&path, "s2m")
            .iter()
            .filter(|s| s.method == "addChange")
        {
            let name = path.display().to_string();
            let change = decode_change(&said.args[0], None).unwrap();
            if name.contains("full") {
                assert_eq!(change.who, "Zoë <zoe@example.com>");
                assert_eq!(change.files, ["a/hello.txt", "b/wörld.txt"]);
                assert_eq!(change.comments, "café comment");
                assert_eq!(change.branch.as_deref(), Some("branches/b1"));
                assert_eq!(change.properties.get("n"), Some(&Json::from("5")));
                assert_eq!(change.when.unwrap().as_secs_f64(), 1_600_000_000.0);
                assert_eq!(change.codebase, "cb");
            } else if name.contains("minimal") {
                assert_eq!((change.who.as_str(), change.branch), ("dev", None));
                assert_eq!((change.when, change.category), (None, None));
            } else {
                assert_eq!(
                    (change.who.as_str(), !change.files.is_empty()),
                    ("dev07", true)
                );
            }
            count += 1;
        }
    }
    assert_eq!(count, 11);
}

#[test]
fn every_recorded_slave_describes_itself() {
    let mut versions = std::collections::BTreeSet::new();
    for path in recordings() {
        for said in said(&path, "s2m").iter().filter(|s| s.method.is_empty()) {
            let answer = &said.args[0];
            if answer.get("worker_commands").is_some() {
                let info = SlaveInfo::of_worker(Some(answer));
                assert!(info.command_is_at_least("shell", "3.0"));
                assert_eq!(info.texts["admin"], "Admin <admin@example.com>");
                assert!(answer.get("environ").unwrap().get("PATH").is_some());
                versions.insert(format!("worker {}", info.commands["shell"]));
            } else if answer.get("shell").is_some() {
                let info = SlaveInfo::of_slave(None, None, Some(answer));
                // Workers too, for a master of 0.8.
                versions.insert(format!("commands {}", info.commands["shell"]));
            } else if answer.get("admin").is_some() {
                let info = SlaveInfo::of_slave(Some(answer), None, None);
                assert_eq!(info.texts["admin"], "Admin <admin@example.com>");
            }
        }
    }
    let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
    assert_eq!(
        versions,
        [
            "commands 2.14",
            "commands 2.16",
            "commands 2.9",
            "commands 3.1",
            "commands 3.3",
            "worker 3.1",
            "worker 3.2",
            "worker 3.3"
        ]
    );
}
