//! The log of a module of CVS, as `cvs rlog` prints it.

use std::collections::BTreeMap;

/// Prints the revisions of all files of `module` since a time such as [`time`](super::time) gives.
pub(crate) fn log(root: &str, module: &str, since: &str) -> Vec<String> {
    let since = format!(">={since}");
    let words = [
        "-f", "-q", "-z3", "-d", root, "rlog", "-S", "-d", &since, "--", module,
    ];
    words.map(str::to_owned).into()
}

/// A revision of a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct FileRevision {
    /// Path in the module.
    pub(crate) file: String,
    pub(crate) revision: String,
    /// The branch; absent: the trunk.
    pub(crate) branch: Option<String>,
    /// Time in seconds since 1970.
    pub(crate) date: i64,
    pub(crate) author: String,
    /// What revisions of one commit have in common, with servers that tell it.
    pub(crate) commit: Option<String>,
    pub(crate) message: String,
}

/// Reads the output of [`log`] line by line.
#[derive(Debug)]
pub(crate) struct LogReader<'a> {
    /// The path of the repository.
    root: &'a str,
    module: &'a str,
    /// Bytes of a message that are kept.
    longest_message: usize,
    all: Vec<FileRevision>,
    file: String,
    /// The branches of the file, by their numbers.
    branches: BTreeMap<String, String>,
    part: Part,
    current: Option<FileRevision>,
}

impl<'a> LogReader<'a> {
    pub(crate) const fn new(root: &'a str, module: &'a str, longest_message: usize) -> Self {
        Self {
            root,
            module,
            longest_message,
            all: Vec::new(),
            file: String::new(),
            branches: BTreeMap::new(),
            part: Part::Head,
            current: None,
        }
    }

    /// The revisions.
    pub(crate) fn finish(self) -> Vec<FileRevision> {
        self.all
    }

    /// Reads a line without its end.
    pub(crate) fn line(&mut self, line: &str) {
        if line == RULE || line == END {
            let current = self.current.take();
            self.all
                .extend(current.filter(|revision| revision.date > 0));
            self.part = match line == END {
                true => Part::Head,
                false => Part::Number,
            };
            return;
        }
        match (&self.part, &mut self.current) {
            (Part::Head | Part::Symbols, _) => self.head(line),
            (Part::Number, _) => {
                let number = line.strip_prefix("revision ").unwrap_or_default();
                let number = number.split_whitespace().next().unwrap_or_default();
                let on = number.rsplit_once('.').map_or("", |(on, _)| on);
                let branch = self.branches.get(on).cloned();
                self.current = Some(FileRevision {
                    file: self.file.clone(),
                    revision: number.to_owned(),
                    branch: branch.or_else(|| unnamed(on)),
                    ..FileRevision::default()
                });
                self.part = Part::Facts;
            }
            (Part::Facts, Some(revision)) => {
                revision.read_facts(line);
                self.part = Part::Message;
            }
            // A list of the branches that begin here comes before the message.
            (Part::Message, Some(revision))
                if revision.message.is_empty() && line.starts_with("branches:  ") => {}
            (Part::Message, Some(revision)) => {
                if revision.message.len() + line.len() < self.longest_message {
                    revision.message.push_str(line);
                    revision.message.push('\n');
                }
            }
            (Part::Facts | Part::Message, None) => {}
        }
    }

    /// Reads a line of what is said of a file.
    fn head(&mut self, line: &str) {
        if let Some(path) = line.strip_prefix("RCS file: ") {
            self.file = plain_name(path, self.root, self.module);
            self.branches.clear();
        } else if line == "symbolic names:" {
            self.part = Part::Symbols;
        } else if let (Part::Symbols, Some(symbol)) = (&self.part, line.strip_prefix('\t')) {
            self.branches.extend(branch(symbol));
        } else {
            self.part = Part::Head;
        }
    }
}

#[derive(Debug)]
enum Part {
    Head,
    Symbols,
    Number,
    Facts,
    Message,
}

impl FileRevision {
    /// Reads `date: …;  author: …;  state: …;`.
    fn read_facts(&mut self, line: &str) {
        for fact in line.split(';') {
            let Some((key, value)) = fact.trim().split_once(": ") else {
                continue;
            };
            match key {
                "date" => self.date = date(value).unwrap_or_default(),
                "author" => value.clone_into(&mut self.author),
                "commitid" => self.commit = Some(value.to_owned()),
                _ => {}
            }
        }
    }
}

/// A time as new and as old servers write it; the old ones mean UTC.
fn date(text: &str) -> Option<i64> {
    if let Ok(date) = chrono::DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z") {
        return Some(date.timestamp());
    }
    let plain = text.replace('/', "-");
    let date = chrono::NaiveDateTime::parse_from_str(&plain, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(date.and_utc().timestamp())
}

/// The number and the name of a branch, from `side: 1.1.0.2`; plain tags have none.
fn branch(symbol: &str) -> Option<(String, String)> {
    let (name, number) = symbol.split_once(": ")?;
    let (rest, last) = number.rsplit_once('.')?;
    let on = rest.strip_suffix(".0")?;
    Some((format!("{on}.{last}"), name.to_owned()))
}

/// The name of a branch that has none: its number.
fn unnamed(on: &str) -> Option<String> {
    on.contains('.').then(|| on.to_owned())
}

/// The path in the module, from the path of the file in the repository.
fn plain_name(path: &str, root: &str, module: &str) -> String {
    let path = path.strip_suffix(",v").unwrap_or(path);
    let module = format!("{}/", module.trim_matches('/'));
    let below = path
        .strip_prefix(root)
        .map(|rest| rest.trim_start_matches('/'));
    let inside = below.and_then(|rest| rest.strip_prefix(&module));
    // The server may know the repository by another path.
    let found = inside.or_else(|| Some(path.split_once(&format!("/{module}"))?.1));
    let plain = found.or(below).unwrap_or(path);
    match plain.rsplit_once("Attic/") {
        Some((dir, name)) if dir.is_empty() || dir.ends_with('/') => format!("{dir}{name}"),
        Some(_) | None => plain.to_owned(),
    }
}

const RULE: &str = "----------------------------";
const END: &str = "=============================================================================";

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "
RCS file: /cvs/project/Attic/a b,v
head: 1.2
branch:
locks: strict
access list:
symbolic names:
\tside: 1.1.0.2
\tv1: 1.1
keyword substitution: kv
total revisions: 2;\tselected revisions: 2
description:
----------------------------
revision 1.2
date: 2026-11-27 13:31:08 +0000;  author: root;  state: dead;  lines: +0 -0;  commitid: 1006B09;
gone
----------------------------
revision 1.1
date: 2009/02/13 23:31:30;  author: me;  state: Exp;
branches:  1.1.2;
one
two
=============================================================================

RCS file: /elsewhere/project/d/x,v
symbolic names:
\tside: 1.1.0.2
description:
----------------------------
revision 1.1.2.1
date: 2026-11-27 13:31:06 +0000;  author: root;  state: Exp;  lines: +1 -0;  commitid: 1006B0A;
onside
=============================================================================
";

    #[test]
    fn pol_12_the_log_is_read() {
        let parse = |printed: &str| {
            let mut reader = LogReader::new("/cvs", "project", 1_000);
            printed.lines().for_each(|line| reader.line(line));
            reader.finish()
        };
        let shown: Vec<_> = parse(LOG)
            .into_iter()
            .map(|r| {
                let branch = r.branch.as_deref().unwrap_or("-").to_owned();
                let commit = r.commit.as_deref().unwrap_or("-").to_owned();
                let (file, revision, date, author) = (r.file, r.revision, r.date, r.author);
                format!(
                    "{file} {revision} {branch} {date} {author} {commit} {:?}",
                    r.message
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "a b 1.2 - 1795786268 root 1006B09 \"gone\\n\"",
                "a b 1.1 - 1234567890 me - \"one\\ntwo\\n\"",
                "d/x 1.1.2.1 side 1795786266 root 1006B0A \"onside\\n\"",
            ]
        );
        assert!(parse("").is_empty());
    }
}
