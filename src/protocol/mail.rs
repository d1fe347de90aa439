//! Commit mails: from a mail to a change, without I/O (MLD-03, MLD-04).
//!
//! Each [`Format`] has a file that reads its text. A missing line is an absent field, `None` is
//! nothing, and the lines before the commit message can be in any order. Commit times go to
//! `made_at`, never to `when` (TIM-01).

mod bonsai;
mod cvs;
mod freshcvs;
mod launchpad;
mod letter;
mod svn;
mod syncmail;

use std::collections::BTreeMap;

use super::Malformed;
use super::bounds::bound_or_refuse;
use crate::model::{NewChange, Timestamp};

pub use self::launchpad::bzr_log;
pub use self::letter::{Letter, Mistrust, Trust, in_utf8};
pub use crate::model::MailFormat as Format;

/// The settings of a source of mails that change what is read (MLD-01).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// Files outside are dropped; files inside lose the prefix. A mail whose files are all outside
    /// is not about this source.
    pub prefix: Option<String>,
    /// Branches by the names that Launchpad gives to them, with or without `lp:`.
    pub branch_map: BTreeMap<String, String>,
    /// The branch of changes whose mail names none, and of branches of Launchpad that
    /// `branch_map` does not list.
    pub default_branch: Option<String>,
    /// Whether the files of Launchpad have the marks of Buildbot behind them: `a.c ADDED`.
    pub launchpad_marks: bool,
}

/// What a mail is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A commit.
    Commit(Box<NewChange>),
    /// Something that the master does not build, and why.
    Nothing(String),
}

/// Reads a mail that arrived at `arrived_at`.
///
/// # Errors
/// The mail is about a commit, but not in the way of its format.
pub fn read(
    format: Format,
    letter: &Letter<'_>,
    reading: &Reading,
    arrived_at: Timestamp,
) -> Result<Content, Malformed> {
    if letter.is_of_buildmaster() {
        let why = "it is a mail of a buildmaster".to_owned();
        return Ok(Content::Nothing(why));
    }
    let found = match format {
        Format::Cvs => cvs::read(letter, arrived_at),
        Format::Svn => svn::read(letter),
        Format::Launchpad => launchpad::read(letter, reading),
        Format::Freshcvs => freshcvs::read(letter),
        Format::Syncmail => syncmail::read(letter),
        Format::Bonsai => bonsai::read(letter),
    };
    let mut change = match found {
        Ok(change) => change,
        Err(Unfit::Nothing(why)) => return Ok(Content::Nothing(why)),
        Err(Unfit::Malformed(why)) => return Err(Malformed(why)),
    };
    if !keep_files(&mut change.files, reading.prefix.as_deref()) {
        return Ok(Content::Nothing(
            "all files are outside the prefix".to_owned(),
        ));
    }
    if change.branch.is_none() {
        change.branch.clone_from(&reading.default_branch);
    }
    change.src = Some(src(format).to_owned());
    bound_or_refuse(&mut change)?;
    Ok(Content::Commit(Box::new(change)))
}

/// Why a reader found no change.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Unfit {
    /// The mail is about something else.
    Nothing(String),
    /// The mail is about a commit that cannot be read.
    Malformed(String),
}

impl Unfit {
    fn nothing(why: &str) -> Self {
        Self::Nothing(why.to_owned())
    }
}

/// The kind of version control system that the mails are about.
const fn src(format: Format) -> &'static str {
    match format {
        Format::Svn => "svn",
        Format::Launchpad => "bzr",
        Format::Cvs | Format::Freshcvs | Format::Syncmail | Format::Bonsai => "cvs",
    }
}

/// Sorts the files, each once, and removes the prefix. Returns whether any file is left where there
/// were files.
fn keep_files(files: &mut Vec<String>, prefix: Option<&str>) -> bool {
    let had_files = !files.is_empty();
    if let Some(prefix) = prefix {
        files.retain_mut(|file| match file.strip_prefix(prefix) {
            Some(inside) => {
                *file = inside.to_owned();
                true
            }
            None => false,
        });
    }
    files.sort();
    files.dedup();
    !had_files || !files.is_empty()
}

/// A commit message from its lines: without blanks at its end, with a newline.
fn message<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<_> = lines.into_iter().collect();
    let text = lines.join("\n");
    match text.trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}

#[cfg(test)]
mod tests;
