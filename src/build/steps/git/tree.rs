//! How the tree in the work directory is brought to the revision.

use super::{Git, Outcome, Part, Place, Workspace};
use crate::vc::git::{
    self, Answer, CheckOut, History, SUBMODULE_URLS, Tags, is_hash, is_whole_hash,
};

impl Git<'_> {
    /// Fetches what is wanted and puts the files in place.
    pub(super) async fn update(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let fetched = self.fetch(at).await?;
        if fetched != Outcome::Done {
            return Ok(fetched);
        }
        if !self.config.sparse.is_empty() {
            let mut words = vec!["sparse-checkout", "set"];
            words.extend(self.config.sparse.iter().map(String::as_str));
            if !self.git(at, Place::Tree, &words).await? {
                return Ok(Outcome::Failed);
            }
        }
        if !self.switch(at).await? {
            let is_there = match self.wanted.revision.clone() {
                Some(revision) => self.resolve(at, &revision).await?.is_some(),
                None => true,
            };
            let failed = is_there || self.ask_server(at).await? == Answer::Silent;
            return Ok(if failed {
                Outcome::Failed
            } else {
                Outcome::Missing
            });
        }
        if self.config.lfs {
            let mut words = vec!["lfs", "pull"];
            words.extend(self.config.origin.as_deref());
            if !self.git(at, Place::Tree, &words).await? {
                return Ok(Outcome::Failed);
            }
        }
        Ok(if self.update_submodules(at).await? {
            Outcome::Done
        } else {
            self.has_bad_submodule = true;
            Outcome::Failed
        })
    }

    /// Has the tree hold all files again, if it is sparse since an earlier build. Answers whether
    /// that succeeded.
    pub(super) async fn widen(&self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if !self.version.is_at_least(2, 25) {
            return Ok(true);
        }
        let tree = format!("--git-dir={}/.git", at.workdir);
        let words = [tree.as_str(), "config", "core.sparseCheckout"];
        let report = self.ask_git(at, Place::Anywhere, &words).await?;
        if report.output.trim_ascii() != b"true" {
            return Ok(true);
        }
        self.git(at, Place::Tree, &["sparse-checkout", "disable"])
            .await
    }

    /// What the server has of what is wanted; asked once in an attempt, and not from inside the
    /// tree, which may be damaged.
    pub(super) async fn ask_server(&mut self, at: &mut Workspace<'_, '_>) -> Part<Answer> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let wanted = self.references();
        let repourl = self.repourl.clone();
        let mut words = vec!["ls-remote", repourl.as_str()];
        words.extend(wanted.iter().map(String::as_str));
        let report = self.ask_git(at, Place::Outside, &words).await?;
        let answer = if report.rc == Some(0) {
            Answer::read(&String::from_utf8_lossy(&report.output), &wanted)
        } else {
            Answer::Silent
        };
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    /// A submodule's repository that does not answer, if there is one.
    pub(super) async fn silent_submodule(
        &mut self,
        at: &mut Workspace<'_, '_>,
    ) -> Part<Option<String>> {
        let report = self.ask_git(at, Place::Tree, &SUBMODULE_URLS).await?;
        for url in git::parse_submodule_urls(&String::from_utf8_lossy(&report.output)) {
            if !self
                .git(at, Place::Outside, &["ls-remote", &url, "HEAD"])
                .await?
            {
                return Ok(Some(url));
            }
        }
        Ok(None)
    }

    /// Gets the revision into the tree, unless the tree has it.
    async fn fetch(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome> {
        let revision = self.wanted.revision.clone();
        if let Some(revision) = revision.as_ref().filter(|r| is_hash(r))
            && self.has(at, revision).await?
        {
            return Ok(Outcome::Done);
        }
        let tags = match self.config.tags {
            Some(true) => Tags::All,
            Some(false) => Tags::None,
            None if self.config.shallow => Tags::None,
            None => Tags::All,
        };
        let Some(hash) = revision.as_ref().filter(|r| is_whole_hash(r)) else {
            // Another name may be that of any tag or any old revision.
            return match revision {
                Some(_) => self.fetch_branch(at, self.whole_history(), Tags::All).await,
                None if self.config.shallow => self.fetch_branch(at, History::Latest, tags).await,
                None => self.fetch_branch(at, History::AsBefore, tags).await,
            };
        };
        if self.config.shallow && self.fetch_one(at, hash, History::Latest, tags).await? {
            return Ok(Outcome::Done);
        }
        let fetched = self.fetch_branch(at, self.whole_history(), tags).await?;
        if fetched == Outcome::Failed || self.has(at, hash).await? {
            return Ok(fetched);
        }
        // Its branch was deleted or rewritten; most servers hand it out all the same.
        Ok(
            if self.fetch_one(at, hash, History::AsBefore, tags).await? {
                Outcome::Done
            } else {
                Outcome::Missing
            },
        )
    }

    /// Fetches the branch; a tag of its name if there is no such branch.
    async fn fetch_branch(
        &mut self,
        at: &mut Workspace<'_, '_>,
        history: History,
        tags: Tags,
    ) -> Part<Outcome> {
        let wanted = self.references();
        let Some(first) = wanted.first() else {
            return Ok(Outcome::Missing);
        };
        if self.fetch_one(at, first, history, tags).await? {
            return Ok(Outcome::Done);
        }
        match self.ask_server(at).await? {
            Answer::Has(other) if other != *first => {
                self.is_tag = true;
                Ok(self.fetch_one(at, &other, history, tags).await?.into())
            }
            Answer::Has(_) | Answer::Silent => Ok(Outcome::Failed),
            Answer::Lacks => Ok(Outcome::Missing),
        }
    }

    async fn fetch_one(
        &mut self,
        at: &mut Workspace<'_, '_>,
        what: &str,
        history: History,
        tags: Tags,
    ) -> Part<bool> {
        let repourl = self.repourl.clone();
        let words = git::fetch(self.version, &repourl, what, history, tags);
        let tries = if self.config.retry_fetch { 2 } else { 1 };
        for _ in 0..tries {
            if self.git(at, Place::Tree, &words).await? {
                return Ok(true);
            }
        }
        Ok(false)
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
    async fn has(&mut self, at: &mut Workspace<'_, '_>, hash: &str) -> Part<bool> {
        let hash = hash.to_ascii_lowercase();
        let found = self.resolve(at, &hash).await?;
        Ok(found.is_some_and(|found| found.starts_with(&hash)))
    }

    /// The hash of a commit.
    async fn resolve(
        &mut self,
        at: &mut Workspace<'_, '_>,
        revision: &str,
    ) -> Part<Option<String>> {
        let commit = format!("{revision}^{{commit}}");
        let words = ["rev-parse", "--verify", "--quiet", commit.as_str()];
        let report = self.ask_git(at, Place::Tree, &words).await?;
        let found = String::from_utf8_lossy(&report.output).trim().to_owned();
        Ok((report.rc == Some(0)).then_some(found))
    }

    /// Puts the files of the revision in place, over whatever was changed, with the branch checked
    /// out.
    async fn switch(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        let Some(branch) = self.branch_to_switch_to() else {
            return self.check_out_as(at, CheckOut::Detached).await;
        };
        if self.check_out_as(at, CheckOut::Branch(&branch)).await? {
            return Ok(true);
        }
        // A branch `v2` of an earlier build is in the way of `v2/rc1`, and the other way round.
        let refs = self.branches_in_the_way_of(at, &branch).await?;
        if refs.is_empty() || !self.check_out_as(at, CheckOut::Detached).await? {
            return Ok(false);
        }
        for name in &refs {
            self.git(at, Place::Tree, &["update-ref", "-d", name])
                .await?;
        }
        self.check_out_as(at, CheckOut::Branch(&branch)).await
    }

    async fn check_out_as(&mut self, at: &mut Workspace<'_, '_>, how: CheckOut<'_>) -> Part<bool> {
        let revision = self.wanted.revision.clone();
        let revision = revision.as_deref().unwrap_or("FETCH_HEAD");
        let words = git::check_out(self.version, how, revision);
        self.git(at, Place::Tree, &words).await
    }

    async fn branches_in_the_way_of(
        &mut self,
        at: &mut Workspace<'_, '_>,
        branch: &str,
    ) -> Part<Vec<String>> {
        let slashes = branch.match_indices('/');
        let parts = slashes.filter_map(|(at, _)| branch.get(..at));
        let above: Vec<String> = parts.map(|part| format!("refs/heads/{part}")).collect();
        let below = format!("refs/heads/{branch}/");
        let mut words = vec!["for-each-ref", "--format=%(refname)", &below];
        words.extend(above.iter().map(String::as_str));
        let report = self.ask_git(at, Place::Tree, &words).await?;
        let printed = String::from_utf8_lossy(&report.output).into_owned();
        let in_the_way = |name: &&str| name.starts_with(&below) || above.iter().any(|a| a == name);
        let names = printed.lines().map(str::trim).filter(in_the_way);
        Ok(names.map(str::to_owned).collect())
    }

    /// Updates the submodules, if they are wanted, from their present addresses.
    pub(super) async fn update_submodules(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        if !self.config.submodules {
            return Ok(true);
        }
        let sync = git::sync_submodules(self.version);
        let mut update = git::update_submodules(self.version);
        update.extend(self.config.remote_submodules.then_some("--remote"));
        // The addresses of submodules in submodules are known once those are up to date.
        for _ in 0..2 {
            if !self.git(at, Place::Tree, &sync).await? {
                return Ok(false);
            }
            if self.git(at, Place::Tree, &update).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
