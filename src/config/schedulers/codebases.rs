//! The codebases that a scheduler builds together (CBS-03, CBS-04).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;

/// The codebases of a scheduler, by name; empty: the codebase of each tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Codebases {
    #[serde(rename = "codebases", skip_serializing_if = "BTreeMap::is_empty")]
    sources: BTreeMap<String, CodebaseSource>,
    /// Whether a codebase without changes is built at the newest revision that was seen there
    /// (CBS-04), as long as one was.
    #[serde(rename = "absolute", skip_serializing_if = "std::ops::Not::not")]
    pub at_newest: bool,
}

/// The source of a codebase without changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CodebaseSource {
    /// The branch, which is also the branch whose changes count; absent: the scheduler's branch.
    pub branch: Option<String>,
    /// The repository; empty: the one of the source step.
    pub repository: String,
    /// The revision; absent: the latest.
    pub revision: Option<String>,
}

pub(in crate::config) static CODEBASE: Shape = Shape {
    place: "schedulers.codebases",
    noun: "codebase",
    keys: &["branch", "repository", "revision"],
    kinds: Vec::new,
};

impl Codebases {
    /// Takes the codebases of the table. `branch` is the branch of the scheduler, which they have
    /// unless they have a branch of their own.
    pub(super) fn read(&mut self, table: &mut Table<'_>, branch: Option<&str>) {
        table.set("codebases", &mut self.sources, |value| {
            let entries = value.entries();
            if entries.is_empty() && value.data().is_table() {
                value.error("is empty", "leave it out, or name a codebase");
                return None;
            }
            let all = entries.into_iter().map(|(name, value)| {
                let mut source = CodebaseSource::read(&value)?;
                source.branch = source.branch.or_else(|| branch.map(str::to_owned));
                Some((name.to_owned(), source))
            });
            all.collect()
        });
    }

    /// Takes whether codebases without changes are built at the newest revision; they have been
    /// read. `sees_changes` says whether the scheduler looks at changes at all.
    pub(super) fn read_absolute(&mut self, table: &mut Table<'_>, sees_changes: bool) {
        let Some(value) = table.take("absolute") else {
            return;
        };
        self.at_newest = value.flag().unwrap_or_default();
        if !self.at_newest {
            return;
        }
        if self.is_empty() {
            let message = format!("`absolute` of {} has no effect here", value.label);
            value
                .sink
                .warning(value.span(), message, "it needs `codebases`");
        } else if !sees_changes {
            let help = "it needs `only_if_changed = true`: without that no changes are seen";
            value.error("has no effect here", help);
        }
    }

    /// Whether none is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The codebase with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&CodebaseSource> {
        self.sources.get(name)
    }

    /// The codebases, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &CodebaseSource)> {
        let all = self.sources.iter();
        all.map(|(name, source)| (name.as_str(), source))
    }
}

impl FromIterator<(String, CodebaseSource)> for Codebases {
    fn from_iter<I: IntoIterator<Item = (String, CodebaseSource)>>(all: I) -> Self {
        Self {
            sources: all.into_iter().collect(),
            at_newest: false,
        }
    }
}

impl CodebaseSource {
    fn read(value: &Value<'_>) -> Option<Self> {
        let mut table = value.table(&CODEBASE)?;
        let mut source = Self::default();
        let owned = |value: &Value<'_>| value.name().map(str::to_owned);
        table.set_some("branch", &mut source.branch, owned);
        table.set("repository", &mut source.repository, owned);
        table.set_some("revision", &mut source.revision, owned);
        table.finish();
        Some(source)
    }
}
