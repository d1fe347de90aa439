//! `cvs`: mails of `buildbot_cvs_mail.py`, which `CVSROOT/loginfo` runs.

use std::sync::LazyLock;

use regex::Regex;

use super::{Letter, Unfit, message};
use crate::model::{NewChange, Timestamp};

/// One file in the line `Files` of CVS 1.11: `a.c,1.1,1.2`.
static FILE_1_11: LazyLock<Regex> = LazyLock::new(|| one_file(","));
/// One file in the line `Files` of CVS 1.12: `a.c 1.1 1.2`.
static FILE_1_12: LazyLock<Regex> = LazyLock::new(|| one_file(" "));

fn one_file(separator: &str) -> Regex {
    let version = r"(?:NONE|\d+\.(?:\d+\.\d+\.)*\d+)";
    let file = format!("^(.+?){separator}{version}{separator}{version}(?: |$)");
    Regex::new(&file).expect("the expression is constant")
}

/// The lines before the message, by their names.
#[derive(Debug, Default)]
struct Fields<'m> {
    category: Option<&'m str>,
    root: Option<&'m str>,
    mode: Option<&'m str>,
    files: Option<&'m str>,
    path: Option<&'m str>,
    project: Option<&'m str>,
    tag: Option<&'m str>,
}

/// Reads a commit. CVS has no revision of a whole commit; its time stands for one.
pub(super) fn read(letter: &Letter<'_>, arrived_at: Timestamp) -> Result<NewChange, Unfit> {
    let Some(user) = letter.user() else {
        return Err(Unfit::nothing("the mail has no sender"));
    };
    let mut lines = letter.lines();
    let fields = Fields::take(&mut lines);
    let Some(files) = fields.files else {
        return Err(Unfit::nothing("the mail lists no files"));
    };
    let made_at = letter.date();
    Ok(NewChange {
        who: user.to_owned(),
        files: split(files, fields.mode, fields.path)?,
        comments: message(lines),
        revision: Some(revision(made_at.unwrap_or(arrived_at))),
        branch: fields.tag.map(str::to_owned),
        made_at,
        project: fields.project.unwrap_or_default().to_owned(),
        repository: fields.root.unwrap_or_default().to_owned(),
        category: fields.category.map(str::to_owned),
        ..NewChange::default()
    })
}

impl<'m> Fields<'m> {
    /// Takes the lines up to the message.
    fn take(lines: &mut std::str::Lines<'m>) -> Self {
        let mut fields = Self::default();
        for line in lines {
            if line == "Log Message:" {
                break;
            }
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            // The program writes `None` for what it was not told.
            let value = Some(value.trim()).filter(|value| !["", "None"].contains(value));
            let field = match name {
                "Category" => &mut fields.category,
                "CVSROOT" => &mut fields.root,
                "Cvsmode" => &mut fields.mode,
                "Files" => &mut fields.files,
                "Path" => &mut fields.path,
                "Project" => &mut fields.project,
                // CVS itself writes this line, with blanks before it.
                _ if name.starts_with([' ', '\t']) && name.trim() == "Tag" => &mut fields.tag,
                _ => continue,
            };
            *field = value.or(*field);
        }
        fields
    }
}

/// The files, below the root of the repository.
fn split(files: &str, mode: Option<&str>, path: Option<&str>) -> Result<Vec<String>, Unfit> {
    let is_old = match mode {
        Some("1.11") => true,
        Some("1.12") => false,
        None => path.is_none(),
        Some(other) => {
            let why = format!("Cvsmode: expected 1.11 or 1.12, found {other:?}");
            return Err(Unfit::Malformed(why));
        }
    };
    let (path, mut rest, file) = if is_old {
        let Some((path, rest)) = files.split_once(' ') else {
            return Err(Unfit::nothing("the line Files has no path"));
        };
        (path, rest.trim(), &*FILE_1_11)
    } else {
        let Some(path) = path else {
            let why = "Path: missing; check `loginfo` of the repository";
            return Err(Unfit::Malformed(why.to_owned()));
        };
        (path, files, &*FILE_1_12)
    };
    let mut names = Vec::new();
    while !rest.is_empty() {
        let found = file.captures(rest).and_then(|found| {
            let (whole, [name]) = found.extract();
            Some((name.to_owned(), rest.get(whole.len()..)?))
        });
        let Some((name, behind)) = found else {
            return Err(Unfit::nothing("the line Files is not a list of files"));
        };
        names.push(format!("{path}/{name}"));
        rest = behind;
    }
    Ok(names)
}

/// The time of a commit as CVS takes it for `-D`, in UTC.
fn revision(time: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp_micros(time.0).unwrap_or_default();
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}
