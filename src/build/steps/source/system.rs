//! What a version control system knows: how it makes, updates and cleans a tree.

use async_trait::async_trait;

use super::workspace::Workspace;
use crate::build::step::Performed;
use crate::protocol::source::SourceValue;

/// The end of an attempt to bring a tree to the revision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::build::steps) enum Outcome {
    /// The tree has it.
    Done,
    /// The server does not have it.
    Missing,
    /// A command failed for another reason.
    Failed,
}

impl From<bool> for Outcome {
    fn from(succeeded: bool) -> Self {
        if succeeded { Self::Done } else { Self::Failed }
    }
}

/// What the server says about the branch and the revision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::build::steps) enum Reply {
    /// Nothing: it cannot be reached, does not let the slave in, or may lack the branch.
    Silent,
    /// It does not have them.
    Lacks,
    /// It has them.
    Has,
}

/// Which files that are not in the repository are removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::build::steps) enum Untracked {
    /// All of them.
    All,
    /// Those that are not ignored.
    NotIgnored,
}

/// The result of a part of a step; an error when the step has ended.
pub(in crate::build::steps) type Part<T> = Result<T, Performed>;

/// A version control command of the slave, with the arguments that it alone has.
pub(in crate::build::steps) type SlaveCommand = (&'static str, Vec<(&'static str, SourceValue)>);

/// A version control system: how it makes, updates and cleans a tree in a [`Workspace`].
#[async_trait]
pub(in crate::build::steps) trait System: Send + Sync {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// The file or directory that shows a tree of this system.
    fn mark(&self) -> &'static str;

    /// What is wrong with the texts from outside. They come from the changes of people and must
    /// not be taken for options.
    fn improper(&self) -> Option<String>;

    /// The command of old slaves that does all of this; none if no slave has one.
    fn slave_command(&self) -> Option<SlaveCommand> {
        None
    }

    /// Finds out whether the slave has the program, and what else the other commands depend on.
    async fn look_around(&mut self, at: &mut Workspace<'_, '_>) -> Part<()>;

    /// Begins an attempt.
    fn begin(&mut self) {}

    /// Whether the tree can be brought to the revision: a tree of this system, of the same place.
    async fn may_update(&mut self, at: &mut Workspace<'_, '_>) -> Part<bool> {
        at.exists(self.mark()).await
    }

    /// Whether each build starts with a clean tree in mode `incremental` too.
    fn always_cleans(&self) -> bool {
        false
    }

    /// Removes the files that are not in the repository, except the mark of a patch.
    async fn clean(&mut self, at: &mut Workspace<'_, '_>, files: Untracked) -> Part<bool>;

    /// Brings the tree to the revision. Changed files are overwritten.
    async fn bring(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome>;

    /// Removes what can be removed only after the tree has the revision.
    async fn clean_rest(&mut self, _at: &mut Workspace<'_, '_>, _files: Untracked) -> Part<bool> {
        Ok(true)
    }

    /// Makes a tree with the revision. The directory does not exist.
    async fn check_out(&mut self, at: &mut Workspace<'_, '_>) -> Part<Outcome>;

    /// Whether the server has the branch, and with `revision` also the wanted revision. The tree,
    /// which may be damaged, has no part in this.
    async fn probe(&mut self, _at: &mut Workspace<'_, '_>, _revision: bool) -> Part<bool> {
        Ok(false)
    }

    /// Asks the server for the branch and the revision.
    async fn ask(&mut self, at: &mut Workspace<'_, '_>) -> Part<Reply> {
        if self.probe(at, true).await? {
            return Ok(Reply::Has);
        }
        Ok(if self.probe(at, false).await? {
            Reply::Lacks
        } else {
            Reply::Silent
        })
    }

    /// Whether the tree is the reason for `outcome`, so that it is made anew.
    async fn is_to_blame(&mut self, at: &mut Workspace<'_, '_>, _outcome: Outcome) -> Part<bool> {
        match self.ask(at).await? {
            Reply::Silent => {
                at.note(SILENT).await;
                Ok(false)
            }
            Reply::Lacks => {
                at.note(&self.missing()).await;
                Ok(false)
            }
            Reply::Has => {
                at.note(DAMAGED).await;
                Ok(true)
            }
        }
    }

    /// Says what the server does not have.
    fn missing(&self) -> String;

    /// The revision of the tree; nothing if the program does not tell.
    async fn revision(&mut self, at: &mut Workspace<'_, '_>) -> Part<Option<String>>;

    /// Copies the tree `from` to the directory, without the files of the system.
    async fn export(&mut self, at: &mut Workspace<'_, '_>, from: &str) -> Part<()> {
        at.copy_from(from).await?;
        at.remove(Some(self.mark())).await
    }

    /// Does what is left to do after a patch.
    async fn after_patch(&mut self, _at: &mut Workspace<'_, '_>) -> Part<()> {
        Ok(())
    }

    /// Removes from the slave what only the step needs, however the step ended.
    async fn leave(&mut self, _at: &mut Workspace<'_, '_>) -> Part<()> {
        Ok(())
    }

    /// Sets further properties of the build for the tree, by codebase if there is one.
    async fn tell(&mut self, _at: &mut Workspace<'_, '_>, _codebase: &str) -> Part<()> {
        Ok(())
    }
}

pub(in crate::build::steps) const SILENT: &str =
    "the repository does not answer; the tree stays as it is";

pub(in crate::build::steps) const DAMAGED: &str = "the tree cannot be updated although the repository answers: \
     the tree is damaged or locked, and is made anew";
