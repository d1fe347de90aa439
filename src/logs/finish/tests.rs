#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fs;
use std::future::Future;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;

use super::*;
use crate::logs::{Channel, LogReader, LogStore};

const PATH: &str = "builders/quick/12/0-compile.stdio";

/// Writes lines to both channels of output, with a header; returns the bytes.
async fn written(base: &Path, lines: u32) -> Vec<u8> {
    let store = LogStore::start(base.to_owned()).unwrap();
    let mut sink = store.create(PATH);
    let mut all = Vec::new();
    for n in 1..=lines {
        let channel = match n % 100 {
            0 => Channel::Stderr,
            1 => Channel::Header,
            _ => Channel::Stdout,
        };
        let line = format!("\u{1b}[32mline\u{1b}[0m {n}\r\n");
        all.extend_from_slice(line.as_bytes());
        sink.append(channel, Bytes::from(line)).await;
    }
    assert_eq!(sink.close().await.lost_bytes, 0);
    all
}

fn read(base: &Path, channels: &[Channel]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = LogReader::open(base, PATH).unwrap();
    reader.copy_to(channels, &mut out).unwrap();
    out
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap()
}

fn files(base: &Path) -> Vec<String> {
    let dir = fs::read_dir(base.join(PATH).parent().unwrap()).unwrap();
    let mut names: Vec<String> = dir
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_compressed_log_reads_like_the_plain_one() {
    let base = tempfile::tempdir().unwrap();
    let all = written(base.path(), 50_000).await;
    let stderr = read(base.path(), &[Channel::Stderr]);
    let dir = Directory::open(base.path()).unwrap();
    syncs::sync(&dir, [PATH.to_owned()].iter());
    let mut before = LogReader::open(base.path(), PATH).unwrap();
    compress(&dir, PATH, size(&all)).unwrap();
    assert_eq!(
        files(base.path()),
        [
            "0-compile.stdio.idx",
            "0-compile.stdio.lin",
            "0-compile.stdio.log.gz"
        ]
    );
    assert!(read(base.path(), &Channel::ALL) == all);
    assert!(read(base.path(), &[Channel::Stderr]) == stderr);
    let mut reader = LogReader::open(base.path(), PATH).unwrap();
    assert_eq!(reader.check().unwrap(), size(&all));
    // A reader that had the log open goes on with the plain file.
    let mut rest = Vec::new();
    before.copy_to(&Channel::ALL, &mut rest).unwrap();
    assert!(rest == all);

    let packed = base.path().join(format!("{PATH}.log.gz"));
    match Command::new("zcat").arg(&packed).output() {
        Ok(output) => assert!(output.stdout == all),
        Err(error) => eprintln!("skipped: zcat: {error}"),
    }
    // It is gone as a whole when its build is pruned.
    crate::logs::remove(base.path(), "builders/quick/12").unwrap();
    assert!(!packed.exists());
}

#[tokio::test]
async fn lines_are_found_in_plain_and_compressed_logs() {
    let base = tempfile::tempdir().unwrap();
    let all = written(base.path(), 50_000).await;
    let from_line = |number| {
        let mut reader = LogReader::open(base.path(), PATH).unwrap();
        let is_there = reader.skip_to_line(number).unwrap();
        let mut out = Vec::new();
        reader.copy_to(&Channel::ALL, &mut out).unwrap();
        (is_there, out)
    };
    let check = || {
        for number in [2, 101, 30_000, 50_000] {
            let (is_there, out) = from_line(number);
            let line = format!("\u{1b}[32mline\u{1b}[0m {number}\r\n");
            assert!(is_there && out.starts_with(line.as_bytes()), "{number}");
            assert!(all.ends_with(&out), "{number}");
        }
        assert!(from_line(1) == (true, all.clone()));
        assert!(!from_line(50_001).0);
    };
    check();
    let dir = Directory::open(base.path()).unwrap();
    compress(&dir, PATH, size(&all)).unwrap();
    check();
}

#[tokio::test]
async fn an_interrupted_compression_leaves_one_log() {
    let base = tempfile::tempdir().unwrap();
    let all = written(base.path(), 2000).await;
    let dir = Directory::open(base.path()).unwrap();
    let plain = base.path().join(format!("{PATH}.log"));
    let draft = base.path().join(format!("{PATH}.log.gz.new"));
    // Killed while it wrote: the plain log counts, and a later compression begins anew.
    fs::write(&draft, "half of a file").unwrap();
    assert!(read(base.path(), &Channel::ALL) == all);
    compress(&dir, PATH, size(&all)).unwrap();
    assert!(!draft.exists() && !plain.exists());
    // Killed before it removed the plain file: the compressed log counts.
    fs::write(&plain, "other bytes").unwrap();
    assert!(read(base.path(), &Channel::ALL) == all);
}

#[tokio::test]
async fn a_new_log_is_not_taken_for_an_old_compressed_one() {
    // The state was restored from an older backup, so a build number is used again.
    let base = tempfile::tempdir().unwrap();
    let all = written(base.path(), 2000).await;
    let dir = Directory::open(base.path()).unwrap();
    compress(&dir, PATH, size(&all)).unwrap();
    let new = written(base.path(), 3).await;
    assert!(read(base.path(), &Channel::ALL) == new);
    assert!(files(base.path()).contains(&"0-compile.stdio.log.gz.1".to_owned()));
}

#[tokio::test]
async fn a_log_that_does_not_get_smaller_stays_plain() {
    let base = tempfile::tempdir().unwrap();
    let store = LogStore::start(base.path().to_owned()).unwrap();
    let mut sink = store.create(PATH);
    sink.append(Channel::Stdout, Bytes::from_static(b"short"))
        .await;
    sink.close().await;
    let dir = Directory::open(base.path()).unwrap();
    compress(&dir, PATH, 5).unwrap();
    assert_eq!(
        files(base.path()),
        ["0-compile.stdio.idx", "0-compile.stdio.log"]
    );
    assert_eq!(read(base.path(), &Channel::ALL), b"short");
}

#[tokio::test]
async fn damage_to_a_compressed_log_is_found() {
    let base = tempfile::tempdir().unwrap();
    let all = written(base.path(), 50_000).await;
    let dir = Directory::open(base.path()).unwrap();
    compress(&dir, PATH, size(&all)).unwrap();
    let packed = base.path().join(format!("{PATH}.log.gz"));
    let bytes = fs::read(&packed).unwrap();
    fs::write(&packed, &bytes[..bytes.len() - 10]).unwrap();
    let mut reader = LogReader::open(base.path(), PATH).unwrap();
    assert!(reader.check().is_err());
}

#[tokio::test]
async fn a_log_above_the_limit_is_compressed_after_its_close() {
    let base = tempfile::tempdir().unwrap();
    let store = LogStore::start(base.path().to_owned()).unwrap();
    let line = Bytes::from("a line\n".repeat(100));
    for (path, above) in [
        ("b/long", Some(699)),
        ("b/short", Some(700)),
        ("b/never", None),
    ] {
        let mut sink = store.create(path).compressed_above(above);
        sink.append(Channel::Stdout, line.clone()).await;
        sink.close().await;
    }
    let is_there = |name: &str| base.path().join("b").join(name).exists();
    while is_there("long.log") {
        tokio::task::yield_now().await;
    }
    assert!(is_there("long.log.gz") && is_there("short.log") && is_there("never.log"));
}

#[tokio::test]
async fn a_log_that_waits_at_the_end_of_the_master_is_compressed_after_the_next_start() {
    let base = tempfile::tempdir().unwrap();
    let all = written(base.path(), 2000).await;
    // What a killed master leaves: this log, one that is gone, and one of another size now.
    let plain = base.path().join(format!("{PATH}.log"));
    let other = base.path().join("builders/quick/12/1-test.stdio.log");
    fs::write(&other, "longer than before").unwrap();
    let todo = base.path().join("compress.todo");
    let lines = format!(
        "{} {PATH}\n99 builders/quick/11/0-gone.stdio\n4 builders/quick/12/1-test.stdio\nhalf",
        all.len()
    );
    fs::write(&todo, lines).unwrap();
    let store = LogStore::start(base.path().to_owned()).unwrap();
    while fs::metadata(&todo).unwrap().len() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(!plain.exists() && other.exists());
    assert!(read(base.path(), &Channel::ALL) == all);
    drop(store);
}

#[test]
fn a_log_is_noted_while_it_waits_to_be_compressed() {
    let base = tempfile::tempdir().unwrap();
    let open = || Backlog::open(Arc::new(Directory::open(base.path()).unwrap()));
    let log = |path: &str, size| Finished {
        path: path.to_owned(),
        size,
    };
    let (mut backlog, left) = open();
    assert_eq!(left, []);
    backlog.add(&log("b/1/0-a.stdio", 5000));
    backlog.add(&log("b/1/0-b c.stdio", 6000));
    backlog.remove();
    // The master is killed.
    let (mut backlog, left) = open();
    assert_eq!(
        left,
        [log("b/1/0-a.stdio", 5000), log("b/1/0-b c.stdio", 6000)]
    );
    backlog.remove();
    backlog.remove();
    assert_eq!(open().1, []);
}

#[tokio::test]
async fn logs_are_synced_one_step_after_the_other() {
    let base = tempfile::tempdir().unwrap();
    written(base.path(), 20).await;
    let store = LogStore::start(base.path().to_owned()).unwrap();
    let syncs = store.syncs();
    syncs.finished().await;
    // A log that is gone does no harm.
    syncs
        .begin(vec!["gone/log".to_owned(), PATH.to_owned()])
        .await;
    syncs.begin(vec![PATH.to_owned()]).await;
    syncs.finished().await;
    // While logs are being synced, the build does not end.
    let job = syncs.hold().await;
    let mut end = std::pin::pin!(syncs.finished());
    assert!(
        std::future::poll_fn(|cx| std::task::Poll::Ready(end.as_mut().poll(cx).is_pending())).await
    );
    drop(job);
    end.await;
}

/// Measures a log of 1 GiB; by hand, with `SLOW_TESTS=1` and `--release`.
#[test]
fn a_gibibyte_is_opened_at_any_line() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        eprintln!("skipped: SLOW_TESTS is not set");
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let all: Vec<u8> = (0_u64..)
        .flat_map(|n| format!("[{n:>9}] cc -O2 -c file{}.c -o file{n}.o\n", n % 977).into_bytes())
        .take(1 << 30)
        .collect();
    let place = base.path().join(PATH);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place.with_extension("stdio.log"), &all).unwrap();
    let mut index = Vec::new();
    for _ in 0..(1 << 30) / 16_384 {
        let (channel, length) = (Channel::Stdout, 16_384);
        crate::logs::index::Run { channel, length }.encode(&mut index);
    }
    fs::write(place.with_extension("stdio.idx"), index).unwrap();
    let open_at = |what: &str| {
        let begin = std::time::Instant::now();
        let mut reader = LogReader::open(base.path(), PATH).unwrap();
        assert!(reader.skip_to_line(1_000_000).unwrap());
        let mut first = Vec::new();
        let mut take = |_: Channel, bytes: &[u8]| {
            first.extend_from_slice(&bytes[..bytes.len().min(20)]);
            Err(io::Error::other("enough"))
        };
        assert!(reader.copy_each(&mut take).is_err());
        eprintln!("line 1 000 000 of the {what} log: {:?}", begin.elapsed());
        assert!(first.starts_with(b"[   999999]"));
    };
    open_at("plain");
    let begin = std::time::Instant::now();
    compress(&Directory::open(base.path()).unwrap(), PATH, 1 << 30).unwrap();
    let size = fs::metadata(place.with_extension("stdio.log.gz"))
        .unwrap()
        .len();
    eprintln!("compressed to {size} bytes in {:?}", begin.elapsed());
    open_at("compressed");
}
