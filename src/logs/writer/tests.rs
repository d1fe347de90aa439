#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use proptest::prelude::*;

use super::*;
use crate::inbox::{Receiver, Wait};
use crate::logs::LogReader;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn is_pending(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
    let mut future = Some(future);
    block_on(std::future::poll_fn(|cx| {
        let future = future.take().unwrap();
        Poll::Ready(future.poll(cx).is_pending())
    }))
}

/// Writes a log and returns its size.
fn write(dir: &Path, path: &str, chunks: &[(Channel, &[u8])]) -> u64 {
    let store = LogStore::start(dir.to_owned()).unwrap();
    let mut sink = store.create(path);
    let written = block_on(async {
        for (channel, data) in chunks {
            sink.append(*channel, Bytes::copy_from_slice(data)).await;
        }
        sink.close().await
    });
    let given: usize = chunks.iter().map(|(_, data)| data.len()).sum();
    let all = written.size_bytes + written.lost_bytes;
    assert_eq!(all, u64::try_from(given).unwrap());
    written.size_bytes
}

fn read(dir: &Path, path: &str, channels: &[Channel]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = LogReader::open(dir, path).unwrap();
    let copied = reader.copy_to(channels, &mut out).unwrap();
    assert_eq!(copied, u64::try_from(out.len()).unwrap());
    assert_eq!(reader.count(channels).unwrap(), copied);
    out
}

const PATH: &str = "builders/quick/12/0-compile.stdio";

#[test]
fn a_log_is_the_bytes_as_they_came_and_each_channel_can_be_read_alone() {
    let dir = tempfile::tempdir().unwrap();
    let size = write(
        dir.path(),
        PATH,
        &[
            (Channel::Header, b"make\n"),
            (Channel::Stdout, b"one\xff\0"),
            (Channel::Stderr, b"two"),
            (Channel::Stdout, b""),
            (Channel::Stdout, b"three"),
        ],
    );
    assert_eq!(size, 18);
    let file = fs::read(dir.path().join(format!("{PATH}.log"))).unwrap();
    assert_eq!(file, b"make\none\xff\0twothree");
    let only = |channels: &[Channel]| read(dir.path(), PATH, channels);
    assert_eq!(only(&Channel::ALL), file);
    assert_eq!(only(&Channel::OUTPUT), b"one\xff\0twothree");
    assert_eq!(only(&[Channel::Stderr]), b"two");
    assert_eq!(only(&[Channel::Header, Channel::Stderr]), b"make\ntwo");
    assert_eq!(only(&[]), b"");
}

#[test]
fn a_log_can_be_read_before_anything_was_written() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(write(dir.path(), PATH, &[]), 0);
    assert_eq!(read(dir.path(), PATH, &Channel::ALL), b"");
}

#[test]
fn a_reader_follows_a_log_that_grows() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::start(dir.path().to_owned()).unwrap();
    let mut sink = store.create("log");
    let mut seen = Vec::new();
    let mut reader = None;
    for line in [&b"one\n"[..], b"two\n"] {
        block_on(sink.append(Channel::Stdout, line.into()));
        let enough = seen.len() + line.len();
        while seen.len() < enough {
            match &mut reader {
                // Until the thread has made it.
                None => reader = LogReader::open(dir.path(), "log").ok(),
                Some(reader) => {
                    reader.copy_to(&Channel::OUTPUT, &mut seen).unwrap();
                }
            }
        }
    }
    assert_eq!(seen, b"one\ntwo\n");
}

#[test]
fn bytes_beyond_the_index_are_not_part_of_the_log_yet() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "log", &[(Channel::Stdout, b"whole")]);
    let data = dir.path().join("log.log");
    fs::write(&data, b"whole, and what a kill left").unwrap();
    // The first byte of a run of two.
    fs::write(dir.path().join("log.idx"), [5 << 2, 0x80]).unwrap();
    assert_eq!(read(dir.path(), "log", &Channel::ALL), b"whole");
}

#[test]
fn a_reader_skips_marks() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "log", &[(Channel::Stdout, b"onetwo")]);
    // A mark, three bytes, a mark, three bytes, a mark.
    let index = [3, 1, 3 << 2, 7, 0x82, 0x01, 3 << 2, 3, 9];
    fs::write(dir.path().join("log.idx"), index).unwrap();
    assert_eq!(read(dir.path(), "log", &Channel::ALL), b"onetwo");
}

#[test]
fn what_is_left_of_a_damaged_log_is_read_and_the_damage_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "log", &[(Channel::Stdout, b"whole")]);
    fs::write(dir.path().join("log.log"), b"who").unwrap();
    let mut reader = LogReader::open(dir.path(), "log").unwrap();
    let mut out = Vec::new();
    let error = reader.copy_to(&Channel::ALL, &mut out).unwrap_err();
    assert_eq!(
        (&out[..], error.kind()),
        (&b"who"[..], ErrorKind::UnexpectedEof)
    );
    fs::write(dir.path().join("log.idx"), [0xff; 10]).unwrap();
    let mut reader = LogReader::open(dir.path(), "log").unwrap();
    let error = reader.copy_to(&Channel::ALL, &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn a_log_cannot_leave_the_base_directory() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base");
    fs::create_dir(&base).unwrap();
    for path in ["../log", "/tmp/../log", "a/../../log", ""] {
        assert_eq!(write(&base, path, &[(Channel::Stdout, b"x")]), 0, "{path}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&base).unwrap().count(), 0);
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_the_build() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let data = vec![b'x'; 3 * WAITING_BYTES / 32];
    let chunks = [(Channel::Stdout, &data[..]); 32];
    assert_eq!(write(dir.path(), "file/log", &chunks), 0);
}

#[test]
fn what_a_full_disk_did_not_take_is_not_claimed() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("index");
    let mut files = files::Files {
        data: full,
        index: fs::File::create(&index).unwrap(),
    };
    let mut log = log::Log::new("log".to_owned());
    log.on_opened();
    log.push(log::Chunk {
        channel: Channel::Stdout,
        data: "one".into(),
        weight: 7,
    });
    let Some(log::Task::Append(batch)) = log.task(std::time::Instant::now()) else {
        panic!("bytes wait");
    };
    let appended = files.append(&batch);
    assert_eq!((appended.size, appended.index_size), (0, 0));
    assert_eq!(appended.error.unwrap().kind(), ErrorKind::StorageFull);
    assert_eq!(fs::read(index).unwrap(), b"");
}

#[test]
fn an_old_file_of_the_same_name_is_kept_under_another() {
    let dir = tempfile::tempdir().unwrap();
    for text in [&b"first"[..], b"second and longer", b"new"] {
        write(dir.path(), "log", &[(Channel::Stdout, text)]);
    }
    assert_eq!(read(dir.path(), "log", &[Channel::Stdout]), b"new");
    let file = |name| fs::read(dir.path().join(name)).unwrap();
    assert_eq!(file("log.log"), b"new");
    assert_eq!(file("log.log.1"), b"first");
    assert_eq!(file("log.log.2"), b"second and longer");
}

#[test]
fn no_link_leads_a_log_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let precious = elsewhere.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    fs::create_dir(dir.path().join("builders")).unwrap();
    symlink(elsewhere.path(), dir.path().join("builders/linked")).unwrap();
    assert_eq!(
        write(
            dir.path(),
            "builders/linked/0/stdio",
            &[(Channel::Stdout, b"x")]
        ),
        0
    );
    symlink(&precious, dir.path().join("builders/stdio.log")).unwrap();
    assert_eq!(
        write(dir.path(), "builders/stdio", &[(Channel::Stdout, b"x")]),
        1
    );
    assert_eq!(read(dir.path(), "builders/stdio", &Channel::ALL), b"x");
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    // Nor a reader.
    fs::remove_file(dir.path().join("builders/stdio.log")).unwrap();
    symlink(&precious, dir.path().join("builders/stdio.log")).unwrap();
    assert!(LogReader::open(dir.path(), "builders/stdio").is_err());
}

#[test]
fn more_logs_than_files_may_be_open_are_written_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::start(dir.path().to_owned()).unwrap();
    let paths: Vec<_> = (0..2 * MAX_OPEN_LOGS + 1)
        .map(|n| format!("{n}/log"))
        .collect();
    let mut sinks: Vec<_> = paths.iter().map(|path| store.create(path)).collect();
    block_on(async {
        for round in ["a", "b", "c"] {
            for sink in &mut sinks {
                sink.append(Channel::Stdout, round.into()).await;
            }
        }
        for sink in sinks {
            assert_eq!(sink.close().await.size_bytes, 3);
        }
    });
    for path in paths {
        assert_eq!(read(dir.path(), &path, &Channel::ALL), b"abc");
    }
}

/// A writer thread that is stuck: it has not been started.
fn stuck() -> (LogStore, Receiver<Message>) {
    let (inbox, waiting) = inbox();
    let nowhere = Directory::open(Path::new("/")).unwrap();
    let store = LogStore {
        inbox,
        room: Arc::new(Semaphore::new(WAITING_BYTES)),
        next: Arc::default(),
        finisher: Finisher::start(Arc::new(nowhere)).unwrap(),
        growing: Growing::default(),
        basedir: Arc::from(Path::new("/")),
    };
    (store, waiting)
}

/// The messages that nobody has taken.
fn messages(waiting: &mut Receiver<Message>) -> impl Iterator<Item = Message> {
    std::iter::from_fn(|| waiting.receive(Wait::Not).ok())
}

#[test]
fn log_05_what_waits_of_one_log_is_bounded_and_leaves_room_for_others() {
    let (store, mut waiting) = stuck();
    let mut greedy = store.create("greedy");
    let chunk = Bytes::from(vec![0; 64 * 1024]);
    let mut taken = 0;
    while !is_pending(pin!(greedy.append(Channel::Stdout, chunk.clone()))) {
        taken += chunk.len();
        assert!(taken <= SHARE_BYTES);
    }
    assert!(taken >= SHARE_BYTES / 2);
    let mut modest = store.create("modest");
    assert!(!is_pending(pin!(modest.append(Channel::Stdout, chunk))));
    // What was dropped while it waited is not written.
    let appended = messages(&mut waiting).filter_map(|m| match m {
        Message::Append { id, data, .. } => Some((id, data.len())),
        Message::Create { .. } | Message::Close { .. } => None,
    });
    let mut of = BTreeMap::new();
    for (id, bytes) in appended {
        *of.entry(id).or_insert(0) += bytes;
    }
    assert_eq!(
        of,
        BTreeMap::from([(LogId(0), taken), (LogId(1), 64 * 1024)])
    );
}

#[test]
fn log_05_what_waits_of_all_logs_is_bounded() {
    let (store, mut waiting) = stuck();
    let chunk = Bytes::from(vec![0; 64 * 1024]);
    let mut sinks: Vec<_> = (0..20).map(|n| store.create(&n.to_string())).collect();
    for sink in &mut sinks {
        while !is_pending(pin!(sink.append(Channel::Stdout, chunk.clone()))) {}
    }
    let taken: usize = messages(&mut waiting)
        .map(|m| match m {
            Message::Append { data, .. } => data.len(),
            Message::Create { .. } | Message::Close { .. } => 0,
        })
        .sum();
    assert!(taken <= WAITING_BYTES);
    assert!(taken >= WAITING_BYTES - 2 * 64 * 1024);
}

#[test]
fn a_chunk_larger_than_all_room_is_taken_when_the_log_has_nothing_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let large = vec![b'x'; WAITING_BYTES + 1];
    let chunks = [(Channel::Stdout, &large[..]), (Channel::Stderr, &large[..])];
    let size = write(dir.path(), "log", &chunks);
    assert_eq!(usize::try_from(size).unwrap(), 2 * large.len());
    assert_eq!(read(dir.path(), "log", &[Channel::Stderr]), large);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_chunking_of_any_channels_reads_back(
        chunks in prop::collection::vec(
            (0..3_usize, prop::collection::vec(any::<u8>(), 0..200), 1..20_usize),
            0..60,
        ),
        wanted in prop::collection::vec(0..3_usize, 0..3),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let chunks: Vec<_> = chunks
            .into_iter()
            .map(|(channel, data, times)| (Channel::ALL[channel], data.repeat(times)))
            .collect();
        let given: Vec<_> = chunks.iter().map(|(c, data)| (*c, &data[..])).collect();
        write(dir.path(), "log", &given);
        let wanted: Vec<_> = wanted.into_iter().map(|c| Channel::ALL[c]).collect();
        let expected: Vec<u8> = chunks
            .iter()
            .filter(|(channel, _)| wanted.contains(channel))
            .flat_map(|(_, data)| data.iter().copied())
            .collect();
        prop_assert_eq!(read(dir.path(), "log", &wanted), expected);
    }
}
