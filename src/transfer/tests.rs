//! Files and trees that arrive, on a real file system.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use crate::model::Compression;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A base directory with its files.
fn base() -> (tempfile::TempDir, MasterFiles) {
    let dir = tempfile::tempdir().unwrap();
    let files = MasterFiles::new(dir.path());
    (dir, files)
}

/// A path all of which the configuration writes.
fn written(path: &str) -> MasterPath {
    MasterPath::new(path, path.len())
}

/// A path that a property gives after what the configuration writes.
fn given(written: &str, property: &str) -> MasterPath {
    MasterPath::new(&format!("{written}{property}"), written.len())
}

fn file(files: &MasterFiles, path: &str) -> Transfer {
    FileSink::begin(files, &written(path), None, None)
        .unwrap()
        .into()
}

fn write(transfer: &mut Transfer, data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    assert_eq!(transfer.answer(Request::Write(vec![data])), "");
}

#[test]
fn a_file_gets_its_name_when_it_is_whole() {
    let (dir, files) = base();
    let public = dir.path().join("public");
    let path = written("public/out.txt");
    let sink = FileSink::begin(&files, &path, None, Some(0o644)).unwrap();
    let mut transfer = Transfer::from(sink);
    write(&mut transfer, b"one");
    write(&mut transfer, b"two");
    assert!(!names(&public).contains(&"out.txt".to_owned()));
    transfer.answer(Request::Close);
    transfer.answer(Request::Times(1.5, 1_000_000_000.25));
    transfer.finish().unwrap();
    assert_eq!(names(&public), ["out.txt"]);
    let out = public.join("out.txt");
    let meta = out.metadata().unwrap();
    assert_eq!(fs::read(&out).unwrap(), b"onetwo");
    assert_eq!(meta.permissions().mode() & 0o777, 0o644);
    assert_eq!(
        (meta.mtime(), meta.mtime_nsec()),
        (1_000_000_000, 250_000_000)
    );
}

#[test]
fn a_file_without_a_mode_is_private_and_replaces_an_older_one() {
    let (dir, files) = base();
    fs::write(dir.path().join("out"), "old").unwrap();
    let mut transfer = file(&files, "out");
    write(&mut transfer, b"new");
    transfer.answer(Request::Close);
    transfer.finish().unwrap();
    let out = dir.path().join("out");
    assert_eq!(fs::read(&out).unwrap(), b"new");
    assert_eq!(out.metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn what_is_not_whole_leaves_nothing_and_what_was_there_stays() {
    let (dir, files) = base();
    fs::write(dir.path().join("out"), "old").unwrap();
    let mut cut = file(&files, "out");
    write(&mut cut, b"ha");
    let problem = cut.finish().unwrap_err();
    assert_eq!(problem.to_string(), "the slave did not send the whole file");
    let mut dropped = file(&files, "out");
    write(&mut dropped, b"ha");
    dropped.answer(Request::Close);
    drop(dropped);
    assert_eq!(names(dir.path()), ["out"]);
    assert_eq!(fs::read(dir.path().join("out")).unwrap(), b"old");
}

#[test]
fn more_than_the_limit_is_a_problem() {
    let (dir, files) = base();
    for (size, is_good) in [(4, true), (5, false)] {
        let sink = FileSink::begin(&files, &written("out"), Some(4), None).unwrap();
        let mut transfer = Transfer::from(sink);
        write(&mut transfer, &b"12345"[..size]);
        transfer.answer(Request::Close);
        assert_eq!(transfer.problem().is_none(), is_good);
        assert_eq!(transfer.finish().is_ok(), is_good);
    }
    assert_eq!(fs::read(dir.path().join("out")).unwrap(), b"1234");
}

#[test]
fn what_a_killed_master_left_is_removed_and_what_another_fills_is_not() {
    let (dir, files) = base();
    fs::create_dir_all(dir.path().join("p/.arriving-tree/tree")).unwrap();
    fs::write(dir.path().join("p/.arriving-tree/tree/half"), "x").unwrap();
    fs::write(dir.path().join("p/.arriving-file"), "x").unwrap();
    fs::write(dir.path().join("p/other"), "x").unwrap();
    let theirs = MasterFiles::new(dir.path());
    // The first use removes what was left.
    let running = file(&theirs, "p/running");
    assert_eq!(names(&dir.path().join("p")).len(), 2);
    // The locks are of the open file, so this process can play another one.
    drop(file(&files, "p/out"));
    assert_eq!(names(&dir.path().join("p")).len(), 2);
    drop(running);
    assert_eq!(names(&dir.path().join("p")), ["other"]);
}

#[test]
fn paths_from_properties_stay_in_the_directory_of_the_configuration() {
    let (dir, files) = base();
    fs::create_dir_all(dir.path().join("public")).unwrap();
    symlink("/etc", dir.path().join("public/out")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let absolute = format!("{}/", outside.path().display());
    for (before, property) in [
        ("public/", "../x"),
        ("public/", "a/../../x"),
        ("public/", "out/x"),
        ("public/", "a\0b"),
        ("", absolute.as_str()),
        ("", "/etc/passwd"),
        ("", ".."),
        ("", "master.toml"),
        ("", "./state.sqlite"),
        ("", "secrets/x"),
        ("", "builders/x/y"),
    ] {
        let path = given(before, property);
        let begun = FileSink::begin(&files, &path, None, None);
        assert!(begun.is_err(), "{before:?} {property:?}");
        Source::file(&files, &path).unwrap_err();
    }
    for path in [
        given("public/", "a/b/c"),
        given(&absolute, "x"),
        given("public/x-", "1/y"),
        written("public/../elsewhere/x"),
    ] {
        let sink = FileSink::begin(&files, &path, None, None).unwrap();
        let mut transfer = Transfer::from(sink);
        transfer.answer(Request::Close);
        transfer.finish().unwrap();
        Source::file(&files, &path).unwrap();
    }
    assert!(dir.path().join("public/a/b/c").exists());
    assert!(dir.path().join("public/x-1/y").exists());
    assert!(dir.path().join("elsewhere/x").exists());
    assert_eq!(names(outside.path()), ["x"]);
}

#[test]
fn a_way_into_the_base_directory_from_elsewhere_reaches_no_files_of_the_master() {
    let (dir, files) = base();
    let path = format!("{}/", dir.path().display());
    let error = Source::file(&files, &given(&path, "master.toml")).unwrap_err();
    assert!(error.to_string().ends_with("belongs to the master itself"));
}

#[test]
fn a_source_is_read_in_blocks_to_its_end() {
    let (dir, files) = base();
    fs::write(dir.path().join("file"), "0123456789").unwrap();
    let bytes = Source::bytes(Bytes::from_static(b"0123456789"));
    for source in [Source::file(&files, &written("file")).unwrap(), bytes] {
        let mut transfer = Transfer::from(source);
        assert_eq!(transfer.answer(Request::Read(4)), "0123");
        assert_eq!(transfer.answer(Request::Write(vec![Bytes::new()])), "");
        assert_eq!(transfer.answer(Request::Read(40)), "456789");
        assert_eq!(transfer.answer(Request::Read(4)), "");
        transfer.finish().unwrap();
    }
}

#[test]
fn a_source_must_be_a_file() {
    let (dir, files) = base();
    fs::create_dir(dir.path().join("dir")).unwrap();
    for (path, is_missing) in [("dir", false), ("nope", true), ("nope/nope", true)] {
        let problem = Source::file(&files, &written(path)).unwrap_err();
        assert_eq!(problem.is_missing(), is_missing, "{problem}");
    }
    assert_eq!(names(dir.path()), ["dir"]);
}

/// The archive of a tree with these files.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o640);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn tree(files: &MasterFiles, path: &str, archive: &[u8], compress: Compression) -> Transfer {
    let sink = TreeSink::begin(files, &written(path), None, compress).unwrap();
    let mut transfer = Transfer::from(sink);
    for block in archive.chunks(1000) {
        write(&mut transfer, block);
    }
    transfer.answer(Request::Unpack);
    transfer
}

#[test]
fn a_tree_gets_its_place_when_it_is_whole() {
    use std::io::Write as _;

    let (dir, files) = base();
    let plain = archive(&[("a", b"1"), ("sub/b c", b"2")]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&plain).unwrap();
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz2.write_all(&plain).unwrap();
    for (name, data, compress) in [
        ("plain", plain, Compression::None),
        ("gz", gz.finish().unwrap(), Compression::Gz),
        ("bz2", bz2.finish().unwrap(), Compression::Bz2),
    ] {
        let transfer = tree(&files, &format!("public/{name}/"), &data, compress);
        assert!(!dir.path().join("public").join(name).exists());
        transfer.finish().unwrap();
        let read = |path| fs::read(dir.path().join("public").join(name).join(path)).unwrap();
        assert_eq!((read("a"), read("sub/b c")), (b"1".into(), b"2".into()));
    }
    assert_eq!(names(&dir.path().join("public")), ["bz2", "gz", "plain"]);
}

#[test]
fn a_tree_is_put_into_one_that_is_there() {
    let (dir, files) = base();
    let at = |path: &str| dir.path().join("t").join(path);
    fs::create_dir_all(at("sub")).unwrap();
    fs::write(at("sub/old"), "old").unwrap();
    fs::write(at("a"), "old").unwrap();
    let data = archive(&[("a", b"new"), ("sub/b", b"new"), ("more/c", b"new")]);
    tree(&files, "t", &data, Compression::None)
        .finish()
        .unwrap();
    for (path, content) in [
        ("sub/old", "old"),
        ("a", "new"),
        ("sub/b", "new"),
        ("more/c", "new"),
    ] {
        assert_eq!(fs::read_to_string(at(path)).unwrap(), content);
    }
    assert_eq!(names(dir.path()), ["t"]);

    // A link that is there is not followed, and a directory does not become a file.
    symlink("/etc", at("link")).unwrap();
    for (bad, why) in [
        ("link/x", "t/link is not a directory on the master"),
        ("sub", "t/sub is a directory on the master"),
    ] {
        let data = archive(&[(bad, b"")]);
        let problem = tree(&files, "t", &data, Compression::None).finish();
        let problem = problem.unwrap_err().to_string();
        assert!(problem.starts_with(why), "{problem}");
    }
    assert_eq!(names(dir.path()), ["t"]);
}

#[test]
fn a_tree_that_is_damaged_or_not_whole_leaves_nothing() {
    let (dir, files) = base();
    let data = archive(&[("a", &[7; 3000])]);
    for (data, compress) in [
        (&data[..2000], Compression::None),
        (&data[..], Compression::Gz),
        (&data[..], Compression::Bz2),
    ] {
        let transfer = tree(&files, "t", data, compress);
        assert!(transfer.problem().is_some());
        transfer.finish().unwrap_err();
    }
    let sink = TreeSink::begin(&files, &written("t"), None, Compression::None).unwrap();
    let mut unfinished = Transfer::from(sink);
    write(&mut unfinished, &data);
    unfinished.answer(Request::Close);
    let problem = unfinished.finish().unwrap_err();
    assert_eq!(
        problem.to_string(),
        "the slave did not send the whole directory"
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[tokio::test]
async fn a_lent_transfer_comes_back() {
    let source = Source::bytes(Bytes::from_static(b"ab"));
    let (mut lent, loan) = Transfer::from(source).lend();
    assert_eq!(lent.answer(Request::Read(1)), "a");
    drop(lent);
    let mut transfer = loan.back().await.unwrap();
    assert_eq!(transfer.answer(Request::Read(9)), "b");
}
