//! What a hook is told when it is installed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::client::{Failed, sendchange};
use crate::model::NewChange;
use crate::text::Encoding;
use crate::vc::Vc;

/// The settings of the hook of a repository, in `settings.toml` of its spool.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address of the master: `HOST:PORT`.
    pub master: String,
    /// The user of the change source: `change`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password of that user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A file with the password, instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The repository as the master knows it; absent: its directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Project of the changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Codebase of the changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codebase: Option<String>,
    /// Category of the changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Link to a revision, with `%s` in place of the revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revlink: Option<String>,
    /// Encoding of texts that are not UTF-8: replaced characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Whether tags of Git are sent: no.
    pub tags: bool,
    /// Where the branches of a Subversion repository are: nowhere.
    pub layout: Layout,
}

/// Where the branches of a Subversion repository are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// The repository has no branches.
    #[default]
    None,
    /// In `trunk` and `branches/NAME`.
    Standard,
}

/// The default user and password of Buildbot's clients.
const USUAL: (&str, &str) = ("change", "changepw");

impl Settings {
    /// Host and port of the master.
    pub(super) fn address(&self) -> Result<(String, u16), Failed> {
        sendchange::parse_address(&self.master)
    }

    /// The encoding of texts that are not UTF-8. One that is unknown is UTF-8, so that a push does
    /// not fail.
    pub(super) fn encoding(&self) -> Encoding {
        let named = self.encoding.as_deref().and_then(Encoding::named);
        named.unwrap_or_default()
    }

    /// User and password.
    pub(super) fn login(&self) -> Result<(String, String), Failed> {
        let user = self.user.as_deref().unwrap_or(USUAL.0).to_owned();
        let password = match (&self.password, &self.password_file) {
            (Some(password), _) => password.clone(),
            (None, Some(file)) => {
                let read = std::fs::read_to_string(file);
                let text = read.map_err(|error| {
                    Failed::Usage(format!("cannot read {}: {error}", file.display()))
                })?;
                text.trim_end_matches('\n').to_owned()
            }
            (None, None) => USUAL.1.to_owned(),
        };
        Ok((user, password))
    }

    /// Adds to a change what the repository does not say.
    pub(super) fn fill(&self, change: &mut NewChange, vc: Vc, dir: &Path) {
        let given = |setting: &Option<String>| setting.clone().unwrap_or_default();
        change.repository = match &self.repository {
            Some(repository) => repository.clone(),
            None => dir.display().to_string(),
        };
        change.project = given(&self.project);
        change.codebase = given(&self.codebase);
        if change.category.is_none() {
            change.category.clone_from(&self.category);
        }
        if let (Some(link), Some(revision)) = (&self.revlink, &change.revision) {
            change.revlink = link.replace("%s", revision);
        }
        change.src = Some(vc.to_string());
    }
}
