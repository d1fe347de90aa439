//! The copy of a repository of git that the pollers of this repository share: bare, without file
//! contents where the server can leave them out (POL-08).
//!
//! The mirror may be deleted at any time; the next poll makes a new one. Each poller keeps the
//! commits that it follows under names of its own, so that two pollers do not disturb each other.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::access;
use super::decide::Work;
use crate::changes::polling::{
    LONGEST_MESSAGE, LONGEST_NAME, MOST_FILES, PollError, Tool, digest, mirror_dir,
};
use crate::config::GitPollerConfig;
use crate::process::Sink;
use crate::vc::git::{self, Commit, LogLimits, LogReader, Node};

/// Runs git for one poller.
#[derive(Debug)]
pub(super) struct Mirror {
    url: String,
    dir: PathBuf,
    /// Where this poller's references are: `refs/pollers/NAME`.
    space: String,
    /// For commands that talk to the server.
    remote: Tool,
    /// For commands in the mirror.
    local: Tool,
    fetches: u64,
}

impl Mirror {
    /// The mirror of the repository of `config`, below the directory `mirrors`.
    ///
    /// # Errors
    /// The password cannot be read.
    pub(super) fn new(
        config: &GitPollerConfig,
        source: &str,
        mirrors: &Path,
        stop: CancellationToken,
    ) -> Result<Self, PollError> {
        let mut local = Tool::new(&config.git, config.poller.timeout, stop);
        local.set("GIT_TERMINAL_PROMPT", "0");
        local.set("GIT_NO_REPLACE_OBJECTS", "1");
        // What is not in the mirror is not there. A fetch from a plain web server would otherwise
        // ask the server for each object by another fetch, which does the same.
        local.set("GIT_NO_LAZY_FETCH", "1");
        let dir = mirror_dir(mirrors, &config.repourl, "git")?;
        let mut remote = local.clone();
        access::prepare(&mut remote, config, &dir)?;
        Ok(Self {
            url: config.repourl.clone(),
            space: format!("refs/pollers/{}", digest(source.as_bytes(), 8)),
            dir,
            remote,
            local,
            fetches: 0,
        })
    }

    /// What the server lists.
    pub(super) async fn list(&self, tags: bool, others: bool) -> Result<Vec<u8>, PollError> {
        let words = git::list_refs(&self.url, true, tags, others);
        self.remote.output(words, None, MOST_LISTED).await
    }

    /// Fetches references, all in one.
    pub(super) async fn fetch(&mut self, names: &[&str]) -> Result<(), PollError> {
        self.make().await?;
        let mut specs = Vec::new();
        for name in names {
            // Names of branches may be directories of others; digests are not.
            let own = format!("{}/{}", self.space, digest(name.as_bytes(), 16));
            specs.push(b'+');
            specs.extend(git::unspell(name));
            specs.extend(format!(":{own}\n").bytes());
        }
        let words = [
            "-c",
            "gc.auto=0",
            "-c",
            "maintenance.auto=false",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--filter=blob:none",
            "--stdin",
            "--",
            &self.url,
        ];
        self.remote
            .output(self.words(&words), Some(&specs), MOST_SAID)
            .await?;
        self.fetches += 1;
        if self.fetches.is_multiple_of(FETCHES_A_CLEANING) {
            let words = self.words(&["-c", "gc.autoDetach=false", "gc", "--auto", "--quiet"]);
            self.local.output(words, None, MOST_SAID).await?;
        }
        Ok(())
    }

    /// Forgets the references of this poller with these names.
    pub(super) async fn forget(&self, names: &[&str]) -> Result<(), PollError> {
        self.make().await?;
        let mut orders = String::new();
        for name in names {
            let own = digest(name.as_bytes(), 16);
            orders.push_str(&format!("delete {}/{own}\n", self.space));
        }
        let words = self.words(&["update-ref", "--stdin"]);
        self.local
            .output(words, Some(orders.as_bytes()), MOST_SAID)
            .await?;
        Ok(())
    }

    /// Those of `ids` that are commits of the mirror.
    pub(super) async fn known(&self, ids: &BTreeSet<&str>) -> Result<BTreeSet<String>, PollError> {
        let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let words = self.words(&["cat-file", "--batch-check=%(objectname) %(objecttype)"]);
        let printed = self
            .local
            .output(words, Some(input.as_bytes()), MOST_LISTED)
            .await?;
        let printed = String::from_utf8_lossy(&printed);
        let known = printed
            .lines()
            .filter_map(|line| line.strip_suffix(" commit"));
        Ok(known.map(str::to_owned).collect())
    }

    /// The whole id of a commit that is abbreviated, if the mirror has it.
    pub(super) async fn whole_id(&self, id: &str) -> Result<String, PollError> {
        let peeled = format!("{id}^{{commit}}");
        let printed = self
            .local
            .output(self.words(&git::resolve(&peeled)), None, MOST_SAID)
            .await?;
        Ok(String::from_utf8_lossy(&printed).trim().to_owned())
    }

    /// At most `most` commits that are reachable from `tip` and from none of `known`.
    pub(super) async fn walk(
        &self,
        tip: &str,
        known: &BTreeSet<&str>,
        first_parent: bool,
        most: u64,
    ) -> Result<Vec<Node>, PollError> {
        let input = git::wanted(tip, known.iter().copied());
        let words = git::walk(most, first_parent);
        let words = self.words(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let printed = self
            .local
            .output(words, Some(input.as_bytes()), MOST_LISTED)
            .await?;
        git::parse_walk(&printed).map_err(PollError::new)
    }

    /// The commits from which one has come along its first parents, after another, the oldest
    /// first: `bad` is the last of them. Of more than `most`, one more than that.
    pub(super) async fn mainline(
        &self,
        good: &str,
        bad: &str,
        most: usize,
    ) -> Result<Vec<String>, PollError> {
        let count = format!("--max-count={}", most.saturating_add(1));
        let range = format!("{good}..{bad}");
        let words = [
            "rev-list",
            "--first-parent",
            "--reverse",
            &count,
            &range,
            "--",
        ];
        let printed = self
            .local
            .output(self.words(&words), None, MOST_LISTED)
            .await?;
        Ok(words_of(&printed))
    }

    /// The parents of a commit.
    pub(super) async fn parents(&self, id: &str) -> Result<Vec<String>, PollError> {
        let words = ["rev-list", "--parents", "--max-count=1", id, "--"];
        let printed = self
            .local
            .output(self.words(&words), None, MOST_SAID)
            .await?;
        let mut parents = words_of(&printed);
        parents.drain(..parents.len().min(1));
        Ok(parents)
    }

    /// The number of commits that are reachable from `tip` and from none of `known`.
    pub(super) async fn count(
        &self,
        tip: &str,
        known: &BTreeSet<&str>,
        first_parent: bool,
    ) -> Result<u64, PollError> {
        let input = git::wanted(tip, known.iter().copied());
        let words = git::count(first_parent);
        let words = self.words(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let printed = self
            .local
            .output(words, Some(input.as_bytes()), MOST_SAID)
            .await?;
        let text = String::from_utf8_lossy(&printed);
        let wrong = |_| PollError::new(format!("git printed {text:?}"));
        text.trim().parse().map_err(wrong)
    }

    /// Whether a commit is in the history of a fetched reference, whatever the dates of the commits
    /// are. `rev-list` is wrong about that where clocks were wrong.
    pub(super) async fn contains(&self, name: &str, id: &str) -> Result<bool, PollError> {
        let own = format!("{}/{}", self.space, digest(name.as_bytes(), 16));
        let contains = format!("--contains={id}");
        let words = self.words(&["for-each-ref", "--format=x", &contains, &own]);
        Ok(!self.local.output(words, None, MOST_SAID).await?.is_empty())
    }

    /// What the first of these commits say: at least one, and as many as fit into bounded memory.
    pub(super) async fn log(&self, ids: &[String]) -> Result<Vec<Commit>, PollError> {
        let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let mut reading = Reading(LogReader::new(ids, LOG_LIMITS));
        let words = self.words(&git::LOG);
        self.local
            .run(words, Some(input.as_bytes()), &mut reading, true)
            .await?;
        let commits = reading.0.finish();
        if commits.is_empty() && !ids.is_empty() {
            return Err(PollError::new("git log printed no commit"));
        }
        Ok(commits)
    }

    /// The commits of `work` that the log needs, each once.
    pub(super) fn ids<'w>(work: impl Iterator<Item = &'w Work>, most: usize) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let all = work.flat_map(|work| &work.commits).take(most);
        all.filter(|picked| seen.insert(picked.id.as_str()))
            .map(|picked| picked.id.clone())
            .collect()
    }

    /// The file at the first of `places` that a fetched reference has, as text of at most `most`
    /// bytes; nothing if it has none of them. The contents come from the server.
    pub(super) async fn file(
        &self,
        name: &str,
        places: &[&str],
        most: usize,
    ) -> Result<Option<String>, PollError> {
        let own = format!("{}/{}", self.space, digest(name.as_bytes(), 16));
        let listing = [&["ls-tree", "-z", &own, "--"], places].concat();
        let listed = self
            .local
            .output(self.words(&listing), None, MOST_SAID)
            .await?;
        let listed = String::from_utf8_lossy(&listed);
        // `100644 blob ID`, a tab and the path.
        let entries = listed
            .split('\0')
            .filter_map(|entry| entry.split_once('\t'));
        let files: Vec<(&str, &str)> = entries
            .filter_map(|(facts, path)| Some((path, facts.split_once(" blob ")?.1)))
            .collect();
        let mut places = places.iter();
        let found = places.find_map(|place| files.iter().find(|(path, _)| path == place));
        let Some((_, id)) = found else {
            return Ok(None);
        };
        let mut remote = self.remote.clone();
        remote.set("GIT_NO_LAZY_FETCH", "0");
        let words = self.words(&["cat-file", "blob", id]);
        let text = remote.output(words, None, most).await?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Makes the mirror if it does not exist.
    async fn make(&self) -> Result<(), PollError> {
        let is_there = tokio::fs::try_exists(self.dir.join("HEAD"))
            .await
            .unwrap_or(false);
        if is_there {
            return Ok(());
        }
        let words = ["init", "--quiet", "--bare", "--template=", "--"].map(Into::into);
        let words = words.into_iter().chain([self.dir.clone().into_os_string()]);
        self.local.output(words, None, MOST_SAID).await?;
        Ok(())
    }

    fn words(&self, words: &[&str]) -> Vec<OsString> {
        let mut dir = OsString::from("--git-dir=");
        dir.push(&self.dir);
        let words = words.iter().map(Into::into);
        std::iter::once(dir).chain(words).collect()
    }
}

fn words_of(printed: &[u8]) -> Vec<String> {
    let printed = String::from_utf8_lossy(printed);
    printed.split_whitespace().map(str::to_owned).collect()
}

struct Reading<'a>(LogReader<'a>);

impl Sink for Reading<'_> {
    fn take(&mut self, piece: &[u8]) -> bool {
        self.0.feed(piece)
    }
}

/// Bytes of a list of references or commits: of 400 000 references.
const MOST_LISTED: usize = 64 << 20;
/// Bytes of the output of other commands.
const MOST_SAID: usize = 64 * 1024;
/// Fetches after which the mirror is cleaned, if git thinks that it needs it.
const FETCHES_A_CLEANING: u64 = 20;

const LOG_LIMITS: LogLimits = LogLimits {
    name: LONGEST_NAME,
    message: LONGEST_MESSAGE,
    files: MOST_FILES,
    total: 8 << 20,
};
