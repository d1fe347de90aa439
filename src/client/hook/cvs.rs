//! `loginfo` of CVS, which runs once for each directory of a commit. The directories are gathered
//! for a while, so that a commit is one change (HKN-02).

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::spool::Spool;
use crate::client::Failed;
use crate::model::{NewChange, Timestamp};

/// One directory of a commit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Piece {
    who: String,
    branch: Option<String>,
    comments: String,
    files: Vec<String>,
    /// Seconds since 1970.
    at: i64,
}

/// How long nothing of a commit may come until it is complete.
const QUIET: Duration = Duration::from_secs(5);

/// How often is looked whether something has come.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Keeps one directory of a commit. `words` are the directory and, three by three, the files with
/// their old and new revisions, as CVS 1.12 gives them for `%p %{sVv}`.
pub(super) fn keep(spool: &Spool, words: &[String], input: &str) -> Result<(), Failed> {
    let who = ["CVS_USER", "LOGNAME", "USER"].into_iter();
    let who = who
        .filter_map(|name| std::env::var(name).ok())
        .find(|who| !who.is_empty());
    let now = Utc::now();
    let who = who.unwrap_or_default();
    let piece = piece(words, input, who, now.timestamp())?;
    // CVS tells directories one after the other, often within a second: the names keep their order.
    let (at, unique) = (now.timestamp_micros(), rand::random::<u128>());
    let name = format!("{at:020}-{unique:032x}.json");
    let written = spool.write(&spool.pieces().join(name), &piece);
    written.map_err(|error| Failed::NotDone(format!("cannot keep the commit: {error}")))
}

fn piece(words: &[String], input: &str, who: String, at: i64) -> Result<Piece, Failed> {
    let (directory, files) = match words {
        // One word, as CVS 1.11 has it: the directory, and the files with commas.
        [all] => {
            let mut words = all.split(' ');
            let directory = words.next().unwrap_or_default();
            let files = words.filter_map(|file| file.split(',').next());
            (
                directory.to_owned(),
                files.map(str::to_owned).collect::<Vec<_>>(),
            )
        }
        [directory, files @ ..] => {
            let names = files.chunks(3).filter_map(|file| file.first().cloned());
            (directory.clone(), names.collect())
        }
        [] => {
            let usage = "loginfo calls it as `ALL buildbot hook cvs %p %{sVv}`";
            return Err(Failed::Usage(usage.to_owned()));
        }
    };
    let (head, message) = input.split_once("Log Message:\n").unwrap_or((input, ""));
    let mut tags = head
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Tag:"));
    let is_import = |file: &String| file != "-" && !file.is_empty();
    Ok(Piece {
        who,
        branch: tags.next().map(|tag| tag.trim().to_owned()),
        comments: message.trim_end().to_owned(),
        files: files
            .into_iter()
            .filter(is_import)
            .map(|file| format!("{directory}/{file}"))
            .collect(),
        at,
    })
}

/// Waits until the commits are complete, and makes changes of them. One process does after the
/// other.
pub(super) async fn gather(spool: &Spool) -> io::Result<Vec<NewChange>> {
    let _lock = spool.lock("gathering", true)?;
    let mut pieces = read(spool)?;
    while pieces.iter().any(|(_, piece)| !is_quiet(piece.at)) {
        sleep(BETWEEN_LOOKS).await;
        pieces = read(spool)?;
    }
    let changes = changes(pieces.iter().map(|(_, piece)| piece));
    for (path, _) in pieces {
        fs::remove_file(path)?;
    }
    Ok(changes)
}

fn is_quiet(at: i64) -> bool {
    let age = Utc::now().timestamp().saturating_sub(at);
    u64::try_from(age).is_ok_and(|age| age >= QUIET.as_secs())
}

fn read(spool: &Spool) -> io::Result<Vec<(PathBuf, Piece)>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(spool.pieces())? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut pieces = Vec::new();
    for path in paths {
        match serde_json::from_slice(&fs::read(&path)?) {
            Ok(piece) => pieces.push((path, piece)),
            Err(_) => fs::rename(&path, spool.pieces().with_file_name("damaged-piece"))?,
        }
    }
    Ok(pieces)
}

/// The changes of pieces, the oldest first: what has the same author, message and branch is one.
fn changes<'p>(pieces: impl Iterator<Item = &'p Piece>) -> Vec<NewChange> {
    let mut changes: Vec<NewChange> = Vec::new();
    for piece in pieces {
        let known = changes.iter_mut().find(|change| {
            change.who == piece.who
                && change.comments == piece.comments
                && change.branch == piece.branch
        });
        let at = Timestamp::from_secs(piece.at);
        match known {
            Some(change) => {
                change.files.extend(piece.files.iter().cloned());
                change.made_at = Some(at);
            }
            None => changes.push(NewChange {
                who: piece.who.clone(),
                branch: piece.branch.clone(),
                comments: piece.comments.clone(),
                files: piece.files.clone(),
                made_at: Some(at),
                ..NewChange::default()
            }),
        }
    }
    // CVS has no revision of a commit; the time of its last directory stands for it.
    for change in &mut changes {
        let time = change.made_at.unwrap_or_default();
        let time = chrono::DateTime::from_timestamp_micros(time.0).unwrap_or_default();
        change.revision = Some(time.format("%Y-%m-%d %H:%M:%S").to_string());
    }
    changes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::client::hook::place::Place;
    use crate::vc::Vc;

    #[test]
    fn hkn_02_the_directories_of_a_commit_are_one_change() {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let input =
            "Update of /cvs/src\n\nModified Files:\n  Tag: rel\n\ta b.c\nLog Message:\nfix\n";
        let of = |given: &[&str], input: &str, at| {
            piece(&words(given), input, "ann".to_owned(), at).unwrap()
        };
        let pieces = [
            of(
                &["src", "a b.c", "1.1", "1.2", "c", "NONE", "1.1"],
                input,
                100,
            ),
            of(&["src/lib x.c,1.1,1.2 y.c,1.2,NONE"], input, 102),
            of(&["src", "z", "1.1", "1.2"], "Log Message:\nother\n", 103),
        ];
        let changes = changes(pieces.iter());
        let [first, second] = changes.as_slice() else {
            panic!("{changes:?}")
        };
        assert_eq!(
            first.files,
            ["src/a b.c", "src/c", "src/lib/x.c", "src/lib/y.c"]
        );
        assert_eq!(
            (first.branch.as_deref(), first.comments.as_str()),
            (Some("rel"), "fix")
        );
        assert_eq!(first.revision.as_deref(), Some("1970-01-01 00:01:42"));
        assert_eq!((second.branch.as_deref(), second.files.len()), (None, 1));
        assert!(piece(&[], "", String::new(), 0).is_err());
    }

    #[test]
    fn hkn_02_directories_told_within_a_second_keep_their_order() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("CVSROOT")).unwrap();
        fs::write(root.path().join("CVSROOT/loginfo"), "").unwrap();
        let place = Place::of(Vc::Cvs, Some(root.path())).unwrap();
        let spool = Spool::open(&place).unwrap();
        let files: Vec<_> = (0..20).map(|n| format!("src/{n}")).collect();
        for n in 0..20 {
            let words = [format!("src {n},1.1,1.2")];
            keep(&spool, &words, "Log Message:\nfix\n").unwrap();
        }
        let pieces = read(&spool).unwrap();
        let told: Vec<_> = pieces.into_iter().flat_map(|(_, p)| p.files).collect();
        assert_eq!(told, files);
    }
}
