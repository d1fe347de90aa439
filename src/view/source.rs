//! What builds of several codebases are made of.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Line, Properties, SourceStamp, revision_of_codebase};

/// The source of one codebase (CBS-05).
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Source {
    /// The name of the codebase.
    pub codebase: String,
    /// The branch; absent for the default branch.
    pub branch: Option<String>,
    /// The revision that was built or is asked for; absent if it is not known.
    pub revision: Option<String>,
    /// The repository.
    pub repository: String,
    /// The project.
    pub project: String,
    /// Whether it has a patch.
    #[serde(rename = "try")]
    pub is_try: bool,
}

impl Source {
    /// The title of each source, and the source in words.
    #[must_use]
    pub fn in_words(sources: &[Self]) -> Vec<(String, String)> {
        let sources = sources.iter();
        sources
            .map(|source| (source.title(), source.to_string()))
            .collect()
    }

    /// The codebase in words, for people.
    #[must_use]
    pub fn title(&self) -> String {
        match self.codebase.as_str() {
            "" => "codebase without a name".to_owned(),
            name => format!("codebase {name}"),
        }
    }

    /// The sources of a build on `line`, which may be of several codebases. Its steps have told the
    /// revisions in `properties`.
    pub(super) fn of_line(line: &Line, properties: &Properties) -> Vec<Self> {
        let got = properties.get("got_revision");
        let source = |line: &Line| Self {
            codebase: line.codebase.clone(),
            branch: line.branch.clone(),
            revision: got.and_then(|got| revision_of_codebase(got, &line.codebase)),
            repository: line.repository.clone(),
            project: line.project.clone(),
            is_try: false,
        };
        line.trees().map(source).collect()
    }
}

impl From<&SourceStamp> for Source {
    fn from(stamp: &SourceStamp) -> Self {
        Self {
            codebase: stamp.codebase.clone(),
            branch: stamp.branch.clone(),
            revision: stamp.revision_to_build().map(str::to_owned),
            repository: stamp.repository.clone(),
            project: stamp.project.clone(),
            is_try: stamp.patch.is_some(),
        }
    }
}

/// The revision, branch and repository in words, for people.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let branch = self.branch.as_deref().unwrap_or("(default)");
        match &self.revision {
            Some(revision) => write!(f, "{revision} on {branch}")?,
            None => write!(f, "(the newest) on {branch}")?,
        }
        if !self.repository.is_empty() {
            write!(f, " of {}", self.repository)?;
        }
        if self.is_try {
            f.write_str(", with a patch")?;
        }
        Ok(())
    }
}
