//! Recorded sessions of real peers (`tests/data/pb/README.md`).

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, str};

use buildmaster::pb::Limits;
use buildmaster::pb::banana::{BananaError, Decoder, Encoder, Token};
use bytes::Bytes;
use serde_json::Value as Json;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    /// From the master, which accepted the connection.
    FromMaster,
    /// To the master.
    ToMaster,
}

/// One recorded connection, in the order in which its bytes passed the recorder.
pub(crate) struct Connection {
    /// Session and number, for messages of tests.
    pub(crate) name: String,
    pub(crate) chunks: Vec<(Direction, Bytes)>,
}

impl Connection {
    /// All bytes of one direction.
    pub(crate) fn bytes(&self, direction: Direction) -> Bytes {
        let chunks = self.chunks.iter().filter(|(d, _)| *d == direction);
        chunks
            .map(|(_, bytes)| &**bytes)
            .collect::<Vec<_>>()
            .concat()
            .into()
    }

    /// Whether the vocabulary is in force after the negotiation.
    pub(crate) fn has_vocabulary(&self) -> bool {
        let first = self.chunks.iter().find(|(d, _)| *d == Direction::ToMaster);
        first.is_some_and(|(_, bytes)| bytes.starts_with(b"\x02\x82pb"))
    }
}

/// All connections of all sessions whose file name begins with `prefix`, sorted by name.
pub(crate) fn connections(prefix: &str) -> Vec<Connection> {
    let is_session = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".jsonl")
            && name.starts_with(prefix)
            && !name.starts_with("vectors-")
            && name != "jobfiles.jsonl"
    };
    let mut paths: Vec<_> = fs::read_dir(data("pb"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.retain(is_session);
    paths.sort();
    paths.iter().flat_map(|path| read_session(path)).collect()
}

/// All sessions between real peers; those of our own odd client are left out.
pub(crate) fn real_connections() -> Vec<Connection> {
    let mut all = connections("");
    all.retain(|connection| !connection.name.starts_with("probe-raw"));
    assert!(all.len() > 100, "transcripts are missing");
    all
}

fn read_session(path: &Path) -> Vec<Connection> {
    let mut by_number: BTreeMap<u64, Vec<(Direction, Bytes)>> = BTreeMap::new();
    for line in json_lines(path) {
        let direction = match line["dir"].as_str().unwrap() {
            "m2s" => Direction::FromMaster,
            "s2m" => Direction::ToMaster,
            other => panic!("direction {other}"),
        };
        let times = usize::try_from(line["n"].as_u64().unwrap_or(1)).unwrap();
        let bytes = unhex(line["hex"].as_str().unwrap()).repeat(times);
        let chunks = by_number.entry(line["conn"].as_u64().unwrap()).or_default();
        if !bytes.is_empty() {
            chunks.push((direction, Bytes::from(bytes)));
        }
    }
    let session = path.file_stem().unwrap().to_str().unwrap();
    let connection = |(number, chunks)| Connection {
        name: format!("{session} c{number}"),
        chunks,
    };
    by_number.into_iter().map(connection).collect()
}

/// The objects of a file with one JSON object a line.
pub(crate) fn json_lines(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A path below `tests/data`.
pub(crate) fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(path)
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// Decodes a whole direction: the first expression negotiates and has no vocabulary.
pub(crate) fn decode(
    chunks: impl IntoIterator<Item = Bytes>,
    vocabulary: bool,
) -> (Vec<Vec<Token>>, Option<BananaError>) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        loop {
            match decoder.next(&Limits::LOGGED_IN, vocabulary && !messages.is_empty()) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

/// The bytes of some tokens.
pub(crate) fn encode<'a>(tokens: impl IntoIterator<Item = &'a Token>, vocabulary: bool) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.set_vocabulary(vocabulary);
    tokens.into_iter().for_each(|token| encoder.token(token));
    joined(encoder.take())
}

pub(crate) fn joined(parts: Vec<Bytes>) -> Vec<u8> {
    parts.concat()
}
