//! `changegroup`, `incoming` and `commit` of Mercurial: the revisions are in the environment.

use std::path::Path;

use super::{Found, MOST_COMMITS, text};
use crate::client::Failed;
use crate::client::vc::run::{MAX_ANSWER_BYTES, Runner};
use crate::model::{NewChange, Timestamp};
use crate::text::Encoding;

/// What is printed of a revision: texts that end with NUL, the last one empty.
const TEMPLATE: &str =
    "{node}\\0{branch}\\0{author}\\0{date|hgdate}\\0{desc}\\0{files % '{file}\\0'}\\0";

/// What to do when Mercurial fails.
const REMEDY: &str = "the changes of this push are not sent";

/// The changes of a group of revisions.
pub(super) async fn changes(dir: &Path, encoding: Encoding) -> Result<Found, Failed> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| is_node(value));
    let Some(first) = variable("HG_NODE") else {
        let usage = "Mercurial calls it as a hook, with the revision in HG_NODE";
        return Err(Failed::Usage(usage.to_owned()));
    };
    let last = variable("HG_NODE_LAST");
    let is_group = std::env::var("HG_HOOKTYPE").is_ok_and(|kind| kind == "changegroup");
    let set = match last {
        Some(last) => format!("{first}:{last}"),
        None if is_group => format!("{first}:tip"),
        None => first,
    };
    let most = MOST_COMMITS.to_string();
    // The newest ones, the oldest first.
    let set = format!("last({set}, {most})");
    let words = ["log", "-r", &set, "--template", TEMPLATE];
    let run = Runner::new(dir, &["hg"]);
    let printed = run.output(&words, MAX_ANSWER_BYTES, REMEDY).await?;
    Ok(Found {
        changes: parse(&printed, encoding),
        notes: Vec::new(),
    })
}

fn is_node(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn parse(printed: &[u8], encoding: Encoding) -> Vec<NewChange> {
    let mut changes = Vec::new();
    let texts = printed.split(|byte| *byte == 0);
    let mut texts = texts.map(|bytes| text(bytes, encoding));
    while let Some(node) = texts.next().filter(|node| is_node(node)) {
        let mut next = || texts.next().unwrap_or_default();
        let (branch, who, date, comments) = (next(), next(), next(), next());
        let files = texts.by_ref().take_while(|file| !file.is_empty());
        // Seconds since 1970 and the zone.
        let made_at = date
            .split(' ')
            .next()
            .and_then(|seconds| seconds.parse().ok());
        changes.push(NewChange {
            who,
            files: files.collect(),
            comments,
            revision: Some(node),
            branch: Some(branch),
            made_at: made_at.map(Timestamp::from_secs),
            ..NewChange::default()
        });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkn_02_revisions_of_mercurial_are_read() {
        let printed = b"aa\0default\0Ann <a@h>\x001281522340 -7200\0fix\nit\0a b\0c\0\0\
                        bb\0rel\0Bob\x000 0\0\0\0";
        let changes = parse(printed, Encoding::default());
        let [first, second] = changes.as_slice() else {
            panic!("{changes:?}")
        };
        assert_eq!(
            (first.who.as_str(), first.comments.as_str()),
            ("Ann <a@h>", "fix\nit")
        );
        assert_eq!(first.files, ["a b", "c"]);
        assert_eq!(first.made_at, Some(Timestamp::from_secs(1_281_522_340)));
        assert_eq!(second.branch.as_deref(), Some("rel"));
        assert_eq!(
            (second.revision.as_deref(), second.files.len()),
            (Some("bb"), 0)
        );
    }
}
