//! The log of a branch of Bazaar, as `bzr log --long` prints it.

/// Prints the number and the id of the newest revision, or of revision `number`.
pub(crate) fn revision_info(url: &str, number: Option<u64>) -> Vec<String> {
    let mut words = ["--no-aliases", "revision-info", "-d", url]
        .map(str::to_owned)
        .to_vec();
    words.extend(number.map(|number| format!("-r{number}")));
    words
}

/// Parses the output of [`revision_info`].
pub(crate) fn parse_revision_info(printed: &[u8]) -> Option<(u64, String)> {
    let text = String::from_utf8_lossy(printed);
    let (number, id) = text.trim().split_once(' ')?;
    Some((number.parse().ok()?, id.to_owned()))
}

/// Prints the revisions of the mainline from one number to another, oldest first.
pub(crate) fn log(from: u64, to: u64, url: &str) -> Vec<String> {
    let range = format!("-r{from}..{to}");
    let words = [
        "--no-aliases",
        "log",
        "--long",
        "-n1",
        "--show-ids",
        "-v",
        "--forward",
        "--timezone=utc",
        &range,
        url,
    ];
    words.map(str::to_owned).into()
}

/// A revision of the mainline.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Revision {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) author: String,
    /// Time of the commit in seconds since 1970.
    pub(crate) date: Option<i64>,
    pub(crate) message: String,
    pub(crate) files: Vec<String>,
    /// Number of further files.
    pub(crate) files_left_out: u64,
}

/// Limits on what is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of a message.
    pub(crate) message: usize,
    /// Files of a revision.
    pub(crate) files: usize,
    /// Bytes of the names of the files of all revisions.
    pub(crate) total: usize,
}

/// Reads the output of [`log`] line by line. Memory is bounded by the limits.
#[derive(Debug)]
pub(crate) struct LogReader {
    limits: LogLimits,
    all: Vec<Revision>,
    part: Part,
    /// Bytes of names that are kept.
    kept: usize,
}

impl LogReader {
    pub(crate) const fn new(limits: LogLimits) -> Self {
        Self {
            limits,
            all: Vec::new(),
            part: Part::Head,
            kept: 0,
        }
    }

    /// The revisions.
    pub(crate) fn finish(self) -> Vec<Revision> {
        self.all
    }

    /// Reads a line without its end.
    pub(crate) fn line(&mut self, line: &str) {
        if line == RULE {
            self.all.push(Revision::default());
            self.part = Part::Head;
            return;
        }
        let Some(revision) = self.all.last_mut() else {
            return;
        };
        if let Some(text) = line.strip_prefix("  ") {
            match self.part {
                Part::Message if revision.message.len() + text.len() < self.limits.message => {
                    revision.message.push_str(text);
                    revision.message.push('\n');
                }
                Part::Files => {
                    let is_full = self.kept > self.limits.total;
                    let most = if is_full { 0 } else { self.limits.files };
                    self.kept += text.len();
                    revision.add_file(text, most);
                }
                Part::Message | Part::Head => {}
            }
            return;
        }
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        match (key, value.trim()) {
            ("message", _) => self.part = Part::Message,
            ("revno", number) => {
                let number = number.split(' ').next();
                let number = number.and_then(|number| number.parse().ok());
                revision.number = number.unwrap_or_default();
            }
            ("revision-id", id) => id.clone_into(&mut revision.id),
            ("author", author) => author.clone_into(&mut revision.author),
            ("committer", author) if revision.author.is_empty() => {
                author.clone_into(&mut revision.author);
            }
            ("timestamp", time) => {
                let time = chrono::DateTime::parse_from_str(time, "%a %Y-%m-%d %H:%M:%S %z").ok();
                revision.date = time.map(|time| time.timestamp());
            }
            (_, "") => self.part = Part::Files,
            (_, _) => {}
        }
    }
}

#[derive(Debug)]
enum Part {
    Head,
    Message,
    Files,
}

impl Revision {
    /// Adds a file from a line with its name, or both its names, and its id.
    fn add_file(&mut self, line: &str, most: usize) {
        let names = line
            .rsplit_once(' ')
            .map_or(line, |(names, _)| names)
            .trim_end();
        let name = names.rsplit_once(" => ").map_or(names, |(_, new)| new);
        // Directories have a slash at their end.
        if name.ends_with('/') {
            return;
        }
        if self.files.len() >= most {
            self.files_left_out += 1;
        } else {
            self.files.push(name.to_owned());
        }
    }
}

const RULE: &str = "------------------------------------------------------------";

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "------------------------------------------------------------
revno: 2
revision-id: me@e-20261127133102-ojeujer4c7dtv1wp
parent: me@e-20261127133101-lv32vviecfmgvfuv
author: Au Thor <a@t>
committer: me <me@e>
branch nick: t
timestamp: Fri 2026-11-27 13:31:02 +0000
message:
  two
  added:
    deep
added:
  d e/                           de-20261127133102-8zbhbswpi6vh1b7m-1
  d e/b                          b-20261127133102-8zbhbswpi6vh1b7m-2
renamed:
  a => z a-20261127133101-fkaody2fwbmy05qq-1
------------------------------------------------------------
revno: 4 [merge]
revision-id: me@e-20261127133103-qditcubjsjomlbl6
committer: me <me@e>
timestamp: Fri 2026-11-27 13:31:03 +0000
message:
  merge
modified:
  c                              c-20261127133102-ukoxrl7iqoda48xi-1
";

    /// The revisions of a log, of which at most `files` files are kept.
    fn parse_log(printed: &str, files: usize) -> Vec<Revision> {
        let mut reader = LogReader::new(LogLimits {
            message: 1_000,
            files,
            total: 1_000,
        });
        for line in printed.lines() {
            reader.line(line);
        }
        reader.finish()
    }

    #[test]
    fn int_09_what_exceeds_a_limit_is_left_out() {
        let mut reader = LogReader::new(LogLimits {
            message: 10,
            files: 9,
            total: 5,
        });
        LOG.lines().for_each(|line| reader.line(line));
        let all = reader.finish();
        let kept = all.iter().map(|revision| {
            let (files, left_out) = (revision.files.len(), revision.files_left_out);
            (revision.message.as_str(), files, left_out)
        });
        assert_eq!(
            kept.collect::<Vec<_>>(),
            [("two\n", 0, 2), ("merge\n", 0, 1)]
        );
    }

    #[test]
    fn pol_12_the_log_is_read() {
        let two = Revision {
            number: 2,
            id: "me@e-20261127133102-ojeujer4c7dtv1wp".to_owned(),
            author: "Au Thor <a@t>".to_owned(),
            date: Some(1_795_786_262),
            message: "two\nadded:\n  deep\n".to_owned(),
            files: ["d e/b", "z"].map(str::to_owned).into(),
            files_left_out: 0,
        };
        let four = Revision {
            number: 4,
            id: "me@e-20261127133103-qditcubjsjomlbl6".to_owned(),
            author: "me <me@e>".to_owned(),
            date: Some(1_795_786_263),
            message: "merge\n".to_owned(),
            files: vec!["c".to_owned()],
            files_left_out: 0,
        };
        assert_eq!(parse_log(LOG, 2), [two, four]);
        let cut = parse_log(LOG, 1);
        let counts = cut
            .iter()
            .map(|revision| (revision.files.len(), revision.files_left_out));
        assert_eq!(counts.collect::<Vec<_>>(), [(1, 1), (1, 0)]);
        assert!(parse_log("", 1).is_empty());
    }

    #[test]
    fn the_newest_revision_is_read() {
        let read = |text: &str| parse_revision_info(text.as_bytes());
        assert_eq!(read("4 me@e-2026\n"), Some((4, "me@e-2026".to_owned())));
        assert_eq!(read("0 null:\n"), Some((0, "null:".to_owned())));
        assert_eq!(read("huh"), None);
    }
}
