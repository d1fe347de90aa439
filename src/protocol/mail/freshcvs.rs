//! `freshcvs`: mails of FreshCVS.

use super::{Letter, Unfit, message};
use crate::model::NewChange;

/// Reads a commit. The sender is called `USER CVS`; what follows depends on the mail servers.
pub(super) fn read(letter: &Letter<'_>) -> Result<NewChange, Unfit> {
    let name = letter.name().unwrap_or_default();
    let Some((user, _)) = name.split_once(" CVS") else {
        return Err(Unfit::nothing("the sender is not FreshCVS"));
    };
    let mut lines = letter.lines().skip_while(|line| *line != "Modified files:");
    lines.next();
    let listed = lines.by_ref().take_while(|line| !line.is_empty());
    let first_word = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let files: Vec<_> = listed.filter_map(first_word).collect();
    if files.is_empty() {
        return Err(Unfit::nothing("the mail lists no files"));
    }
    let mut lines = lines.skip_while(|line| *line != "Log message:");
    lines.next();
    let is_message = |line: &&str| *line != "ViewCVS links:" && !line.starts_with("Index: ");
    Ok(NewChange {
        who: user.to_owned(),
        files,
        comments: message(lines.take_while(is_message)),
        ..NewChange::default()
    })
}
