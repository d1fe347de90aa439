//! The log of a repository of Subversion, as `svn log --xml -v` prints it.

use super::{attribute, unescaped};

/// Prints the revisions from one number to another, oldest first.
pub(crate) fn log(from: u64, to: u64, url: &str) -> Vec<String> {
    let words = ["log", "--xml", "-v", "-r", &format!("{from}:{to}"), url];
    words.map(str::to_owned).into()
}

/// A revision.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    pub(crate) author: String,
    /// Time of the commit in seconds since 1970.
    pub(crate) date: Option<i64>,
    pub(crate) paths: Vec<Path>,
    /// Number of further paths.
    pub(crate) paths_left_out: u64,
    pub(crate) message: String,
}

/// A path of the repository that a revision has changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Path {
    /// Path from the root of the repository, without the first slash.
    pub(crate) path: String,
    pub(crate) is_dir: bool,
    pub(crate) is_deleted: bool,
}

/// Limits on what is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of a message.
    pub(crate) message: usize,
    /// Paths of a revision.
    pub(crate) paths: usize,
    /// Bytes of all revisions; the revision that exceeds it is the last.
    pub(crate) total: usize,
}

/// Reads the output of [`log`] in pieces. Memory is bounded by the limits.
#[derive(Debug)]
pub(crate) struct LogReader {
    limits: LogLimits,
    /// A tag and the text after it, from `<` on.
    token: Vec<u8>,
    kept: usize,
    current: Entry,
    complete: Vec<Entry>,
}

impl LogReader {
    pub(crate) const fn new(limits: LogLimits) -> Self {
        Self {
            limits,
            token: Vec::new(),
            kept: 0,
            current: Entry {
                revision: 0,
                author: String::new(),
                date: None,
                paths: Vec::new(),
                paths_left_out: 0,
                message: String::new(),
            },
            complete: Vec::new(),
        }
    }

    /// Reads a piece. Returns whether more is wanted.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> bool {
        let mut rest = piece;
        // In texts, the sign is escaped.
        while let Some(at) = memchr::memchr(b'<', rest) {
            let (head, tail) = rest.split_at(at);
            self.extend(head);
            self.end_token();
            if self.is_full() {
                return false;
            }
            self.token.push(b'<');
            rest = tail.get(1..).unwrap_or_default();
        }
        self.extend(rest);
        true
    }

    /// Whether the limit of all revisions is reached.
    pub(crate) fn is_full(&self) -> bool {
        self.kept > self.limits.total && !self.complete.is_empty()
    }

    /// The revisions that were read completely.
    pub(crate) fn finish(mut self) -> Vec<Entry> {
        self.end_token();
        self.complete
    }

    fn extend(&mut self, bytes: &[u8]) {
        // The sign and the attributes of a tag are short.
        let room = (self.limits.message + TAG).saturating_sub(self.token.len());
        self.token.extend(bytes.iter().take(room));
    }

    fn end_token(&mut self) {
        let token = std::mem::take(&mut self.token);
        let token = String::from_utf8_lossy(&token);
        let Some((tag, text)) = token.strip_prefix('<').and_then(|t| t.split_once('>')) else {
            return;
        };
        self.kept += text.len();
        let name = tag.split(char::is_whitespace).next().unwrap_or_default();
        let entry = &mut self.current;
        match name {
            "logentry" => {
                let revision = attribute(tag, "revision").and_then(|r| r.parse().ok());
                entry.revision = revision.unwrap_or_default();
            }
            "author" => entry.author = unescaped(text),
            "date" => {
                let date = chrono::DateTime::parse_from_rfc3339(text).ok();
                entry.date = date.map(|date| date.timestamp());
            }
            "path" if entry.paths.len() >= self.limits.paths => entry.paths_left_out += 1,
            "path" => {
                self.kept += size_of::<Path>();
                entry.paths.push(Path {
                    path: unescaped(text).trim_start_matches('/').to_owned(),
                    is_dir: attribute(tag, "kind").as_deref() == Some("dir"),
                    is_deleted: attribute(tag, "action").as_deref() == Some("D"),
                });
            }
            "msg" => entry.message = unescaped(text),
            "/logentry" => self.complete.push(std::mem::take(entry)),
            _ => {}
        }
    }
}

/// Most bytes of a tag.
const TAG: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LogLimits = LogLimits {
        message: 100,
        paths: 3,
        total: 10_000,
    };

    const LOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<log>\n<logentry\n   revision=\"2\">\n\
        <author>me</author>\n<date>2026-11-27T13:18:15.897201Z</date>\n<paths>\n<path\n   text-mods=\"true\"\n   \
        kind=\"file\"\n   action=\"A\"\n   prop-mods=\"false\">/trunk/a &amp; b</path>\n<path\n   action=\"D\"\n   \
        kind=\"dir\"\n   copyfrom-path=\"/trunk\">/branches/x</path>\n</paths>\n<msg>one &lt;x&gt;\ntwo é</msg>\n\
        </logentry>\n<logentry\n   revision=\"3\">\n<msg></msg>\n</logentry>\n</log>\n";

    fn path(path: &str, is_dir: bool, is_deleted: bool) -> Path {
        Path {
            path: path.to_owned(),
            is_dir,
            is_deleted,
        }
    }

    #[test]
    fn pol_11_the_log_is_read_however_it_is_cut() {
        let expected = [
            Entry {
                revision: 2,
                author: "me".to_owned(),
                date: Some(1_795_785_495),
                paths: vec![
                    path("trunk/a & b", false, false),
                    path("branches/x", true, true),
                ],
                paths_left_out: 0,
                message: "one <x>\ntwo é".to_owned(),
            },
            // Revisions that the user may not read say nothing.
            Entry {
                revision: 3,
                ..Entry::default()
            },
        ];
        for cut in 0..LOG.len() {
            let (head, tail) = LOG.as_bytes().split_at(cut);
            let mut reader = LogReader::new(LIMITS);
            assert!(reader.feed(head) && reader.feed(tail));
            assert_eq!(reader.finish(), expected, "cut at {cut}");
        }
        assert!(LogReader::new(LIMITS).finish().is_empty());
    }

    #[test]
    fn int_09_paths_and_revisions_are_bounded() {
        let many = "<path kind=\"file\">/f</path>".repeat(5);
        let one = format!("<logentry revision=\"1\"><paths>{many}</paths></logentry>");
        let mut reader = LogReader::new(LIMITS);
        assert!(reader.feed(one.as_bytes()));
        let entries = reader.finish();
        let counts = entries
            .iter()
            .map(|entry| (entry.paths.len(), entry.paths_left_out));
        assert_eq!(counts.collect::<Vec<_>>(), [(3, 2)]);
        let total = LogLimits {
            total: 10,
            ..LIMITS
        };
        let mut reader = LogReader::new(total);
        assert!(!reader.feed(one.repeat(9).as_bytes()));
        assert_eq!(reader.finish().len(), 1);
    }
}
