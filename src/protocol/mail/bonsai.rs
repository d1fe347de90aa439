//! `bonsai`: mails of Bonsai's script for CVS, one for each directory of a commit.

use super::{Letter, Unfit, message};
use crate::model::{NewChange, Timestamp};

/// Reads a commit. A line such as `C|1071099907|joe|/cvs|dir|file|1.2||BRANCH|18|7` is a file.
pub(super) fn read(letter: &Letter<'_>) -> Result<NewChange, Unfit> {
    let mut who = "unknown";
    let (mut made_at, mut branch) = (None, None);
    let mut files = Vec::new();
    let mut lines = letter.lines();
    for line in lines.by_ref() {
        if line == "LOGCOMMENT" {
            break;
        }
        if line.is_empty() {
            continue;
        }
        let items: Vec<_> = line.split('|').collect();
        let [_, time, user, _, module, file, rest @ ..] = items.as_slice() else {
            return Err(Unfit::nothing("a line before LOGCOMMENT is not a file"));
        };
        made_at = time.parse().ok().or(made_at);
        if !user.is_empty() {
            who = user;
        }
        if !module.is_empty() && !file.is_empty() {
            files.push(format!("{module}/{file}"));
        }
        let named = rest.get(2).filter(|branch| !branch.is_empty());
        branch = named.map(|branch| (*branch).to_owned()).or(branch);
    }
    if files.is_empty() {
        return Err(Unfit::nothing("the mail lists no files"));
    }
    Ok(NewChange {
        who: who.to_owned(),
        files,
        branch,
        made_at: made_at.map(Timestamp::from_secs),
        comments: message(lines.take_while(|line| *line != ":ENDLOGCOMMENT")),
        ..NewChange::default()
    })
}
