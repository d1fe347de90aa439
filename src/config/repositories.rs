//! `[[repositories]]`: the register of repositories (GRD-05, CBS-01).
//!
//! A repository is named once, with all its addresses. Whatever a sender calls it, its changes get
//! its name, codebase and project, so that one repository under two addresses is one tree.

mod access;
mod address;

use serde::Serialize;

use super::names::Names;
use super::pattern::TextMatch;
use super::reader::{Table, Value};
use super::secret::Secret;
use super::shape::Shape;
use super::trace::Wanted;
use crate::model::NewChange;

pub(super) use self::access::{CREDENTIALS, HOST};
pub use self::access::{CodeHost, RepositoryCredentials};

/// A repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RepositoryConfig {
    /// Its name, which its changes have as their repository.
    pub name: String,
    /// Its addresses.
    pub urls: Vec<RepositoryUrl>,
    /// The codebase of its changes; absent: what the sender says.
    pub codebase: Option<String>,
    /// The project of its changes; absent: what the sender says.
    pub project: Option<String>,
    /// The branch that is meant where none is named.
    pub default_branch: Option<String>,
    /// Kind of version control, such as `git`; absent: what the sender says.
    pub vc: Option<&'static str>,
    /// The code host that it is on.
    pub host: Option<CodeHost>,
    /// Address of a revision for people, with `%(revision)s` and `%(branch)s`; absent: what the
    /// sender says.
    pub revlink: Option<String>,
    /// How it is accessed.
    pub credentials: RepositoryCredentials,
    /// The people who own its files.
    pub owners: Vec<String>,
    /// The file in it that says who owns which files: `CODEOWNERS`, wherever code hosts look for
    /// it, or its path.
    pub owners_file: Option<String>,
}

/// An address of a repository.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RepositoryUrl {
    /// This address, in any of its spellings.
    Text(String),
    /// Every address that matches as a whole. Each is a repository of its own, which keeps its
    /// address as its name.
    Pattern(TextMatch),
}

pub(super) static SHAPE: Shape = Shape {
    place: "repositories",
    noun: "repository",
    keys: &[
        "name",
        "urls",
        "codebase",
        "project",
        "default_branch",
        "vc",
        "host",
        "revlink",
        "credentials",
        "owners",
    ],
    kinds: Vec::new,
};

pub(super) static URL: Shape = Shape {
    place: "repositories.urls",
    noun: "this address",
    keys: &["regex"],
    kinds: Vec::new,
};

/// The kinds of version control; a test of `vc` sees that they are those that it knows.
pub const KINDS_OF_VC: [&str; 9] = [
    "git", "hg", "svn", "bzr", "darcs", "mtn", "cvs", "p4", "tla",
];

/// Reads all repositories.
pub(super) fn read(root: &mut Table<'_>) -> Vec<RepositoryConfig> {
    let mut names = Names::new("repository");
    let mut all: Vec<RepositoryConfig> = Vec::new();
    let tables = root.take("repositories").map(|v| v.tables(&SHAPE));
    for mut table in tables.into_iter().flatten() {
        let mut repository = RepositoryConfig::default();
        if let Some((name, _)) = names.declare(&mut table) {
            name.clone_into(&mut repository.name);
        }
        repository.read(&mut table, &all);
        table.finish();
        all.push(repository);
    }
    all
}

impl RepositoryConfig {
    /// Its first address that is a text: where it is cloned from.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.urls.iter().find_map(|url| match url {
            RepositoryUrl::Text(url) => Some(url.as_str()),
            RepositoryUrl::Pattern(_) => None,
        })
    }

    /// Its passwords and tokens.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let token = self.host.as_ref().and_then(|host| host.token.as_ref());
        self.credentials.password.iter().chain(token)
    }

    /// What a change is of if its sender calls its repository `said`: the name of this repository,
    /// or its address if that matches a pattern.
    fn name_for(&self, said: &str) -> Option<String> {
        if said == self.name {
            return Some(self.name.clone());
        }
        let address = address::normal(said);
        self.urls.iter().find_map(|url| match url {
            RepositoryUrl::Text(url) => {
                (address::normal(url) == address).then(|| self.name.clone())
            }
            RepositoryUrl::Pattern(pattern) => {
                pattern.is_match(Some(&address)).then(|| address.clone())
            }
        })
    }

    /// Gives `change` what the register says of its repository; what the sender said otherwise is
    /// noted.
    fn complete(&self, change: &mut NewChange) {
        for (what, own, said) in [
            ("codebase", &self.codebase, &mut change.codebase),
            ("project", &self.project, &mut change.project),
        ] {
            if let Some(own) = own
                && said != own
            {
                if !said.is_empty() {
                    change.notes.push(format!("the sender said {what} {said}"));
                }
                said.clone_from(own);
            }
        }
        if change.src.is_none() {
            change.src = self.vc.map(str::to_owned);
        }
        if let (Some(link), Some(revision), true) =
            (&self.revlink, &change.revision, change.revlink.is_empty())
        {
            let branch = change.branch.as_ref().or(self.default_branch.as_ref());
            let branch = branch.map_or("", |branch| branch);
            change.revlink = link
                .replace("%(revision)s", &address::escaped(revision))
                .replace("%(branch)s", &address::escaped(branch));
        }
    }

    fn read(&mut self, table: &mut Table<'_>, before: &[Self]) {
        if let Some(urls) = table.require("urls", "[\"https://example.org/widget.git\"]") {
            self.urls = read_urls(&urls, before);
        }
        for (key, setting) in [
            ("codebase", &mut self.codebase),
            ("project", &mut self.project),
            ("default_branch", &mut self.default_branch),
        ] {
            table.set_some(key, setting, |v| v.text().map(str::to_owned));
        }
        table.set_some("vc", &mut self.vc, |v| v.one_of(&KINDS_OF_VC));
        table.set_some("host", &mut self.host, CodeHost::read);
        table.set_some("revlink", &mut self.revlink, read_revlink);
        let credentials = &mut self.credentials;
        table.set("credentials", credentials, RepositoryCredentials::read);
        if let Some(value) = table.take("owners") {
            self.read_owners(&value);
        }
    }
}

impl RepositoryConfig {
    /// Takes the names of people, and a path whose last part is that of a file of owners.
    fn read_owners(&mut self, value: &Value<'_>) {
        for entry in value.one_or_list().unwrap_or_default() {
            let Some(owner) = entry.name() else { continue };
            match owner.rsplit('/').next() {
                Some(OWNERS_FILE) if self.owners_file.is_some() => {
                    entry.error("is a second file of owners", "name one of them");
                }
                Some(OWNERS_FILE) => self.owners_file = Some(owner.to_owned()),
                _ => self.owners.push(owner.to_owned()),
            }
        }
    }
}

/// The name of files that say who owns the files of a repository.
const OWNERS_FILE: &str = "CODEOWNERS";

/// Whether two names or addresses are of one repository.
#[must_use]
pub fn is_same_repository(repositories: &[RepositoryConfig], one: &str, other: &str) -> bool {
    let known = |text: &str| {
        let mut names = repositories.iter();
        let name = names.find_map(|repository| repository.name_for(text));
        name.unwrap_or_else(|| address::normal(text))
    };
    known(one) == known(other)
}

/// Gives `change` the name, codebase and project of its repository, if that is registered
/// (CBS-01). Otherwise the change stays as its sender says.
pub fn register(repositories: &[RepositoryConfig], change: &mut NewChange) {
    if change.repository.is_empty() {
        return;
    }
    for repository in repositories {
        if let Some(name) = repository.name_for(&change.repository) {
            change.repository = name;
            repository.complete(change);
            return;
        }
    }
}

fn read_urls(value: &Value<'_>, before: &[RepositoryConfig]) -> Vec<RepositoryUrl> {
    let mut urls = Vec::new();
    for entry in value.one_or_list().unwrap_or_default() {
        if entry.among([Wanted::Text, Wanted::Table]).is_table() {
            urls.extend(read_pattern(&entry).map(RepositoryUrl::Pattern));
            continue;
        }
        let Some(text) = entry.name() else { continue };
        let address = address::normal(text);
        let has_it = |known: &&RepositoryConfig| {
            let mut texts = known.urls.iter();
            texts.any(|url| matches!(url, RepositoryUrl::Text(u) if address::normal(u) == address))
        };
        if let Some(other) = before.iter().find(has_it) {
            let what = format!("is an address of the repository `{}` too", other.name);
            entry.error(&what, "give each repository addresses of its own");
        }
        urls.push(RepositoryUrl::Text(text.to_owned()));
    }
    urls
}

fn read_pattern(value: &Value<'_>) -> Option<TextMatch> {
    let mut table = value.table(&URL)?;
    let regex = table.require("regex", "\"https://example[.]org/.*\"");
    table.finish();
    let regex = regex?;
    match TextMatch::regex(&[&format!("(?:{})\\z", regex.text()?)]) {
        Ok(pattern) => Some(pattern),
        Err(wrong) => {
            regex.error("is not a valid pattern", wrong.to_string());
            None
        }
    }
}

fn read_revlink(value: &Value<'_>) -> Option<String> {
    let text = value.name()?;
    if !text.contains("%(revision)s") {
        let help = "for example `https://example.org/widget/commit/%(revision)s`";
        value.error("does not contain `%(revision)s`", help);
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests;
