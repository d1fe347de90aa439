//! `post-commit REPOS REV` of Subversion.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Found, Layout, Settings, text};
use crate::client::Failed;
use crate::client::vc::run::{MAX_ANSWER_BYTES, Runner};
use crate::model::{NewChange, Timestamp};

/// What to do when Subversion fails.
const REMEDY: &str = "the changes of this commit are not sent";

/// The changes of a revision: one for each branch.
pub(super) async fn changes(
    dir: &Path,
    words: &[String],
    settings: &Settings,
) -> Result<Found, Failed> {
    // A hook of 1.8 and later has the name of the transaction behind the revision.
    let [_repository, revision, ..] = words else {
        let usage = "post-commit calls it as `buildbot hook svn \"$1\" \"$2\"`";
        return Err(Failed::Usage(usage.to_owned()));
    };
    if revision.is_empty() || !revision.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failed::Usage(format!("{revision:?} is not a revision")));
    }
    let run = Runner::new(dir, &["svnlook"]);
    let info = ["info", "-r", revision, "."];
    let info = run.output(&info, MAX_ANSWER_BYTES, REMEDY).await?;
    let changed = ["changed", "-r", revision, "."];
    let changed = run.output(&changed, MAX_ANSWER_BYTES, REMEDY).await?;
    let commit = commit(&text(&info, settings.encoding()), revision);
    let changes = by_branch(&text(&changed, settings.encoding()), settings.layout).into_iter();
    let changes = changes.map(|(branch, files)| NewChange {
        branch,
        files,
        ..commit.clone()
    });
    let notes = Vec::new();
    let changes = changes.collect();
    Ok(Found { changes, notes })
}

/// Reads what `svnlook info` prints: author, date, size of the message, message.
fn commit(info: &str, revision: &str) -> NewChange {
    let mut lines = info.splitn(4, '\n');
    let who = lines.next().unwrap_or_default().to_owned();
    let made_at = lines.next().and_then(date);
    let _size = lines.next();
    let comments = lines.next().unwrap_or_default().trim_end().to_owned();
    NewChange {
        who,
        comments,
        made_at,
        revision: Some(revision.to_owned()),
        ..NewChange::default()
    }
}

/// A time such as `2010-08-11 10:25:40 +0000 (Wed, 11 Aug 2010)`.
fn date(line: &str) -> Option<Timestamp> {
    let line = line.split(" (").next()?;
    let time = chrono::DateTime::parse_from_str(line, "%Y-%m-%d %H:%M:%S %z").ok()?;
    Some(Timestamp::from_secs(time.timestamp()))
}

/// The files of each branch. A branch whose directory alone was removed has nothing to build.
fn by_branch(changed: &str, layout: Layout) -> BTreeMap<Option<String>, Vec<String>> {
    let mut branches: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
    for line in changed.lines() {
        let (Some(status), Some(path)) = (line.get(..1), line.get(4..)) else {
            continue;
        };
        let (branch, file) = match layout {
            Layout::None => (None, path),
            Layout::Standard => match split(path) {
                Some((_, "")) if status == "D" => continue,
                Some((branch, file)) => (branch, file),
                None => continue,
            },
        };
        let files = branches.entry(branch).or_default();
        if !file.is_empty() {
            files.push(file.to_owned());
        }
    }
    branches
}

/// The branch of a path, and the path in it; absent: the path is in no branch.
fn split(path: &str) -> Option<(Option<String>, &str)> {
    if let Some(file) = path.strip_prefix("trunk/") {
        return Some((None, file));
    }
    let rest = path.strip_prefix("branches/")?;
    let (name, file) = rest.split_once('/')?;
    Some((Some(format!("branches/{name}")), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkn_02_a_revision_is_a_change_of_each_of_its_branches() {
        let changed = "U   trunk/a b.c\nA   branches/rel/\nUU  branches/rel/x/y\nD   branches/old/\n\
                       U   tags/1/z\n";
        let found = by_branch(changed, Layout::Standard);
        let owned = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect();
        let expected: BTreeMap<Option<String>, Vec<String>> = BTreeMap::from([
            (None, owned(&["a b.c"])),
            (Some("branches/rel".to_owned()), owned(&["x/y"])),
        ]);
        assert_eq!(found, expected);
        let all = by_branch("U   trunk/a\nD   tags/1/\n", Layout::None);
        assert_eq!(
            all,
            BTreeMap::from([(None, owned(&["trunk/a", "tags/1/"]))])
        );
    }

    #[test]
    fn tim_01_the_time_of_a_commit_is_only_shown() {
        let info = "ann\n2010-08-11 12:25:40 +0200 (Wed, 11 Aug 2010)\n4\nfix\nit\n";
        let change = commit(info, "7");
        assert_eq!(
            (change.who.as_str(), change.comments.as_str()),
            ("ann", "fix\nit")
        );
        assert_eq!(change.made_at, Some(Timestamp::from_secs(1_281_522_340)));
        assert_eq!(change.when, None);
    }
}
