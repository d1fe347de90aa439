//! Repositories of git.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Sandbox, run};

/// A repository on disk.
pub(crate) struct Repository<'a> {
    sandbox: &'a Sandbox,
    pub(crate) dir: PathBuf,
}

impl<'a> Repository<'a> {
    /// An empty one.
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        Self::named(sandbox, "repository")
    }

    /// An empty one in a directory of this name.
    pub(crate) fn named(sandbox: &'a Sandbox, name: &str) -> Self {
        let dir = sandbox.private_dir(name);
        let repository = Self { sandbox, dir };
        repository.git(&["init", "-q"]);
        repository
    }

    /// Runs git in it.
    pub(crate) fn git(&self, words: &[&str]) -> String {
        let mut command = self.sandbox.command("git");
        let who = ["-c", "user.name=me", "-c", "user.email=me@example.org"];
        run(command.current_dir(&self.dir).args(who).args(words)).ok()
    }

    /// A clone of it.
    pub(crate) fn cloned(&self, name: &str) -> Self {
        let dir = self.sandbox.path(name);
        let (from, to) = (self.dir.to_str().unwrap(), dir.to_str().unwrap());
        self.git(&["clone", "-q", from, to]);
        let sandbox = self.sandbox;
        Self { sandbox, dir }
    }

    /// Commits a file; answers with the revision.
    pub(crate) fn commit(&self, file: &str, content: &[u8]) -> String {
        fs::write(self.dir.join(file), content).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "-m", file]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// The diff of a change that is not committed.
    pub(crate) fn diff(&self, change: impl FnOnce(&Path)) -> Vec<u8> {
        change(&self.dir);
        self.git(&["add", "--all"]);
        let diff = self.git(&["diff", "--cached", "--binary"]);
        self.git(&["reset", "-q", "--hard"]);
        diff.into_bytes()
    }
}
