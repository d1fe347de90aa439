//! `syncmail`: mails of SourceForge's `syncmail`, one for each directory of a commit.

use super::{Letter, Unfit, message};
use crate::model::NewChange;

/// Reads a commit. The subject begins with the directory.
pub(super) fn read(letter: &Letter<'_>) -> Result<NewChange, Unfit> {
    let Some(user) = letter.user() else {
        return Err(Unfit::nothing("the mail has no sender"));
    };
    let directory = letter.subject().split(' ').next().unwrap_or_default();
    let mut files = Vec::new();
    let mut branch = None;
    let mut in_list = false;
    let mut lines = letter.lines();
    for line in lines.by_ref() {
        if line == "Log Message:" {
            break;
        }
        if ["Modified Files:", "Added Files:", "Removed Files:"].contains(&line) {
            in_list = true;
        } else if in_list && line.trim_start().starts_with("Tag:") {
            branch = line.split_whitespace().next_back().map(str::to_owned);
        } else if in_list {
            let names = line.split_whitespace();
            files.extend(names.map(|name| format!("{directory}/{name}")));
        }
    }
    if files.is_empty() {
        return Err(Unfit::nothing("the mail lists no files"));
    }
    let is_message = |line: &&str| {
        let is_diff = line.starts_with("Index: ") || line.starts_with("--- NEW FILE");
        !is_diff && !line.ends_with(" DELETED ---")
    };
    Ok(NewChange {
        who: user.to_owned(),
        files,
        branch,
        comments: message(lines.take_while(is_message)),
        ..NewChange::default()
    })
}
