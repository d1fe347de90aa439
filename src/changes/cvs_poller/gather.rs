//! Gathers revisions of files into commits. Pure.

use std::collections::BTreeMap;

use crate::vc::cvs::FileRevision;

/// The revisions of files that were committed together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Gathered {
    pub(super) author: String,
    pub(super) message: String,
    pub(super) branch: Option<String>,
    /// Times of its oldest and its newest revision, in seconds since 1970.
    pub(super) oldest: i64,
    pub(super) newest: i64,
    /// Files with their revisions.
    pub(super) files: Vec<(String, String)>,
}

/// The commits, oldest first. Revisions belong together if they have author, message and branch in
/// common, each is at most [`TOGETHER`] after the one before, and no file is there twice. Commits
/// that may still be going on at the time `now` are left out.
pub(super) fn gather(mut revisions: Vec<FileRevision>, now: i64) -> Vec<Gathered> {
    revisions.sort_by(|a, b| (a.date, &a.file, &a.revision).cmp(&(b.date, &b.file, &b.revision)));
    let mut open: BTreeMap<(String, String, Option<String>, Option<String>), Gathered> =
        BTreeMap::new();
    let mut complete = Vec::new();
    for revision in revisions {
        let FileRevision {
            file,
            revision,
            branch,
            date,
            author,
            commit,
            message,
        } = revision;
        let key = (author, message, branch, commit);
        let belongs = open.get(&key).is_some_and(|commit| {
            date - commit.newest <= TOGETHER && !commit.files.iter().any(|(f, _)| *f == file)
        });
        if !belongs {
            complete.extend(open.remove(&key));
        }
        let (author, message, branch, _) = key.clone();
        let commit = open.entry(key).or_insert_with(|| Gathered {
            author,
            message,
            branch,
            oldest: date,
            ..Gathered::default()
        });
        commit.newest = date;
        commit.files.push((file, revision));
    }
    complete.extend(open.into_values());
    // A clock that is wrong by more than this says nothing about what is going on.
    let may_go_on = |commit: &Gathered| (commit.newest - now).abs() < SETTLED;
    complete.retain(|commit| !may_go_on(commit));
    complete.sort_by(|a, b| (a.newest, &a.files).cmp(&(b.newest, &b.files)));
    complete
}

/// Seconds between two revisions of one commit.
const TOGETHER: i64 = 180;
/// Seconds after which a commit has ended.
const SETTLED: i64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(file: &str, date: i64, message: &str) -> FileRevision {
        FileRevision {
            file: file.to_owned(),
            revision: "1.1".to_owned(),
            date,
            author: "me".to_owned(),
            message: message.to_owned(),
            ..FileRevision::default()
        }
    }

    fn shown(revisions: Vec<FileRevision>) -> Vec<String> {
        let commits = gather(revisions, 10_000).into_iter();
        let files = |commit: &Gathered| {
            let files: Vec<_> = commit.files.iter().map(|(file, _)| file.as_str()).collect();
            files.join(",")
        };
        commits
            .map(|commit| format!("{} {}", commit.message, files(&commit)))
            .collect()
    }

    #[test]
    fn pol_12_revisions_of_one_commit_are_one_change() {
        let revisions = vec![
            revision("b", 179, "one"),
            revision("a", 0, "one"),
            revision("c", 100, "two"),
            // Three minutes after the last one, and one second more.
            revision("d", 359, "one"),
            revision("e", 540, "one"),
        ];
        assert_eq!(shown(revisions), ["two c", "one a,b,d", "one e"]);
    }

    #[test]
    fn pol_12_two_revisions_of_a_file_are_two_changes() {
        let revisions = vec![revision("a", 0, "fix"), revision("a", 9, "fix")];
        assert_eq!(shown(revisions), ["fix a", "fix a"]);
    }

    #[test]
    fn pol_12_a_commit_that_may_go_on_waits() {
        let at = |date| shown(vec![revision("a", date, "one")]).len();
        assert_eq!([at(9_995), at(9_996), at(10_004), at(10_005)], [1, 0, 0, 1]);
        // The server's clock is years ahead.
        assert_eq!(at(10_000_000), 1);
    }
}
