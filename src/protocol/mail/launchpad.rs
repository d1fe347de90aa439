//! `launchpad`: mails of Launchpad about new revisions of a branch of Bazaar.

use chrono::NaiveDateTime;

use super::{Letter, Reading, Unfit};
use crate::model::{NewChange, Timestamp};

/// What the indented lines that come next belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Nothing,
    Message,
    /// A list of files, with the mark of Buildbot.
    Files(&'static str),
}

impl Part {
    /// The part that `line` begins.
    fn begins(line: &str) -> Self {
        match line.trim_end() {
            "message:" => Self::Message,
            "added:" => Self::Files("ADDED"),
            "removed:" => Self::Files("REMOVED"),
            "modified:" => Self::Files("MODIFIED"),
            "renamed:" => Self::Files("RENAMED"),
            _ => Self::Nothing,
        }
    }
}

/// Reads a revision.
pub(super) fn read(letter: &Letter<'_>, reading: &Reading) -> Result<NewChange, Unfit> {
    let mut revision = Revision::default();
    revision.read(letter.lines(), reading.launchpad_marks);
    let Some(change) = revision.change() else {
        let why = "the mail names no revision with a committer";
        return Err(Unfit::nothing(why));
    };
    let repository = repository(letter.subject());
    let branch = repository.and_then(|repository| {
        let lp = format!("lp:{repository}");
        let map = &reading.branch_map;
        let mapped = map.get(repository).or_else(|| map.get(&lp)).cloned();
        mapped
            .or_else(|| reading.default_branch.clone())
            .or(Some(lp))
    });
    Ok(NewChange {
        branch,
        repository: repository.unwrap_or_default().to_owned(),
        ..change
    })
}

/// Reads what `bzr log --long -v` prints, in its order. Launchpad sends the same.
#[must_use]
pub fn bzr_log(printed: &str) -> Vec<NewChange> {
    let rule = "-".repeat(60);
    let lines: Vec<_> = printed.lines().collect();
    let entries = lines.split(|line| *line == rule);
    let changes = entries.filter_map(|entry| {
        let mut revision = Revision::default();
        revision.read(entry.iter().copied(), false);
        let mut change = revision.change()?;
        // A star marks a file that can be executed.
        for file in &mut change.files {
            let name = file.trim_end_matches('*').len();
            file.truncate(name);
        }
        Some(change)
    });
    changes.collect()
}

/// A revision, as far as it was read.
#[derive(Debug, Default)]
struct Revision<'m> {
    number: Option<String>,
    committer: Option<&'m str>,
    made_at: Option<Timestamp>,
    comments: String,
    files: Vec<String>,
}

impl<'m> Revision<'m> {
    fn read(&mut self, lines: impl Iterator<Item = &'m str>, marks: bool) {
        let mut part = Part::Nothing;
        for line in lines.filter(|line| !line.is_empty()) {
            match (line.strip_prefix("  "), part) {
                (Some(text), Part::Message) => {
                    self.comments.push_str(text);
                    self.comments.push('\n');
                }
                (Some(text), Part::Files(mark)) if marks => self.files.push(marked(text, mark)),
                (Some(text), Part::Files("RENAMED")) => {
                    self.files.extend(text.split(" => ").map(str::to_owned));
                }
                (Some(text), Part::Files(_)) => self.files.push(text.to_owned()),
                (Some(_), Part::Nothing) => {}
                (None, _) => {
                    part = Part::begins(line);
                    self.field(line);
                }
            }
        }
    }

    fn field(&mut self, line: &'m str) {
        let Some((name, value)) = line.split_once(": ") else {
            return;
        };
        match name {
            "revno" => {
                let is_number = |c: &char| c.is_ascii_digit() || *c == '.';
                let number: String = value.chars().take_while(is_number).collect();
                self.number = Some(number).filter(|number| !number.is_empty());
            }
            "committer" => self.committer = Some(value),
            "timestamp" => self.made_at = timestamp(value),
            _ => {}
        }
    }

    fn change(self) -> Option<NewChange> {
        Some(NewChange {
            who: self.committer?.to_owned(),
            files: self.files,
            comments: self.comments,
            revision: Some(self.number?),
            made_at: self.made_at,
            ..NewChange::default()
        })
    }
}

/// The branch of a subject such as `[Branch ~joe/widget/dev] Rev 2701: add file`.
fn repository(subject: &str) -> Option<&str> {
    let rest = subject.trim_start().strip_prefix("[Branch")?;
    let (name, _) = rest.split_once(']')?;
    Some(name.trim_start()).filter(|name| !name.is_empty())
}

/// A file with the mark that Buildbot puts behind it.
fn marked(file: &str, mark: &str) -> String {
    match file.rsplit_once(" => ") {
        Some((from, to)) if mark == "RENAMED" => format!("{from} RENAMED {to}"),
        _ => format!("{file} {mark}"),
    }
}

/// A time such as `Fri 2009-05-15 10:35:43 +0200`. As in Buildbot, the minutes of a zone west of
/// Greenwich count to the east; the time is for display only.
fn timestamp(text: &str) -> Option<Timestamp> {
    let (_day, text) = text.trim().split_once(' ')?;
    let (time, zone) = text.rsplit_once(' ')?;
    let time = NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S").ok()?;
    let (hours, minutes) = zone.split_at_checked(3)?;
    let offset = hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60;
    Some(Timestamp::from_secs(time.and_utc().timestamp() - offset))
}
