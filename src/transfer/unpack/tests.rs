//! Archives that an honest slave never sends.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use super::*;

/// An entry of an archive: its kind, name, link target and content, unchecked.
type Raw<'a> = (EntryType, &'a [u8], &'a [u8], &'a [u8]);

fn archive(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, name, link, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o4755);
        header.set_mtime(1_000_000_000);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name);
        old.linkname[..link.len()].copy_from_slice(link);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn unpacked(dir: &Path, bytes: &[u8]) -> Result<(), String> {
    let tree = Directory::open(dir).unwrap();
    unpack(bytes, &tree, bytes.len() as u64).map_err(|problem| problem.to_string())
}

const FILE: EntryType = EntryType::Regular;
const DIR: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;
const HARD: EntryType = EntryType::Link;

#[test]
fn files_directories_and_links_come_out_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let odd = b"odd/\xff \xc3\xa9\n";
    let bytes = archive(&[
        (DIR, b"", b"", b""),
        (DIR, b"/", b"", b""),
        (DIR, b"./sub/", b"", b""),
        (FILE, b"sub/tool", b"", b"#!"),
        (FILE, odd, b"", b"odd"),
        (LINK, b"sub/up", b"../sub/tool", b""),
        (LINK, b"dangling", b"later/x", b""),
        (HARD, b"same", b"sub/tool", b""),
        (FILE, b"dangling", b"", b"replaced"),
        (EntryType::XGlobalHeader, b"", b"", b"16 comment=hello"),
    ]);
    unpacked(dir.path(), &bytes).unwrap();
    assert_eq!(fs::read(at("sub/up")).unwrap(), b"#!");
    assert_eq!(fs::read(at("same")).unwrap(), b"#!");
    assert_eq!(fs::read(at("dangling")).unwrap(), b"replaced");
    let odd = Path::new(OsStr::from_bytes(odd));
    assert_eq!(fs::read(dir.path().join(odd)).unwrap(), b"odd");
    let mode = at("sub/tool").metadata().unwrap().permissions().mode();
    // No archive makes a program that runs as another user.
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn names_and_links_that_lead_out_are_refused() {
    for (entries, why) in [
        (
            vec![(FILE, &b"/tmp/x"[..], &b""[..], &b""[..])],
            "is an absolute path",
        ),
        (
            vec![(FILE, b"../x", b"", b"")],
            "leads out of the directory",
        ),
        (
            vec![(FILE, b"a/../../x", b"", b"")],
            "leads out of the directory",
        ),
        (vec![(DIR, b"a/..", b"", b"")], "leads out of the directory"),
        (vec![(LINK, b"l", b"/etc", b"")], "leads out of it"),
        (vec![(LINK, b"l", b"..", b"")], "leads out of it"),
        (vec![(LINK, b"a/l", b"../..", b"")], "leads out of it"),
        (vec![(LINK, b"a/l", b"x/../../..", b"")], "leads out of it"),
        (vec![(LINK, b"l", b"", b"")], "leads out of it"),
        (
            vec![(HARD, b"h", b"../x", b"")],
            "leads out of the directory",
        ),
        (
            vec![(HARD, b"h", b"/etc/passwd", b"")],
            "is an absolute path",
        ),
        // A link is never followed, not even one that stays inside.
        (
            vec![
                (LINK, b"a/b/l", b"../..", b""),
                (FILE, b"a/b/l/x", b"", b""),
            ],
            "symbolic links are not followed",
        ),
        // Another name of a link would lead out from a higher directory.
        (
            vec![(LINK, b"a/b/l", b"../..", b""), (HARD, b"h", b"a/b/l", b"")],
            "is a link to what is not a file",
        ),
        (vec![(EntryType::Char, b"c", b"", b"")], "neither a file"),
        (vec![(EntryType::Block, b"c", b"", b"")], "neither a file"),
        (vec![(EntryType::Fifo, b"c", b"", b"")], "neither a file"),
        (vec![(FILE, b"", b"", b"x")], "the archive is of a file"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let problem = unpacked(&tree, &archive(&entries)).unwrap_err();
        assert!(problem.contains(why), "{problem}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{why}");
    }
}

#[test]
fn a_later_way_up_in_a_link_could_follow_another_link() {
    assert!(stays_inside(b"../x", 2));
    assert!(!stays_inside(b"../x", 1));
    assert!(stays_inside(b"../../x/y/./z", 3));
    assert!(!stays_inside(b"x/../y", 3));
    assert!(!stays_inside(b"a\0", 3));
}

#[test]
fn trees_have_a_limit_of_depth() {
    let deep = |parts: usize| format!("{}f", "d/".repeat(parts - 1));
    for (parts, is_good) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        builder
            .append_data(&mut header, deep(parts), &b""[..])
            .unwrap();
        let bytes = builder.into_inner().unwrap();
        assert_eq!(unpacked(dir.path(), &bytes).is_ok(), is_good);
    }
}

#[test]
fn archives_do_not_unpack_to_far_more_than_their_size() {
    let file = |size: u64| {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[0] = b'f';
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let dir = tempfile::tempdir().unwrap();
    let problem = unpacked(dir.path(), &file(ALWAYS_BYTES + 1)).unwrap_err();
    assert!(problem.contains("far more than its own size"), "{problem}");
    let problem = unpacked(dir.path(), &file(ALWAYS_BYTES)).unwrap_err();
    assert!(problem.contains("unexpected end of file"), "{problem}");
}

#[test]
fn headers_do_not_fill_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let of_size = |size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(size);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(bytes.len() + usize::try_from(size).unwrap(), b'n');
        bytes
    };
    let problem = unpacked(dir.path(), &of_size(HEADER_BYTES)).unwrap_err();
    assert!(problem.contains("header that is too long"), "{problem}");
}

#[test]
fn names_of_any_length_arrive() {
    let dir = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", "n".repeat(200), "m".repeat(200));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o600);
    builder.append_data(&mut header, &long, &b"x"[..]).unwrap();
    unpacked(dir.path(), &builder.into_inner().unwrap()).unwrap();
    assert_eq!(fs::read(dir.path().join(long)).unwrap(), b"x");
}
