//! A repository with a hook, and where the hook keeps its things.

use std::path::{Path, PathBuf};

use super::settings::Settings;
use crate::client::Failed;
use crate::vc::Vc;

/// A repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Its version control system.
    pub vc: Vc,
    /// Its directory: the bare repository of Git, the top of the tree of others.
    pub dir: PathBuf,
    /// Where the version control system keeps its own things.
    inner: PathBuf,
}

/// The directory of spool and settings.
const SPOOL: &str = "buildbot-spool";

impl Place {
    /// The repository of this kind in `dir`; absent: where the version control system runs its
    /// hooks.
    ///
    /// # Errors
    /// There is none, or hooks of this kind do not exist.
    pub fn of(vc: Vc, dir: Option<&Path>) -> Result<Self, Failed> {
        let own = std::env::var_os("GIT_DIR").map(PathBuf::from);
        let dir = match (vc, dir) {
            (_, Some(dir)) => dir.to_owned(),
            (Vc::Git, None) => own.unwrap_or_else(|| PathBuf::from(".")),
            (Vc::Cvs, None) => std::env::var_os("CVSROOT").map_or_else(PathBuf::new, PathBuf::from),
            (_, None) => PathBuf::from("."),
        };
        let dir = super::absolute(&dir);
        let candidates: &[&str] = match vc {
            Vc::Git => &[".git", ""],
            Vc::Svn => &[""],
            Vc::Hg => &[".hg"],
            Vc::Bzr => &[".bzr"],
            Vc::Darcs => &["_darcs"],
            Vc::Cvs => &["CVSROOT"],
            Vc::Mtn | Vc::P4 => return Err(no_hook(vc)),
        };
        let mark = mark(vc);
        let mut inner = candidates.iter().map(|inner| dir.join(inner));
        let Some(inner) = inner.find(|inner| inner.join(mark).exists()) else {
            let dir = dir.display();
            return Err(Failed::Usage(format!("{dir} is not a repository of {vc}")));
        };
        Ok(Self { vc, dir, inner })
    }

    /// The repository in `dir`, whatever its kind is.
    ///
    /// # Errors
    /// There is none.
    pub fn detect(dir: &Path) -> Result<Self, Failed> {
        let kinds = [Vc::Git, Vc::Hg, Vc::Bzr, Vc::Darcs, Vc::Cvs, Vc::Svn];
        let mut places = kinds
            .into_iter()
            .filter_map(|vc| Self::of(vc, Some(dir)).ok());
        let dir = dir.display();
        places
            .next()
            .ok_or_else(|| Failed::Usage(format!("{dir} is not a repository")))
    }

    /// The directory where changes wait.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.inner.join(SPOOL)
    }

    /// Where the version control system keeps its own things.
    pub(super) fn inner(&self) -> &Path {
        &self.inner
    }

    /// Where the settings are.
    pub(super) fn settings_file(&self) -> PathBuf {
        self.spool().join("settings.toml")
    }

    /// The settings.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn settings(&self) -> Result<Settings, Failed> {
        let file = self.settings_file();
        let (vc, dir) = (self.vc, self.dir.display());
        let wrong = |why: String| {
            Failed::Usage(format!(
                "cannot read {}: {why}; `buildbot hook install {vc} {dir} --master HOST:PORT` writes it",
                file.display()
            ))
        };
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))
    }
}

/// The file that a repository of this kind has.
const fn mark(vc: Vc) -> &'static str {
    match vc {
        Vc::Git => "HEAD",
        Vc::Svn => "format",
        Vc::Hg => "requires",
        Vc::Bzr => "branch-format",
        Vc::Darcs => "format",
        Vc::Cvs => "loginfo",
        Vc::Mtn | Vc::P4 => "",
    }
}

pub(super) fn no_hook(vc: Vc) -> Failed {
    Failed::Usage(format!("there is no hook for {vc}"))
}
