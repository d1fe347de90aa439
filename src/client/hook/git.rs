//! `post-receive` of Git: what was pushed comes on the standard input.

use std::collections::BTreeMap;

use super::{Found, MOST_COMMITS, Place, Settings, text};
use crate::client::Failed;
use crate::client::vc::run::{Answer, MAX_ANSWER_BYTES, Runner};
use crate::model::{NewChange, Timestamp};
use crate::protocol::change::{MAX_COMMENTS_BYTES, MAX_NAME_BYTES, MOST_FILES};
use crate::text::Encoding;
use crate::vc::git::{Commit, LOG, LogLimits, LogReader, is_whole_hash, parse_walk, walk, wanted};

/// A reference that was moved.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Moved {
    /// Absent: it is new.
    old: Option<String>,
    /// Absent: it was deleted.
    new: Option<String>,
    name: String,
}

/// Runs Git in the repository.
#[derive(Debug)]
struct Git {
    runner: Runner,
    /// Names the repository, whatever the environment of the hook says of it.
    option: String,
    /// That of messages and names which are not UTF-8.
    encoding: Encoding,
}

/// Commits that are read at once.
const BATCH: usize = 500;

/// Most bytes of the log of a batch.
const MOST_LOG_BYTES: usize = 512 * 1024 * 1024;

/// What to do when Git fails.
const REMEDY: &str = "the changes of this push are not sent";

impl Git {
    fn words<A: AsRef<str>>(&self, words: &[A]) -> Vec<String> {
        let words = words.iter().map(|word| word.as_ref().to_owned());
        std::iter::once(self.option.clone()).chain(words).collect()
    }

    async fn run(&self, words: &[&str]) -> Result<Answer, Failed> {
        Ok(self
            .runner
            .run(&self.words(words), MAX_ANSWER_BYTES)
            .await?)
    }

    async fn output<A: AsRef<str>>(
        &self,
        words: &[A],
        input: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, Failed> {
        let words = self.words(words);
        Ok(self.runner.output_of(&words, input, limit, REMEDY).await?)
    }
}

/// The changes of a push, in the order of the references.
pub(super) async fn changes(
    place: &Place,
    pushed: &[u8],
    settings: &Settings,
) -> Result<Found, Failed> {
    let run = Git {
        runner: Runner::new(place.inner(), &["git"]),
        option: format!("--git-dir={}", place.inner().display()),
        encoding: settings.encoding(),
    };
    let moved = parse(pushed);
    let known = known(&run, &moved).await?;
    let mut found = Found::default();
    for moved in &moved {
        let name = &moved.name;
        let Some(new) = &moved.new else {
            found.notes.push(format!("{name} was deleted"));
            continue;
        };
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            let changes = of_branch(&run, branch, moved.old.as_deref(), new, &known).await?;
            if changes.is_empty() {
                let note = format!("{branch} was moved back; there is nothing new to build");
                found.notes.push(note);
            }
            found.changes.extend(changes);
        } else if name.starts_with("refs/tags/") && settings.tags {
            found.changes.extend(of_tag(&run, name, new).await?);
        }
    }
    Ok(found)
}

/// Reads the lines `OLD NEW NAME`.
fn parse(pushed: &[u8]) -> Vec<Moved> {
    let lines = pushed.split(|byte| *byte == b'\n');
    let moved = lines.filter_map(|line| {
        let line = text(line, Encoding::default());
        let mut words = line.splitn(3, ' ');
        let (old, new, name) = (words.next()?, words.next()?, words.next()?);
        let hash = |word: &str| {
            let is_some = !word.bytes().all(|byte| byte == b'0');
            is_some.then(|| word.to_owned())
        };
        let is_moved = is_whole_hash(old) && is_whole_hash(new);
        is_moved.then(|| Moved {
            old: hash(old),
            new: hash(new),
            name: name.to_owned(),
        })
    });
    moved.collect()
}

/// The tips of all branches before the push.
async fn known(run: &Git, moved: &[Moved]) -> Result<Vec<String>, Failed> {
    let list = [
        "for-each-ref",
        "--format=%(objectname) %(refname)",
        "refs/heads",
    ];
    let listed = run.output(&list, &[], MAX_ANSWER_BYTES).await?;
    let listed = text(&listed, Encoding::default());
    let tips = listed.lines().filter_map(|line| line.split_once(' '));
    let mut tips: BTreeMap<&str, &str> = tips.map(|(tip, name)| (name, tip)).collect();
    for moved in moved {
        tips.remove(moved.name.as_str());
    }
    let before = moved.iter().filter_map(|moved| moved.old.as_deref());
    Ok(tips
        .into_values()
        .chain(before)
        .map(str::to_owned)
        .collect())
}

/// The new commits of a branch, parents before children. A new branch at a commit that is known is
/// news of that commit.
async fn of_branch(
    run: &Git,
    branch: &str,
    old: Option<&str>,
    new: &str,
    known: &[String],
) -> Result<Vec<NewChange>, Failed> {
    let input = match old {
        Some(old) => wanted(new, [old]),
        None => wanted(new, known.iter().map(String::as_str)),
    };
    let walked = walk(MOST_COMMITS, false);
    let walked = run
        .output(&walked, input.as_bytes(), MAX_ANSWER_BYTES)
        .await?;
    let nodes = parse_walk(&walked).map_err(Failed::NotDone)?;
    let mut ids: Vec<_> = nodes.into_iter().rev().map(|node| node.id).collect();
    if ids.is_empty() && old.is_none() {
        ids.push(new.to_owned());
    }
    let is_forced = match old {
        Some(old) if !ids.is_empty() => !is_ancestor(run, old, new).await?,
        _ => false,
    };
    let mut changes = Vec::new();
    for batch in ids.chunks(BATCH) {
        for commit in log(run, batch).await? {
            let mut change = change_of(commit, run.encoding);
            change.branch = Some(branch.to_owned());
            if is_forced {
                change.properties.set("forced", true, "Change");
            }
            changes.push(change);
        }
    }
    Ok(changes)
}

/// The commit of a tag.
async fn of_tag(run: &Git, name: &str, new: &str) -> Result<Vec<NewChange>, Failed> {
    let peeled = format!("{new}^{{commit}}");
    let commit = run.run(&["rev-parse", "--verify", "-q", &peeled]).await?;
    let id = text(&commit.stdout, Encoding::default()).trim().to_owned();
    if !is_whole_hash(&id) {
        // A tag of something that is not a commit.
        return Ok(Vec::new());
    }
    let commits = log(run, &[id]).await?.into_iter();
    let changes = commits.map(|commit| NewChange {
        branch: Some(name.to_owned()),
        category: Some("tag".to_owned()),
        ..change_of(commit, run.encoding)
    });
    Ok(changes.collect())
}

async fn is_ancestor(run: &Git, old: &str, new: &str) -> Result<bool, Failed> {
    let asked = ["merge-base", "--is-ancestor", old, new];
    let answer = run.run(&asked).await?;
    Ok(answer.code == Some(0))
}

async fn log(run: &Git, ids: &[String]) -> Result<Vec<Commit>, Failed> {
    let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let printed = run.output(&LOG, input.as_bytes(), MOST_LOG_BYTES).await?;
    let limits = LogLimits {
        name: MAX_NAME_BYTES,
        message: MAX_COMMENTS_BYTES,
        files: MOST_FILES,
        total: MOST_LOG_BYTES,
    };
    let mut reader = LogReader::new(ids, limits);
    reader.feed(&printed);
    Ok(reader.finish())
}

fn change_of(commit: Commit, encoding: Encoding) -> NewChange {
    let text = |bytes: &[u8]| text(bytes, encoding);
    let (author, email) = (text(&commit.author), text(&commit.email));
    NewChange {
        who: format!("{author} <{email}>"),
        files: commit.files.iter().map(|file| text(file)).collect(),
        files_left_out: commit.files_left_out,
        comments: text(&commit.message).trim_end().to_owned(),
        revision: Some(commit.id),
        made_at: commit.committed_at.map(Timestamp::from_secs),
        ..NewChange::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkn_02_new_moved_and_deleted_references_are_told_apart() {
        let (old, new, none) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
        let pushed = format!(
            "{old} {new} refs/heads/a b\n{none} {new} refs/tags/v1\n{old} {none} refs/heads/x\nnonsense\n"
        );
        let moved = |old: Option<&String>, new: Option<&String>, name: &str| Moved {
            old: old.cloned(),
            new: new.cloned(),
            name: name.to_owned(),
        };
        let expected = [
            moved(Some(&old), Some(&new), "refs/heads/a b"),
            moved(None, Some(&new), "refs/tags/v1"),
            moved(Some(&old), None, "refs/heads/x"),
        ];
        assert_eq!(parse(pushed.as_bytes()), expected);
    }
}
