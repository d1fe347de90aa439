//! `svn`: mails of Subversion's `commit-email.pl`.

use super::{Letter, Unfit, message};
use crate::model::NewChange;

/// What the lines that come next belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Head,
    Log,
    Files,
}

/// Reads a commit. The message comes before the lists of files or after them.
pub(super) fn read(letter: &Letter<'_>) -> Result<NewChange, Unfit> {
    let Some(user) = letter.user() else {
        return Err(Unfit::nothing("the mail has no sender"));
    };
    let mut who = user;
    let mut revision = None;
    let mut files: Vec<String> = Vec::new();
    let mut log = Vec::new();
    let mut part = Part::Head;
    for line in letter.lines() {
        let is_list = ["Modified:", "Added:", "Removed:"].contains(&line);
        match part {
            _ if is_list => part = Part::Files,
            Part::Log if is_diff(line, &files) => part = Part::Head,
            Part::Log => log.push(line),
            Part::Head | Part::Files if line == "Log:" && log.is_empty() => part = Part::Log,
            Part::Files if line.trim().is_empty() => part = Part::Head,
            Part::Files => files.extend(names(line)),
            Part::Head => {
                if let Some(author) = word(line, "Author: ") {
                    who = author;
                }
                revision = word(line, "New Revision: ")
                    .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
                    .or(revision);
            }
        }
    }
    if files.is_empty() {
        return Err(Unfit::nothing("the mail lists no files"));
    }
    Ok(NewChange {
        who: who.to_owned(),
        files,
        comments: message(log),
        revision: revision.map(str::to_owned),
        ..NewChange::default()
    })
}

fn word<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    line.strip_prefix(label)?.split_whitespace().next()
}

/// Whether the difference of a listed file begins here, which ends a message behind the lists.
fn is_diff(line: &str, files: &[String]) -> bool {
    let labels = ["Modified: ", "Added: ", "Removed: "];
    let mut names = labels.iter().filter_map(|label| line.strip_prefix(label));
    names.any(|name| files.iter().any(|file| file == name.trim()))
}

/// The names in a line of a list. What follows a name in brackets says that its properties changed.
fn names(line: &str) -> impl Iterator<Item = String> {
    let line = line.trim();
    let end = [" (props changed)", " (contents, props changed)"];
    let name = end.iter().find_map(|end| line.strip_suffix(end));
    name.unwrap_or(line).split_whitespace().map(str::to_owned)
}
