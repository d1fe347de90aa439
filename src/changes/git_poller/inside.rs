//! What is inside a change: the commits that came with it, and those that a merge brought (SRH-15).

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::mirror::Mirror;
use crate::changes::polling::{MIRRORS, PollError};
use crate::config::{ChangeSourceKind, Config, GitPollerConfig};

/// Most commits of a change that are looked through.
const MOST_COMMITS: usize = 1000;

/// The commits after a good one up to a bad one, where they are more than the bad one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Brought {
    /// The last good one, then the others, the bad one last.
    pub commits: Vec<String>,
    /// Whether the bad one is a merge that has brought those before it.
    pub is_merge: bool,
}

/// What lies between two commits of a repository that a GitPoller mirrors below `basedir`: along
/// the mainline, or, if the second follows the first there, what it has merged. Nothing if that is
/// unknown, or if there is nothing.
pub async fn brought(
    config: &Config,
    basedir: &Path,
    repository: &str,
    ends: (&str, &str),
) -> Option<Brought> {
    let (poller, source) = poller_of(config, repository)?;
    let mirrors = basedir.join(MIRRORS);
    let stop = CancellationToken::new();
    let found = async {
        let mirror = Mirror::new(poller, source, &mirrors, stop)?;
        between(&mirror, ends).await
    };
    found.await.unwrap_or_else(|why| {
        tracing::debug!(repository, "cannot look inside a change: {why}");
        None
    })
}

pub(super) async fn between(
    mirror: &Mirror,
    (good, bad): (&str, &str),
) -> Result<Option<Brought>, PollError> {
    if !is_id(good) || !is_id(bad) {
        return Ok(None);
    }
    let line = mirror.mainline(good, bad, MOST_COMMITS).await?;
    let (first, mut others, is_merge) = match line.as_slice() {
        [_, _, ..] => (good.to_owned(), line, false),
        _ => match mirror.parents(bad).await?.as_slice() {
            [first, second, ..] => {
                let mut merged = mirror.mainline(first, second, MOST_COMMITS).await?;
                if merged.is_empty() {
                    return Ok(None);
                }
                merged.push(bad.to_owned());
                (first.clone(), merged, true)
            }
            _ => return Ok(None),
        },
    };
    others.insert(0, first);
    let is_short = others.len() <= MOST_COMMITS;
    Ok(is_short.then_some(Brought {
        commits: others,
        is_merge,
    }))
}

/// The poller whose changes are of a repository.
fn poller_of<'c>(config: &'c Config, repository: &str) -> Option<(&'c GitPollerConfig, &'c str)> {
    let known = config.repository(repository).and_then(|known| known.url());
    config.change_sources.iter().find_map(|source| {
        #[expect(clippy::wildcard_enum_match_arm, reason = "only git has commits")]
        match &source.kind {
            ChangeSourceKind::Git(poller) => {
                let is_its = poller.poller.repository_at(&poller.repourl) == repository
                    || known == Some(poller.repourl.as_str());
                is_its.then_some((&**poller, source.name.as_str()))
            }
            _ => None,
        }
    })
}

/// Whether a revision is the whole id of a commit.
fn is_id(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}
