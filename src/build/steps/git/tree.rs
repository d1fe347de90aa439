//! The tree in the work directory: how it comes to hold the revision, whatever state the last build
//! left it in.
//!
//! ```text
//! there ──clean, fetch, check out, submodules──▶ done
//!   │ one of them fails, but the server answers
//!   ▼
//! removed ──clone, fetch, check out, submodules──▶ done, or the attempt has failed
//! ```
//!
//! Invariant: a tree is removed only when the server answers; at most once in an attempt.

use super::{Git, Place, prompts};
use crate::build::step::Performed;
use crate::config::GitMode;
use crate::vc::git::{
    self, Answer, CheckOut, History, SUBMODULE_URLS, Tags, Untracked, Version, is_hash,
    is_whole_hash,
};
use crate::vc::patch;

/// What became of an attempt to get at the revision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// The tree has it.
    Done,
    /// The server does not have it.
    Missing,
    /// A command failed that has no reason to.
    Failed,
    /// A submodule could not be updated.
    SubmoduleFailed,
}

impl From<bool> for Outcome {
    fn from(succeeded: bool) -> Self {
        if succeeded { Self::Done } else { Self::Failed }
    }
}

impl Git<'_, '_> {
    /// Learns what git the slave has, and what would make it wait for somebody.
    pub(super) async fn look_around(&mut self) -> Result<(), Performed> {
        let report = self.ask_git(Place::Anywhere, &["--version"]).await?;
        if report.rc != Some(0) {
            return Err(self.refuse("git cannot be run on this slave").await);
        }
        self.version = Version::read(&String::from_utf8_lossy(&report.output));
        let mut configured = String::new();
        if self.config.submodules || git::may_ask(&self.job.repourl) {
            let words = ["config", "--get-regexp", git::ASKING_SETTINGS];
            let report = self.ask_git(Place::Anywhere, &words).await?;
            configured = String::from_utf8_lossy(&report.output).into_owned();
        }
        self.quiet = prompts::quiet(&configured);
        Ok(())
    }

    /// One attempt to have the revision in the work directory; answers whether it succeeded.
    pub(super) async fn check_out(&mut self) -> Result<bool, Performed> {
        self.answer = None;
        let may_update = match self.config.mode {
            GitMode::Clobber => false,
            GitMode::Incremental | GitMode::Fresh | GitMode::Clean => self.exists(".git").await?,
        };
        if may_update {
            let outcome = self.update().await?;
            if outcome == Outcome::Done {
                return Ok(true);
            }
            if !self.is_to_blame(outcome).await? {
                return Ok(false);
            }
        }
        self.remove(None).await?;
        let history = if self.config.shallow {
            History::Latest
        } else {
            History::AsBefore
        };
        let repourl = self.job.repourl.clone();
        let words = git::clone(self.version, &repourl, history);
        if !self.git(Place::New, &words).await? {
            return Ok(false);
        }
        let outcome = self.bring().await?;
        if outcome == Outcome::Missing {
            self.tell_missing().await;
        }
        Ok(outcome == Outcome::Done)
    }

    /// Brings the tree that is there to the revision.
    async fn update(&mut self) -> Result<Outcome, Performed> {
        let was_patched = self.exists(patch::MARK).await?;
        let removed = match self.config.mode {
            _ if was_patched => Some(Untracked::All),
            GitMode::Fresh => Some(Untracked::All),
            GitMode::Clean => Some(Untracked::NotIgnored),
            GitMode::Incremental | GitMode::Clobber => None,
        };
        if let Some(removed) = removed {
            // The mark is removed last, so that a clean that is cut short is done again.
            let words = git::clean(removed, patch::MARK);
            if !self.git(Place::Tree, &words).await? {
                return Ok(Outcome::Failed);
            }
        }
        let outcome = self.bring().await?;
        if outcome != Outcome::Done {
            return Ok(outcome);
        }
        if let (Some(removed), true) = (removed, self.config.submodules) {
            let words = git::clean_submodules(removed);
            if !self
                .git(Place::Tree, &words.each_ref().map(String::as_str))
                .await?
            {
                return Ok(Outcome::Failed);
            }
        }
        if was_patched {
            self.remove(Some(patch::MARK)).await?;
        }
        Ok(Outcome::Done)
    }

    /// Fetches what is wanted and puts the files in place.
    async fn bring(&mut self) -> Result<Outcome, Performed> {
        let fetched = self.fetch().await?;
        if fetched != Outcome::Done {
            return Ok(fetched);
        }
        if !self.switch().await? {
            let is_there = match self.job.revision.clone() {
                Some(revision) => self.resolve(&revision).await?.is_some(),
                None => true,
            };
            let failed = is_there || self.ask().await? == Answer::Silent;
            return Ok(if failed {
                Outcome::Failed
            } else {
                Outcome::Missing
            });
        }
        Ok(if self.update_submodules().await? {
            Outcome::Done
        } else {
            Outcome::SubmoduleFailed
        })
    }

    /// Whether the tree is to blame for `outcome`, so that it is made anew. The server is asked for
    /// what is wanted.
    async fn is_to_blame(&mut self, outcome: Outcome) -> Result<bool, Performed> {
        if self.ask().await? == Answer::Silent {
            self.note("the repository does not answer; the tree stays as it is")
                .await;
            return Ok(false);
        }
        if outcome == Outcome::Missing && self.git(Place::Tree, &git::check(self.version)).await? {
            self.tell_missing().await;
            return Ok(false);
        }
        if outcome == Outcome::SubmoduleFailed
            && let Some(silent) = self.silent_submodule().await?
        {
            let problem =
                format!("the repository {silent} of a submodule does not answer; the tree stays");
            self.note(&format!("{problem} as it is")).await;
            return Ok(false);
        }
        self.note(
            "the tree cannot be updated although the repository answers: \
             the tree is damaged or locked, and is made anew",
        )
        .await;
        Ok(true)
    }

    async fn tell_missing(&mut self) {
        let branch = match &self.job.branch {
            Some(branch) => format!("branch {branch:?}"),
            None => "default branch".to_owned(),
        };
        let note = match (&self.job.revision, &self.answer) {
            (Some(revision), _) => format!("the repository does not have revision {revision:?}"),
            (None, _) => format!("the repository does not have the {branch}"),
        };
        self.note(&note).await;
    }

    /// What the server has of what is wanted; asked once in an attempt, and not from inside the
    /// tree, which may be damaged.
    async fn ask(&mut self) -> Result<Answer, Performed> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let wanted = self.job.references();
        let repourl = self.job.repourl.clone();
        let mut words = vec!["ls-remote", repourl.as_str()];
        words.extend(wanted.iter().map(String::as_str));
        let report = self.ask_git(Place::Outside, &words).await?;
        let answer = if report.rc == Some(0) {
            Answer::read(&String::from_utf8_lossy(&report.output), &wanted)
        } else {
            Answer::Silent
        };
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    /// A submodule's repository that does not answer, if there is one.
    async fn silent_submodule(&mut self) -> Result<Option<String>, Performed> {
        let report = self.ask_git(Place::Tree, &SUBMODULE_URLS).await?;
        for url in git::parse_submodule_urls(&String::from_utf8_lossy(&report.output)) {
            if !self
                .git(Place::Outside, &["ls-remote", &url, "HEAD"])
                .await?
            {
                return Ok(Some(url));
            }
        }
        Ok(None)
    }

    /// Gets the revision into the tree, unless the tree has it.
    async fn fetch(&mut self) -> Result<Outcome, Performed> {
        let revision = self.job.revision.clone();
        if let Some(revision) = revision.as_ref().filter(|r| is_hash(r))
            && self.has(revision).await?
        {
            return Ok(Outcome::Done);
        }
        let Some(hash) = revision.as_ref().filter(|r| is_whole_hash(r)) else {
            // Another name may be that of any tag or any old revision.
            return match revision {
                Some(_) => self.fetch_branch(self.whole_history(), Tags::All).await,
                None if self.config.shallow => self.fetch_branch(History::Latest, Tags::None).await,
                None => self.fetch_branch(History::AsBefore, Tags::All).await,
            };
        };
        let tags = if self.config.shallow {
            Tags::None
        } else {
            Tags::All
        };
        if self.config.shallow && self.fetch_one(hash, History::Latest, tags).await? {
            return Ok(Outcome::Done);
        }
        let fetched = self.fetch_branch(self.whole_history(), tags).await?;
        if fetched == Outcome::Failed || self.has(hash).await? {
            return Ok(fetched);
        }
        // Its branch was deleted or rewritten; most servers hand it out all the same.
        Ok(if self.fetch_one(hash, History::AsBefore, tags).await? {
            Outcome::Done
        } else {
            Outcome::Missing
        })
    }

    /// Fetches the branch; a tag of its name if there is no such branch.
    async fn fetch_branch(&mut self, history: History, tags: Tags) -> Result<Outcome, Performed> {
        let wanted = self.job.references();
        let Some(first) = wanted.first() else {
            return Ok(Outcome::Missing);
        };
        if self.fetch_one(first, history, tags).await? {
            return Ok(Outcome::Done);
        }
        match self.ask().await? {
            Answer::Has(other) if other != *first => {
                self.job.is_tag = true;
                Ok(self.fetch_one(&other, history, tags).await?.into())
            }
            Answer::Has(_) | Answer::Silent => Ok(Outcome::Failed),
            Answer::Lacks => Ok(Outcome::Missing),
        }
    }

    async fn fetch_one(
        &mut self,
        what: &str,
        history: History,
        tags: Tags,
    ) -> Result<bool, Performed> {
        let repourl = self.job.repourl.clone();
        let words = git::fetch(self.version, &repourl, what, history, tags);
        self.git(Place::Tree, &words).await
    }

    /// For a revision that may be any; a tree with the latest one only must get the others.
    const fn whole_history(&self) -> History {
        if self.config.shallow {
            History::Whole
        } else {
            History::AsBefore
        }
    }

    /// Whether the tree has the commit of this hash, or of a hash that begins so.
    async fn has(&mut self, hash: &str) -> Result<bool, Performed> {
        let hash = hash.to_ascii_lowercase();
        let found = self.resolve(&hash).await?;
        Ok(found.is_some_and(|found| found.starts_with(&hash)))
    }

    /// The hash of a commit.
    async fn resolve(&mut self, revision: &str) -> Result<Option<String>, Performed> {
        let commit = format!("{revision}^{{commit}}");
        let words = ["rev-parse", "--verify", "--quiet", commit.as_str()];
        let report = self.ask_git(Place::Tree, &words).await?;
        let found = String::from_utf8_lossy(&report.output).trim().to_owned();
        Ok((report.rc == Some(0)).then_some(found))
    }

    /// Puts the files of the revision in place, over whatever was changed, with the branch checked
    /// out.
    async fn switch(&mut self) -> Result<bool, Performed> {
        let Some(branch) = self.job.branch_to_switch_to() else {
            return self.check_out_as(CheckOut::Detached).await;
        };
        if self.check_out_as(CheckOut::Branch(&branch)).await? {
            return Ok(true);
        }
        // A branch `v2` of an earlier build is in the way of `v2/rc1`, and the other way round.
        let refs = self.branches_in_the_way_of(&branch).await?;
        if refs.is_empty() || !self.check_out_as(CheckOut::Detached).await? {
            return Ok(false);
        }
        for name in &refs {
            self.git(Place::Tree, &["update-ref", "-d", name]).await?;
        }
        self.check_out_as(CheckOut::Branch(&branch)).await
    }

    async fn check_out_as(&mut self, how: CheckOut<'_>) -> Result<bool, Performed> {
        let revision = self.job.revision.clone();
        let revision = revision.as_deref().unwrap_or("FETCH_HEAD");
        let words = git::check_out(self.version, how, revision);
        self.git(Place::Tree, &words).await
    }

    async fn branches_in_the_way_of(&mut self, branch: &str) -> Result<Vec<String>, Performed> {
        let slashes = branch.match_indices('/');
        let parts = slashes.filter_map(|(at, _)| branch.get(..at));
        let above: Vec<String> = parts.map(|part| format!("refs/heads/{part}")).collect();
        let below = format!("refs/heads/{branch}/");
        let mut words = vec!["for-each-ref", "--format=%(refname)", &below];
        words.extend(above.iter().map(String::as_str));
        let report = self.ask_git(Place::Tree, &words).await?;
        let printed = String::from_utf8_lossy(&report.output).into_owned();
        let in_the_way = |name: &&str| name.starts_with(&below) || above.iter().any(|a| a == name);
        let names = printed.lines().map(str::trim).filter(in_the_way);
        Ok(names.map(str::to_owned).collect())
    }

    /// Updates the submodules, if they are wanted, from their present addresses.
    pub(super) async fn update_submodules(&mut self) -> Result<bool, Performed> {
        if !self.config.submodules {
            return Ok(true);
        }
        let sync = git::sync_submodules(self.version);
        let update = git::update_submodules(self.version);
        // The addresses of submodules in submodules are known once those are up to date.
        for _ in 0..2 {
            if !self.git(Place::Tree, &sync).await? {
                return Ok(false);
            }
            if self.git(Place::Tree, &update).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
