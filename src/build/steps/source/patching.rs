//! The patch of a build, applied to a directory on the slave (SRC-05, SRC-06).

use bytes::Bytes;

use super::workspace::{Workspace, git_env, words};
use crate::build::step::Performed;
use crate::model::Patch;
use crate::vc::patch::{MARK, PatchJob};

impl Workspace<'_, '_> {
    /// Puts the diff into the log `patch`, and finds out how to apply the patch; nothing if the
    /// patch is empty. The diff does not stay in memory, because the checkout may take long.
    pub(in crate::build::steps) async fn prepare_patch(
        &mut self,
        patch: &Patch,
    ) -> Result<Option<PatchJob>, Performed> {
        let diff = self.diff(patch).await?;
        self.step.logs.add("patch", diff.clone()).await;
        match PatchJob::new(patch, &diff) {
            Ok(job) => Ok(job),
            Err(problem) => Err(self.refuse(&problem).await),
        }
    }

    /// Marks the tree, and applies `patch` of the build to it.
    pub(in crate::build::steps) async fn apply_patch(
        &mut self,
        patch: &Patch,
        job: &PatchJob,
    ) -> Result<(), Performed> {
        self.write(MARK, Bytes::from_static(b"patched\n")).await?;
        let diff = self.diff(patch).await?;
        self.write(&job.file, diff).await?;
        let dir = match &job.dir {
            Some(dir) => format!("{}/{dir}", self.workdir),
            None => self.workdir.clone(),
        };
        let words = words(job.command.iter().map(String::as_str));
        let env = git_env(self.env.clone(), Some(".git"), Some("."));
        if self.run_in(words, dir, env, None).await?.rc != Some(0) {
            return Err(self.refuse("the patch cannot be applied").await);
        }
        self.remove(Some(&job.file)).await
    }

    pub(super) async fn diff(&self, patch: &Patch) -> Result<Bytes, Performed> {
        let diff = self.step.around.journal.diff(patch).await;
        diff.map_err(|problem| Performed::Raised(format!("{problem}\n")))
    }
}
