//! `type = "SVNPoller"`: changes that the master finds in a repository of Subversion (POL-11).

use serde::Serialize;

use super::Around;
use super::access::{LoginAccess, SshAccess};
use super::kind::SourceSettings;
use super::poller::{PollerConfig, address, program};
use crate::config::pattern::LinePattern;
use crate::config::reader::{Table, Value};

/// Settings of `SVNPoller`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SvnPollerConfig {
    /// What all pollers have.
    #[serde(flatten)]
    pub poller: PollerConfig,
    /// Address of the repository, or of a directory in it.
    pub repourl: String,
    /// Where branches are.
    pub split_file: Layout,
    /// The last revision that is not a change; absent: the newest one at the first poll.
    pub start: Option<u64>,
    /// User and password.
    #[serde(flatten)]
    pub login: LoginAccess,
    /// Settings of ssh, for addresses with `svn+ssh`.
    #[serde(flatten)]
    pub ssh: SshAccess,
    /// Program: `svn`.
    pub svn: String,
    /// Further options of the program.
    pub extra_args: Vec<String>,
}

/// How paths of a repository are split into project, branch and file (POL-11).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum Layout {
    /// The default branch alone.
    #[default]
    Trunk,
    /// `trunk/FILE` and `branches/NAME/FILE`.
    Branches,
    /// A directory for each project, each with trunk and branches.
    ProjectBranches,
    /// The groups `project`, `branch` and `file` of an expression; other paths are outside.
    Pattern(LinePattern),
}

/// Where a path is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// The project, where the layout tells it.
    pub project: Option<String>,
    /// The branch; absent: the default branch.
    pub branch: Option<String>,
    /// The file; empty for the directory of the branch itself.
    pub file: String,
}

impl Layout {
    /// Where `path` is; none: outside all branches.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<Place> {
        match self {
            Self::Trunk => Some(Place {
                file: path.to_owned(),
                ..Place::default()
            }),
            Self::Branches => {
                let (first, rest) = path.split_once('/').unwrap_or((path, ""));
                match first {
                    "trunk" => Some(Place {
                        file: rest.to_owned(),
                        ..Place::default()
                    }),
                    "branches" if !rest.is_empty() => {
                        let (name, file) = rest.split_once('/').unwrap_or((rest, ""));
                        Some(Place {
                            branch: Some(format!("branches/{name}")),
                            file: file.to_owned(),
                            ..Place::default()
                        })
                    }
                    _ => None,
                }
            }
            Self::ProjectBranches => {
                let (project, rest) = path.split_once('/')?;
                let place = Self::Branches.place(rest)?;
                Some(Place {
                    project: Some(project.to_owned()),
                    ..place
                })
            }
            Self::Pattern(pattern) => {
                let found = pattern.captures(path)?;
                let group = |name| found.name(name).map(|group| group.as_str().to_owned());
                Some(Place {
                    project: group("project"),
                    branch: group("branch"),
                    file: group("file").unwrap_or_else(|| path.to_owned()),
                })
            }
        }
    }
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &["repourl", "split_file", "start", "svn", "extra_args"];

impl SourceSettings for SvnPollerConfig {
    fn kind(&self) -> &'static str {
        "SVNPoller"
    }

    fn usual_name(&self) -> String {
        self.poller.repository_at(&self.repourl)
    }

    fn poller(&self) -> Option<&PollerConfig> {
        Some(&self.poller)
    }

    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let known = self.poller.read(table, around, "svn");
        let example = "\"https://svn.example.org/project\"";
        self.repourl = address(table, &self.poller, known, example);
        table.set("split_file", &mut self.split_file, read_layout);
        table.set_some("start", &mut self.start, |v| v.integer(0..=u64::MAX >> 1));
        self.login.read(table, known);
        self.ssh.read(table, known);
        self.svn = program(table, "svn");
        table.set("extra_args", &mut self.extra_args, |v| {
            let words = v.list()?;
            let words: Vec<_> = words
                .iter()
                .map(|word| word.text().map(str::to_owned))
                .collect();
            words.into_iter().collect()
        });
    }
}

fn read_layout(value: &Value<'_>) -> Option<Layout> {
    match value.name()? {
        "trunk" => Some(Layout::Trunk),
        "branches" => Some(Layout::Branches),
        "project/branches" => Some(Layout::ProjectBranches),
        pattern => {
            let help = "write \"trunk\", \"branches\", \"project/branches\", or an expression with \
                        groups such as `(?P<branch>…)/(?P<file>.*)`";
            pattern_layout(value, pattern, help)
        }
    }
}

/// A layout by an expression with groups; `help` says what else can be written.
pub(super) fn pattern_layout(value: &Value<'_>, pattern: &str, help: &str) -> Option<Layout> {
    match LinePattern::from_start(pattern) {
        Ok(pattern) if pattern.groups() > 0 => Some(Layout::Pattern(pattern)),
        Ok(_) => {
            value.error("is not a layout", help);
            None
        }
        Err(error) => {
            value.error(&format!("is not a pattern: {error}"), help);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn pol_11_paths_are_split_as_the_layout_says() {
        let shown = |layout: &Layout, path: &str| {
            let place = layout.place(path)?;
            let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
            Some(format!(
                "{} {} {}",
                part(place.project),
                part(place.branch),
                place.file
            ))
        };
        let regex = "w/(?P<branch>rel/[^/]*)/(?P<file>.*)";
        let pattern = || Layout::Pattern(LinePattern::from_start(regex).unwrap());
        for (layout, path, place) in [
            (Layout::Trunk, "a/b.c", Some("- - a/b.c")),
            (Layout::Branches, "trunk/a/b.c", Some("- - a/b.c")),
            (Layout::Branches, "trunk", Some("- - ")),
            (Layout::Branches, "branches/x/a", Some("- branches/x a")),
            (Layout::Branches, "branches/x", Some("- branches/x ")),
            (Layout::Branches, "branches", None),
            (Layout::Branches, "tags/1/a", None),
            (Layout::ProjectBranches, "p/trunk/a", Some("p - a")),
            (
                Layout::ProjectBranches,
                "p/branches/x/a",
                Some("p branches/x a"),
            ),
            (Layout::ProjectBranches, "README", None),
            (pattern(), "w/rel/1/a.c", Some("- rel/1 a.c")),
            (pattern(), "w/a.c", None),
        ] {
            assert_eq!(shown(&layout, path).as_deref(), place, "{path}");
        }
    }
}
