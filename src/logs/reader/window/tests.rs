#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::logs::LogStore;
use crate::logs::line_index::RECORD_BYTES;
use crate::text::sgr::Scanner;

const PATH: &str = "builders/quick/12/0-compile.stdio";

type Chunk = (Channel, Vec<u8>);

/// Writes a log and closes it.
fn write(base: &Path, chunks: &[Chunk]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = LogStore::start(base.to_owned()).unwrap();
        let mut sink = store.create(PATH);
        for (channel, bytes) in chunks {
            sink.append(*channel, Bytes::copy_from_slice(bytes)).await;
        }
        sink.close().await;
    });
}

fn open(base: &Path) -> LogReader {
    LogReader::open(base, PATH).unwrap()
}

fn lin(base: &Path) -> std::path::PathBuf {
    base.join(format!("{PATH}.lin"))
}

/// All lines of chunks, in the plainest way.
fn lines_of(chunks: &[Chunk]) -> Vec<Line> {
    let mut scanner = Scanner::default();
    let mut lines = Vec::new();
    let begin = |number, byte, style| Line {
        number,
        byte,
        style,
        text: Vec::new(),
        pieces: Vec::new(),
        cut: None,
        is_whole: false,
    };
    let mut line = begin(1, 0, Style::default());
    let mut position = 0;
    for (channel, bytes) in chunks {
        for byte in bytes {
            position += 1;
            scanner.push(*byte);
            if *byte == b'\n' {
                line.is_whole = true;
                let next = begin(line.number + 1, position, scanner.style());
                lines.push(std::mem::replace(&mut line, next));
            } else {
                line.take(*channel, &[*byte], 1);
            }
        }
    }
    if line.byte < position {
        lines.push(line);
    }
    lines
}

/// Checks windows at many lines, and the counts.
fn check(base: &Path, chunks: &[Chunk], expected: &[Line]) {
    let mut reader = open(base);
    let size: usize = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
    let extent = reader.extent().unwrap();
    assert_eq!(extent.bytes, u64::try_from(size).unwrap());
    assert_eq!(extent.lines, u64::try_from(expected.len()).unwrap());
    let step = (expected.len() / 10).max(1);
    for at in (0..expected.len()).step_by(step).rev() {
        let first = u64::try_from(at + 1).unwrap();
        let window = reader.window(first, 5).unwrap();
        let until = expected.len().min(at + 5);
        assert!(window.lines == expected[at..until], "from line {first}");
        assert_eq!(window.is_end, until == expected.len());
        let start = reader.line_start(first).unwrap().unwrap();
        assert_eq!(start, expected[at].byte);
        assert_eq!(reader.line_at(start).unwrap(), first);
        // A fresh reader, which copies from there.
        let mut reader = open(base);
        assert!(reader.skip_to_line(first).unwrap());
        let mut copied = Vec::new();
        reader
            .copy_each(&mut |channel, bytes| {
                copied.push((channel, bytes.to_vec()));
                Ok(())
            })
            .unwrap();
        let (rest, all) = (lines_of(&copied), &expected[at..]);
        let same = |(a, b): (&Line, &Line)| a.text == b.text && a.pieces == b.pieces;
        assert!(rest.len() == all.len() && rest.iter().zip(all).all(same));
    }
    let after = u64::try_from(expected.len()).unwrap() + 2;
    assert_eq!(reader.window(after, 5).unwrap().lines, []);
    assert!(!open(base).skip_to_line(after).unwrap());
}

fn chunks() -> impl Strategy<Value = Vec<Chunk>> {
    let channel = prop::sample::select(Channel::ALL.to_vec());
    let line = prop_oneof![
        4 => "[a-z \n]{1,60}",
        1 => "\u{1b}\\[(3[0-7]|1|0)?m",
        1 => Just("\n".to_owned()),
    ];
    let chunk = (channel, prop::collection::vec(line, 1..20));
    let chunk = chunk.prop_map(|(channel, lines)| (channel, lines.concat().into_bytes()));
    // Repeated, so that there are some blocks.
    prop::collection::vec(chunk, 1..20).prop_map(|some| {
        let size: usize = some.iter().map(|(_, bytes)| bytes.len()).sum();
        let times = 150_000 / size.max(1) + 1;
        std::iter::repeat_n(some, times).flatten().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn a_window_shows_the_lines_with_their_channels_and_styles(chunks in chunks()) {
        let base = tempfile::tempdir().unwrap();
        let base = base.path();
        write(base, &chunks);
        let expected = lines_of(&chunks);
        check(base, &chunks, &expected);
        let whole = fs::read(lin(base)).unwrap();
        prop_assert!(whole.len() >= 2 * RECORD_BYTES);
        // Without the index of lines, with half of it, after a power failure, and with another's.
        let zeros = vec![0; whole.len()];
        let other: Vec<u8> = whole.iter().map(|byte| byte.wrapping_add(1)).collect();
        for damaged in [&whole[..0], &whole[..RECORD_BYTES + 5], &zeros, &other] {
            fs::write(lin(base), damaged).unwrap();
            check(base, &chunks, &expected);
        }
    }
}

#[test]
fn a_short_log_has_no_index_of_lines() {
    let base = tempfile::tempdir().unwrap();
    let chunks = [(Channel::Stdout, b"one\ntwo".to_vec())];
    write(base.path(), &chunks);
    assert!(!lin(base.path()).exists());
    check(base.path(), &chunks, &lines_of(&chunks));
}

#[test]
fn an_empty_log_has_no_lines() {
    let base = tempfile::tempdir().unwrap();
    write(base.path(), &[]);
    let mut reader = open(base.path());
    assert_eq!(reader.extent().unwrap(), Extent::default());
    let window = reader.window(1, 200).unwrap();
    assert_eq!((window.lines, window.is_end), (Vec::new(), true));
}

#[test]
fn the_middle_of_a_very_long_line_is_left_out() {
    let base = tempfile::tempdir().unwrap();
    let long: Vec<u8> = (0_u32..40_000)
        .flat_map(|n| format!(" {n}%\r").into_bytes())
        .collect();
    let chunks = [
        (Channel::Stdout, b"before\n".to_vec()),
        (Channel::Stderr, long.clone()),
        (Channel::Stdout, b"\nafter\n".to_vec()),
    ];
    write(base.path(), &chunks);
    let window = open(base.path()).window(1, 200).unwrap();
    let [before, line, after] = &window.lines[..] else {
        panic!("{} lines", window.lines.len());
    };
    assert_eq!(
        (&before.text[..], &after.text[..]),
        (&b"before"[..], &b"after"[..])
    );
    assert_eq!((line.number, after.number, after.is_whole), (2, 3, true));
    let cut = line.cut.unwrap();
    let left_out = usize::try_from(cut.size_bytes).unwrap();
    assert!(line.is_whole && line.text.len() + left_out == long.len());
    assert!(line.text[..cut.at] == long[..cut.at]);
    assert!(line.text.ends_with(b" 39998%\r 39999%\r"));
    assert!(line.text[cut.at..] == long[cut.at + left_out..]);
    let end = line.text.len();
    assert_eq!(
        line.pieces,
        [Piece {
            channel: Channel::Stderr,
            end
        }]
    );
}

#[test]
fn a_window_ends_after_some_text() {
    let base = tempfile::tempdir().unwrap();
    let line = [&[b'x'; 10_000][..], b"\n"].concat();
    write(base.path(), &[(Channel::Stdout, line.repeat(100))]);
    let window = open(base.path()).window(10, 200).unwrap();
    assert_eq!((window.lines.len(), window.is_end), (53, false));
}

#[tokio::test]
async fn a_reader_that_follows_a_log_sees_its_lines_grow() {
    let base = tempfile::tempdir().unwrap();
    let store = LogStore::start(base.path().to_owned()).unwrap();
    let mut sink = store.create(PATH);
    let mut reader = None;
    let (mut size, mut first) = (0, 1);
    for round in 0..40 {
        let text = format!("line {round}\n").repeat(1000) + "begun";
        size += u64::try_from(text.len()).unwrap();
        sink.append(Channel::Stdout, text.into()).await;
        let progress = store.grown_beyond(PATH, size - 1).await;
        assert_eq!(progress.size_bytes, size);
        let reader = reader.get_or_insert_with(|| open(base.path()));
        let window = reader.window(first, 2000).unwrap();
        assert_eq!((window.lines.len(), window.is_end), (1001, true));
        let last = window.lines.last().unwrap();
        assert!(!last.is_whole && last.text == b"begun");
        // What is begun is shown again when it is whole.
        first = last.number;
    }
    sink.close().await;
    assert_eq!(open(base.path()).extent().unwrap().lines, 40_001);
}
