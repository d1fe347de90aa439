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
    let (mut revision, mut who, mut made_at) = (None, None, None);
    let mut comments = String::new();
    let mut files = Vec::new();
    let mut part = Part::Nothing;
    for line in letter.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("  "), part) {
            (Some(text), Part::Message) => {
                comments.push_str(text);
                comments.push('\n');
            }
            (Some(text), Part::Files(mark)) if reading.launchpad_marks => {
                files.push(marked(text, mark));
            }
            (Some(text), Part::Files("RENAMED")) => {
                files.extend(text.split(" => ").map(str::to_owned));
            }
            (Some(text), Part::Files(_)) => files.push(text.to_owned()),
            (Some(_), Part::Nothing) => {}
            (None, _) => {
                part = Part::begins(line);
                if let Some(rest) = line.strip_prefix("revno: ") {
                    let is_number = |c: &char| c.is_ascii_digit() || *c == '.';
                    let number: String = rest.chars().take_while(is_number).collect();
                    revision = Some(number)
                        .filter(|number| !number.is_empty())
                        .or(revision);
                } else if let Some(committer) = line.strip_prefix("committer: ") {
                    who = Some(committer.to_owned());
                } else if let Some(time) = line.strip_prefix("timestamp: ") {
                    made_at = timestamp(time).or(made_at);
                }
            }
        }
    }
    let (Some(who), Some(revision)) = (who, revision) else {
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
        who,
        files,
        comments,
        revision: Some(revision),
        branch,
        made_at,
        repository: repository.unwrap_or_default().to_owned(),
        ..NewChange::default()
    })
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
