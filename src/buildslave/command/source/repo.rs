//! What `repo` runs: a tree of many git trees. Pure.

use bytes::Bytes;

use super::plan::{Parse, Plan, Run, Wish, above, inside};
use crate::pb::Failure;

/// The plan of the command.
///
/// # Errors
/// The arguments are invalid.
pub(super) fn plan(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let url = wish.place("manifest_url")?;
    let branch = wish.name("manifest_branch")?;
    let branch = branch.unwrap_or(Bytes::from_static(b"master"));
    let file = wish.name("manifest_file")?;
    let file = file.unwrap_or(Bytes::from_static(b"default.xml"));
    let clean = Run {
        may_fail: true,
        ..script(CLEAN).with([&branch, &file])
    };
    let mut sync = inside(&[b"repo", b"sync"]);
    if let Some(jobs) = wish.text("jobs")? {
        sync = sync.with([&Bytes::from([b"-j", &jobs[..]].concat())]);
    }
    let mut update = vec![clean.clone()];
    if let Some(other) = wish.name("manifest_override_url")? {
        update.push(script(OVERRIDE).with([&other]));
    }
    update.push(sync);
    let tarball = wish.name("tarball")?;
    if let Some(tarball) = &tarball {
        update.push(script(PACK).with([tarball]));
    }
    update.push(Run {
        may_fail: true,
        ..inside(&[b"repo", b"manifest", b"-r", b"-o", b"manifest-original.xml"])
    });
    let mut full = vec![above(&[b"mkdir", b"-p"]).with([&wish.tree])];
    if let Some(tarball) = &tarball {
        full.extend([script(UNPACK).with([tarball]), clean]);
    }
    full.push(inside(&[b"rm", b"-f", b".repo/project.list"]));
    full.push(inside(&[
        b"repo", b"init", b"-u", &url, b"-b", &branch, b"-m", &file,
    ]));
    full.extend(update.iter().cloned());
    let mut added = Vec::new();
    for download in wish.texts("repo_downloads")? {
        let words = download.split(|byte| *byte == b' ');
        let words: Vec<_> = words.map(Bytes::copy_from_slice).collect();
        if words
            .iter()
            .any(|word| word.is_empty() || word.starts_with(b"-"))
        {
            return Err(wish.args.wrong("repo_downloads", "projects and changes"));
        }
        let run = inside(&[b"repo", b"download"]).with(&words);
        added.push((run, downloaded as Parse));
    }
    Ok(Plan {
        mark: ".repo",
        source: [&url[..], b" ", &file[..], b"\n"].concat(),
        may_update: true,
        before: Vec::new(),
        update,
        full,
        revision: None,
        added,
    })
}

/// A script of the shell in the tree, which gets further words as arguments.
fn script(text: &'static [u8]) -> Run {
    inside(&[b"sh", b"-c", text, b"sh"])
}

/// Brings the manifests and the trees back to what they were: `repo` stops at a manifest that was
/// changed.
const CLEAN: &[u8] = b"if test -d .repo/manifests; then \
    (cd .repo/manifests && git fetch origin && git reset --hard \"remotes/origin/$1\" && \
    git config branch.default.merge \"$1\"); ln -sf \"manifests/$2\" .repo/manifest.xml; fi; \
    repo forall -c rm -f .git/index.lock; repo forall -c git clean -f -d -x; \
    repo forall -c git reset --hard HEAD";

/// Takes another manifest: a file of the tree, or an address.
const OVERRIDE: &[u8] = b"if test -e \"$1\"; then cp -f \"$1\" manifest_override.xml; \
    else wget \"$1\" -O manifest_override.xml; fi && \
    ln -sf ../manifest_override.xml .repo/manifest.xml";

const UNPACK: &[u8] = b"test ! -e \"$1\" || tar -xzf \"$1\"";
const PACK: &[u8] = b"test -e \"$1\" || tar -czf \"$1\" .repo";

/// A change with its patch set, and the revision that came of it: `12/3 1a2b3c`.
fn downloaded(printed: &str) -> Option<String> {
    let change = printed.lines().find_map(|line| {
        let reference = line.trim_end().strip_suffix(" -> FETCH_HEAD")?;
        let (_, change) = reference.rsplit_once("refs/changes/")?;
        Some(change.trim().split_once('/')?.1.to_owned())
    })?;
    let head = printed.lines().find_map(|line| {
        let head = line.strip_prefix("HEAD is now at ")?;
        head.split([' ', '.']).next()
    })?;
    Some(format!("{change} {head}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_downloaded_is_found_in_the_words_of_git() {
        let printed = "From https://example.org/project\n \
            * branch            refs/changes/34/1234/5 -> FETCH_HEAD\n\
            HEAD is now at 1a2b3c4... Mend it\n";
        assert_eq!(downloaded(printed).as_deref(), Some("1234/5 1a2b3c4"));
        assert_eq!(downloaded("HEAD is now at 1a2b3c4 Mend it\n"), None);
    }
}
