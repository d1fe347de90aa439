#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use bytes::Bytes;

use super::*;
use crate::logs::{Channel, LogStore};

const PATH: &str = "builders/quick/12/0-compile.stdio";

/// Writes a log and opens it.
fn log(base: &Path, text: &[u8]) -> LogReader {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = LogStore::start(base.to_owned()).unwrap();
        let mut sink = store.create(PATH);
        sink.append(Channel::Stdout, Bytes::copy_from_slice(text))
            .await;
        sink.close().await;
    });
    LogReader::open(base, PATH).unwrap()
}

/// The lines and the texts that are found.
fn found(text: &str, asked: &str) -> Vec<(u64, String)> {
    let base = tempfile::tempdir().unwrap();
    let pattern = pattern(asked).unwrap();
    let mut reader = log(base.path(), text.as_bytes());
    let found = reader.search(&pattern, 0, 100, &mut || true).unwrap();
    assert!(found.is_end);
    assert_eq!(found.next, size(text.as_bytes()));
    let shown = |hit: &Hit| {
        let [start, end] = [hit.bytes.start, hit.bytes.end].map(|at| usize::try_from(at).unwrap());
        (hit.line, text.get(start..end).unwrap().to_owned())
    };
    found.hits.iter().map(shown).collect()
}

#[test]
fn each_line_with_a_hit_is_found_once() {
    let hit = |line, text: &str| (line, text.to_owned());
    let text = "heap\nstack heap heap\n\nnothing\nheap";
    assert_eq!(
        found(text, "heap"),
        [hit(1, "heap"), hit(2, "heap"), hit(5, "heap")]
    );
    assert_eq!(found(text, "/^$/"), [hit(3, "")]);
    assert_eq!(found(text, "/^[a-s]+ h/"), []);
    assert_eq!(found(text, "/^[a-t]+ h/"), [hit(2, "stack h")]);
    assert_eq!(found("a.b\naxb\n", "a.b"), [hit(1, "a.b")]);
    assert_eq!(found("", "/x*/"), []);
    assert_eq!(found("a\n", "/$/"), [hit(1, "")]);
}

#[test]
fn a_pattern_that_cannot_be_used_is_refused() {
    assert!(pattern("/(/").is_err());
    assert!(pattern("/(a{1000}){1000}/").is_err());
    assert!(pattern("(").is_ok());
    assert!(pattern("/").is_ok());
}

#[test]
fn a_search_goes_on_where_it_has_stopped() {
    let base = tempfile::tempdir().unwrap();
    let text: String = (1..=300_000).map(|n| format!("line {n}\n")).collect();
    let mut reader = log(base.path(), text.as_bytes());
    let pattern = pattern("/^line .*77777$/").unwrap();
    let expected = [77_777, 177_777, 277_777];
    // The time is over after each block.
    let (mut from, mut lines, mut rounds) = (0, Vec::new(), 0);
    loop {
        let found = reader.search(&pattern, from, 100, &mut || false).unwrap();
        lines.extend(found.hits.iter().map(|hit| hit.line));
        (from, rounds) = (found.next, rounds + 1);
        if found.is_end {
            break;
        }
    }
    assert_eq!(
        (&lines[..], rounds),
        (&expected[..], text.len() / BLOCK_BYTES + 1)
    );
    // Enough is found.
    let some = reader.search(&pattern, 0, 2, &mut || true).unwrap();
    assert_eq!((some.hits.len(), some.is_end), (2, false));
    let rest = reader.search(&pattern, some.next, 2, &mut || true).unwrap();
    assert_eq!((rest.hits[0].line, rest.is_end), (277_777, true));
}

#[test]
fn a_line_longer_than_a_block_is_searched() {
    let base = tempfile::tempdir().unwrap();
    let mut text = vec![b'x'; 2 * BLOCK_BYTES];
    // Across the end of the first block.
    text[BLOCK_BYTES - 3..BLOCK_BYTES + 3].copy_from_slice(b"needle");
    text.extend_from_slice(b"\nneedle\n");
    let mut reader = log(base.path(), &text);
    let pattern = pattern("needle").unwrap();
    let found = reader.search(&pattern, 0, 100, &mut || true).unwrap();
    let lines: Vec<_> = found.hits.iter().map(|hit| hit.line).collect();
    assert_eq!(lines, [1, 2]);
    assert_eq!(found.hits[0].bytes.start, size(&text[..BLOCK_BYTES - 3]));
}
