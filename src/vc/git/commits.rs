//! The commits of a repository: which are new, and what they are.

use std::collections::{BTreeMap, VecDeque};

use super::is_whole_hash;

/// A commit with its parents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) parents: Vec<String>,
}

/// Prints at most `most` commits with their parents, children before parents. The wanted commits
/// and the [excluded](wanted) ones are read from the standard input.
pub(crate) fn walk(most: u64, first_parent: bool) -> Vec<String> {
    let mut words = vec![
        "rev-list".to_owned(),
        "--topo-order".to_owned(),
        "--parents".to_owned(),
        format!("--max-count={most}"),
    ];
    words.extend(first_parent.then(|| "--first-parent".to_owned()));
    words.push("--stdin".to_owned());
    words
}

/// Counts the commits that [`walk`] would print without a limit.
pub(crate) fn count(first_parent: bool) -> Vec<String> {
    let mut words = vec!["rev-list".to_owned(), "--count".to_owned()];
    words.extend(first_parent.then(|| "--first-parent".to_owned()));
    words.push("--stdin".to_owned());
    words
}

/// The standard input of [`walk`] and [`count`]: what is reachable from `tip` and from none of
/// `known`.
pub(crate) fn wanted<'a>(tip: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known = known.into_iter().map(|known| format!("^{known}\n"));
    std::iter::once(format!("{tip}\n")).chain(known).collect()
}

/// Parses the output of [`walk`].
///
/// # Errors
/// The first line that is not a commit.
pub(crate) fn parse_walk(printed: &[u8]) -> Result<Vec<Node>, String> {
    let lines = printed.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let node = |line: &[u8]| {
        let text = String::from_utf8_lossy(line);
        let mut ids = text.split(' ').map(str::to_owned);
        let id = ids.next().unwrap_or_default();
        let parents: Vec<_> = ids.collect();
        let is_node = std::iter::once(&id)
            .chain(&parents)
            .all(|id| is_whole_hash(id));
        is_node
            .then_some(Node { id, parents })
            .ok_or_else(|| format!("git printed {text:?}"))
    };
    lines.map(node).collect()
}

/// For each commit that is not on the mainline, the commit on the mainline that brought it. The
/// mainline is the tip, its first parent, and so on. `nodes` are as [`walk`] prints them, the tip
/// first.
pub(crate) fn brought_by(nodes: &[Node]) -> BTreeMap<&str, &str> {
    let parents: BTreeMap<&str, &Node> = nodes.iter().map(|n| (n.id.as_str(), n)).collect();
    let mut mainline = Vec::new();
    let mut next = nodes.first();
    while let Some(node) = next {
        mainline.push(node);
        next = node
            .parents
            .first()
            .and_then(|parent| parents.get(parent.as_str()).copied());
    }
    let mut brought: BTreeMap<&str, &str> = BTreeMap::new();
    let is_mainline: std::collections::BTreeSet<&str> =
        mainline.iter().map(|node| node.id.as_str()).collect();
    for bringer in mainline.iter().rev() {
        let mut open: VecDeque<&str> = bringer.parents.iter().skip(1).map(String::as_str).collect();
        while let Some(id) = open.pop_front() {
            let Some(node) = parents.get(id).filter(|_| !is_mainline.contains(id)) else {
                continue;
            };
            if brought.contains_key(id) {
                continue;
            }
            brought.insert(node.id.as_str(), bringer.id.as_str());
            open.extend(node.parents.iter().map(String::as_str));
        }
    }
    brought
}

/// Prints the commits whose ids are on the standard input, for [`LogReader`]. The files of a merge
/// are those in which it differs from its first parent.
pub(crate) const LOG: [&str; 14] = [
    "-c",
    "i18n.logOutputEncoding=UTF-8",
    "log",
    "-z",
    "--stdin",
    "--no-walk=unsorted",
    "--root",
    "-m",
    "--first-parent",
    "--no-renames",
    "--no-ext-diff",
    "--no-show-signature",
    "--name-only",
    "--format=%x01%H%x00%an%x00%ae%x00%ct%x00%B%x00",
];

/// What a commit says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) author: Vec<u8>,
    pub(crate) email: Vec<u8>,
    /// Time of the commit in seconds since 1970; absent if it is not a number.
    pub(crate) committed_at: Option<i64>,
    pub(crate) message: Vec<u8>,
    pub(crate) files: Vec<Vec<u8>>,
    /// Number of further files.
    pub(crate) files_left_out: u64,
}

/// Limits on what is kept of a commit and of all commits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of a name.
    pub(crate) name: usize,
    /// Bytes of a message.
    pub(crate) message: usize,
    /// Files of a commit.
    pub(crate) files: usize,
    /// Bytes of all commits; the commit that exceeds it is the last.
    pub(crate) total: usize,
}

/// Reads the output of [`LOG`] in pieces. Memory is bounded by the limits, however long the output
/// is.
#[derive(Debug)]
pub(crate) struct LogReader<'a> {
    limits: LogLimits,
    /// The ids that are still to come.
    expected: std::slice::Iter<'a, String>,
    next: Option<&'a String>,
    part: Part,
    token: Vec<u8>,
    /// Bytes of the token beyond its limit.
    cut: bool,
    kept: usize,
    current: Option<Commit>,
    complete: Vec<Commit>,
}

/// The part of the output that the next token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Author,
    Email,
    Time,
    Message,
    /// A file or the next commit.
    File,
}

impl<'a> LogReader<'a> {
    /// A reader for the commits with these ids, in this order.
    pub(crate) fn new(ids: &'a [String], limits: LogLimits) -> Self {
        let mut expected = ids.iter();
        Self {
            limits,
            next: expected.next(),
            expected,
            part: Part::File,
            token: Vec::new(),
            cut: false,
            kept: 0,
            current: None,
            complete: Vec::new(),
        }
    }

    /// Reads a piece. Returns whether more is wanted.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> bool {
        let mut rest = piece;
        while let Some(end) = memchr::memchr(0, rest) {
            let (token, after) = rest.split_at(end);
            self.extend(token);
            self.end_token();
            rest = after.get(1..).unwrap_or_default();
            if self.is_full() {
                return false;
            }
        }
        self.extend(rest);
        true
    }

    /// The commits that were read completely, at most those up to the limit.
    pub(crate) fn finish(mut self) -> Vec<Commit> {
        // Without a limit in the way, the end of the output completes the last commit.
        if !self.is_full() && self.part == Part::File {
            self.complete.extend(self.current.take());
        }
        self.complete
    }

    fn is_full(&self) -> bool {
        self.kept > self.limits.total && !self.complete.is_empty()
    }

    fn extend(&mut self, bytes: &[u8]) {
        let limit = match self.part {
            Part::Message => self.limits.message,
            // The sign of a new commit or of the first file is one byte more.
            Part::Author | Part::Email | Part::Time | Part::File => {
                self.limits.name.max(LONGEST_HASH) + 1
            }
        };
        let room = limit.saturating_sub(self.token.len());
        self.cut |= bytes.len() > room;
        self.token.extend(bytes.iter().take(room));
    }

    fn end_token(&mut self) {
        let token = std::mem::take(&mut self.token);
        let cut = std::mem::take(&mut self.cut);
        if self.part == Part::File {
            self.end_file(&token, cut);
            return;
        }
        let Some(commit) = &mut self.current else {
            return;
        };
        self.kept += token.len();
        self.part = match self.part {
            Part::Author => {
                commit.author = token;
                Part::Email
            }
            Part::Email => {
                commit.email = token;
                Part::Time
            }
            Part::Time => {
                commit.committed_at = str::from_utf8(&token).ok().and_then(|t| t.parse().ok());
                Part::Message
            }
            Part::Message | Part::File => {
                commit.message = token;
                Part::File
            }
        };
    }

    fn end_file(&mut self, token: &[u8], cut: bool) {
        let begins = token.strip_prefix(b"\x01");
        if let Some(id) = self.next.filter(|id| begins == Some(id.as_bytes())) {
            self.complete.extend(self.current.take());
            self.current = Some(Commit {
                id: id.clone(),
                ..Commit::default()
            });
            self.next = self.expected.next();
            self.part = Part::Author;
            return;
        }
        let Some(commit) = &mut self.current else {
            return;
        };
        // A line break separates the first file from the message.
        let is_first = commit.files.is_empty() && commit.files_left_out == 0;
        let file = token
            .strip_prefix(b"\n")
            .filter(|_| is_first)
            .unwrap_or(token);
        if file.is_empty() {
            return;
        }
        if cut || file.len() > self.limits.name || commit.files.len() >= self.limits.files {
            commit.files_left_out += 1;
        } else {
            self.kept += file.len() + size_of::<Vec<u8>>();
            commit.files.push(file.to_owned());
        }
    }
}

/// Characters of the longest id.
const LONGEST_HASH: usize = 64;

#[cfg(test)]
mod tests;
