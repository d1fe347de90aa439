//! The log of a repository of Mercurial.

use std::collections::BTreeSet;

/// A changeset.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Changeset {
    pub(crate) node: String,
    /// Its parents; none for the first one.
    pub(crate) parents: Vec<String>,
    pub(crate) branch: Vec<u8>,
    pub(crate) author: Vec<u8>,
    /// Time of the commit in seconds since 1970.
    pub(crate) date: Option<i64>,
    pub(crate) message: Vec<u8>,
    pub(crate) files: Vec<Vec<u8>>,
    /// Number of further files.
    pub(crate) files_left_out: u64,
}

/// The changesets that are not among `known` and their ancestors, oldest first. Those of `known`
/// that the repository lacks do not matter.
pub(crate) fn unknown(known: &BTreeSet<String>) -> String {
    let known: Vec<_> = known
        .iter()
        .map(|node| format!("present({node})"))
        .collect();
    match known.as_slice() {
        [] => "sort(all(),rev)".to_owned(),
        known => format!("sort(only(heads(all()),{}),rev)", known.join("+")),
    }
}

/// The changesets that `tip` has and that are not among `known` and their ancestors, oldest first.
pub(crate) fn unknown_of(tip: &str, known: &BTreeSet<String>) -> String {
    let known: Vec<_> = known
        .iter()
        .map(|node| format!("present({node})"))
        .collect();
    format!("sort(only({tip},{}),rev)", known.join("+"))
}

/// Reads what `debugpushkey` prints of bookmarks: their names with the changesets.
pub(crate) fn parse_bookmarks(printed: &[u8]) -> Vec<(Vec<u8>, String)> {
    let lines = printed.split(|byte| *byte == b'\n');
    let marks = lines.filter_map(|line| {
        let tab = memchr::memrchr(b'\t', line)?;
        let (name, node) = line.split_at(tab);
        let node = str::from_utf8(node.get(1..)?).ok()?;
        let is_node = node.len() == 40 && node.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_node.then(|| (name.to_owned(), node.to_owned()))
    });
    marks.collect()
}

/// Prints the changesets of a revset for [`LogReader`].
pub(crate) fn print(revset: &str, most: usize) -> Vec<String> {
    let words = ["log", "-r", revset, "-l", &most.to_string(), "-T", TEMPLATE];
    words.map(str::to_owned).into()
}

const TEMPLATE: &str = "\\x01{node}\\x00{p1node}\\x00{p2node}\\x00{branch}\\x00{author}\\x00\
    {date|hgdate}\\x00{desc}\\x00{files % \"{file}\\x00\"}\\x00";

/// What is known after `new` was looked at: its heads, and those of `known` that are not among the
/// parents of `new`.
pub(crate) fn advance(known: &mut BTreeSet<String>, new: &Changeset) {
    for parent in &new.parents {
        known.remove(parent);
    }
    known.insert(new.node.clone());
}

/// Limits on what is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of a message or a name.
    pub(crate) text: usize,
    /// Files of a changeset.
    pub(crate) files: usize,
    /// Bytes of all changesets; the one that exceeds it is the last.
    pub(crate) total: usize,
}

/// Reads the output of [`print`] in pieces. Memory is bounded by the limits.
#[derive(Debug)]
pub(crate) struct LogReader {
    limits: LogLimits,
    token: Vec<u8>,
    /// The number of the field.
    field: usize,
    kept: usize,
    current: Changeset,
    complete: Vec<Changeset>,
}

impl LogReader {
    pub(crate) fn new(limits: LogLimits) -> Self {
        Self {
            limits,
            token: Vec::new(),
            field: 0,
            kept: 0,
            current: Changeset::default(),
            complete: Vec::new(),
        }
    }

    /// Reads a piece. Returns whether more is wanted.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> bool {
        let mut rest = piece;
        while let Some(at) = memchr::memchr(0, rest) {
            let (head, tail) = rest.split_at(at);
            self.extend(head);
            self.end_field();
            if self.kept > self.limits.total && !self.complete.is_empty() {
                return false;
            }
            rest = tail.get(1..).unwrap_or_default();
        }
        self.extend(rest);
        true
    }

    /// The changesets that were read completely.
    pub(crate) fn finish(self) -> Vec<Changeset> {
        self.complete
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = self.limits.text.saturating_sub(self.token.len());
        self.token.extend(bytes.iter().take(room));
    }

    fn end_field(&mut self) {
        let token = std::mem::take(&mut self.token);
        let text = || String::from_utf8_lossy(&token).into_owned();
        let current = &mut self.current;
        self.kept += token.len();
        match self.field {
            0 => current.node = text().trim_start_matches('\x01').to_owned(),
            1 | 2 => {
                let is_null = token.iter().all(|byte| *byte == b'0');
                current.parents.extend((!is_null).then(text));
            }
            3 => current.branch = token,
            4 => current.author = token,
            5 => current.date = text().split(' ').next().and_then(|secs| secs.parse().ok()),
            6 => current.message = token,
            _ if token.is_empty() => {
                self.complete.push(std::mem::take(current));
                self.field = 0;
                return;
            }
            _ if current.files.len() >= self.limits.files => current.files_left_out += 1,
            _ => {
                self.kept += size_of::<Vec<u8>>();
                current.files.push(token);
            }
        }
        self.field += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LogLimits = LogLimits {
        text: 100,
        files: 2,
        total: 10_000,
    };

    fn printed(node: &str, parents: [&str; 2], files: &str) -> String {
        let [one, two] = parents;
        format!(
            "\x01{node}\0{one}\0{two}\0default\0me <m@e>\x001795785496 -3600\0one\ntwo\0{files}\0"
        )
    }

    #[test]
    fn pol_12_the_log_is_read_however_it_is_cut() {
        let log = printed("a1", ["000", "000"], "x\0y z\0") + &printed("b2", ["a1", "c3"], "");
        let one = Changeset {
            node: "a1".to_owned(),
            parents: vec![],
            branch: b"default".to_vec(),
            author: b"me <m@e>".to_vec(),
            date: Some(1_795_785_496),
            message: b"one\ntwo".to_vec(),
            files: vec![b"x".to_vec(), b"y z".to_vec()],
            files_left_out: 0,
        };
        let two = Changeset {
            node: "b2".to_owned(),
            parents: vec!["a1".to_owned(), "c3".to_owned()],
            files: vec![],
            ..one.clone()
        };
        for cut in 0..log.len() {
            let (head, tail) = log.as_bytes().split_at(cut);
            let mut reader = LogReader::new(LIMITS);
            assert!(reader.feed(head) && reader.feed(tail));
            assert_eq!(reader.finish(), [one.clone(), two.clone()], "cut at {cut}");
        }
    }

    #[test]
    fn int_09_files_and_changesets_are_bounded() {
        let log = printed("a1", ["000", "000"], "x\0y\0z\0");
        let mut reader = LogReader::new(LIMITS);
        assert!(reader.feed(log.as_bytes()));
        let read = reader.finish();
        let counts = read.iter().map(|set| (set.files.len(), set.files_left_out));
        assert_eq!(counts.collect::<Vec<_>>(), [(2, 1)]);
        let mut reader = LogReader::new(LogLimits {
            total: 10,
            ..LIMITS
        });
        assert!(!reader.feed(log.repeat(5).as_bytes()));
        assert_eq!(reader.finish().len(), 1);
    }

    #[test]
    fn pol_12_bookmarks_are_read() {
        let node = "a".repeat(40);
        let printed = format!("one\t{node}\nodd name \t\t{node}\nshort\tabc\n\n");
        let read = parse_bookmarks(printed.as_bytes());
        let expected = [
            (b"one".to_vec(), node.clone()),
            (b"odd name \t".to_vec(), node),
        ];
        assert_eq!(read, expected);
        let known = ["b".to_owned(), "c".to_owned()].into();
        assert_eq!(
            unknown_of("a", &known),
            "sort(only(a,present(b)+present(c)),rev)"
        );
    }

    #[test]
    fn pol_12_what_is_known_are_the_heads() {
        let mut known: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
        assert_eq!(
            unknown(&known),
            "sort(only(heads(all()),present(a)+present(b)),rev)"
        );
        let set = |node: &str, parents: &[&str]| Changeset {
            node: node.to_owned(),
            parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
            ..Changeset::default()
        };
        // Two heads that grow from one, and a merge.
        advance(&mut known, &set("c", &["a"]));
        advance(&mut known, &set("d", &["a"]));
        assert_eq!(known, ["b", "c", "d"].map(str::to_owned).into());
        advance(&mut known, &set("e", &["b", "d"]));
        assert_eq!(known, ["c", "e"].map(str::to_owned).into());
        assert_eq!(unknown(&BTreeSet::new()), "sort(all(),rev)");
    }
}
