#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const LIMITS: LogLimits = LogLimits {
    name: 16,
    message: 40,
    files: 3,
    total: 10_000,
};

fn id(n: u8) -> String {
    format!("{n:040x}")
}

fn node(n: u8, parents: &[u8]) -> Node {
    Node {
        id: id(n),
        parents: parents.iter().map(|parent| id(*parent)).collect(),
    }
}

/// The output of git for a commit with these files.
fn printed(n: u8, message: &str, files: &[&[u8]]) -> Vec<u8> {
    let mut all = format!("\x01{}\0me\0me@e\0{n}\0{message}\0\0", id(n)).into_bytes();
    for (index, file) in files.iter().enumerate() {
        all.extend_from_slice(if index == 0 { b"\n" } else { b"" });
        all.extend_from_slice(file);
        all.push(0);
    }
    all
}

fn commit(n: u8, message: &str, files: &[&[u8]]) -> Commit {
    Commit {
        id: id(n),
        author: b"me".to_vec(),
        email: b"me@e".to_vec(),
        committed_at: Some(n.into()),
        message: message.as_bytes().to_vec(),
        files: files.iter().map(|file| file.to_vec()).collect(),
        files_left_out: 0,
    }
}

#[test]
fn pol_08_one_log_gives_all_commits_of_a_batch_however_it_is_cut() {
    let ids = [1, 2, 3, 4].map(id);
    let files: [&[u8]; 3] = [b"a", b"b c", b"caf\xe9"];
    let parts = [
        printed(1, "one\n\nbody\n", &files),
        printed(2, "empty", &[]),
        printed(3, "", &[b"\x01odd"]),
        printed(4, "\x01message", &[b"d/x"]),
    ];
    let output = parts.concat();
    let expected = [
        commit(1, "one\n\nbody\n", &files),
        commit(2, "empty", &[]),
        commit(3, "", &[b"\x01odd"]),
        commit(4, "\x01message", &[b"d/x"]),
    ];
    for cut in 0..output.len() {
        let mut reader = LogReader::new(&ids, LIMITS);
        let (head, tail) = output.split_at(cut);
        assert!(reader.feed(head) && reader.feed(tail));
        assert_eq!(reader.finish(), expected, "cut at {cut}");
    }
}

#[test]
fn int_09_long_lists_names_and_messages_are_cut() {
    let ids = [id(1)];
    let at = [b"n".repeat(16), b"n".repeat(17)];
    let files: Vec<&[u8]> = vec![&at[0], &at[1], b"b", b"c", b"d", b"e"];
    let long = "m".repeat(41);
    let output = printed(1, &long, &files);
    for size in [1, output.len()] {
        let mut reader = LogReader::new(&ids, LIMITS);
        assert!(output.chunks(size).all(|piece| reader.feed(piece)));
        let commits = reader.finish();
        let [commit] = commits.as_slice() else {
            panic!("{commits:?}")
        };
        let kept: [&[u8]; 3] = [&at[0], b"b", b"c"];
        assert_eq!(commit.files, kept);
        assert_eq!(commit.files_left_out, 3);
        assert_eq!(commit.message.len(), 40);
    }
}

#[test]
fn int_09_the_files_of_all_commits_together_are_bounded() {
    let ids = [1, 2, 3].map(id);
    let limits = LogLimits {
        total: 100,
        ..LIMITS
    };
    let message = "m".repeat(40);
    let output: Vec<u8> = (1..=3)
        .flat_map(|n| printed(n, &message, &[b"a", b"b"]))
        .collect();
    let mut reader = LogReader::new(&ids, limits);
    assert!(!reader.feed(&output));
    let commits = reader.finish();
    // The first is over the limit with the second, which is not complete.
    assert_eq!(commits, [commit(1, &message, &[b"a", b"b"])]);
}

#[test]
fn a_walk_is_read() {
    let printed = format!("{} {} {}\n{}\n", id(3), id(2), id(1), id(1));
    let nodes = parse_walk(printed.as_bytes()).unwrap();
    assert_eq!(nodes, [node(3, &[2, 1]), node(1, &[])]);
    assert!(parse_walk(b"fatal: bad\n").is_err());
    assert_eq!(parse_walk(b""), Ok(Vec::new()));
    assert_eq!(wanted("a", ["b", "c"]), "a\n^b\n^c\n");
}

#[test]
fn pol_05_what_is_not_on_the_mainline_knows_what_brought_it() {
    // 1 ── 2 ── 5 ── 8 (tip)
    //  ╲    ╲ ╱     ╱
    //   3 ── 4 ── 6
    let nodes = [
        node(8, &[5, 6]),
        node(6, &[4]),
        node(5, &[2, 4]),
        node(4, &[3, 2]),
        node(3, &[1]),
        node(2, &[1]),
        node(1, &[]),
    ];
    let brought = brought_by(&nodes);
    let of = |n: u8| brought.get(id(n).as_str()).map(|by| (*by).to_owned());
    for mainline in [8, 5, 2, 1] {
        assert_eq!(of(mainline), None);
    }
    assert_eq!(
        (of(3), of(4), of(6)),
        (Some(id(5)), Some(id(5)), Some(id(8)))
    );
    assert!(brought_by(&[]).is_empty());
}
