//! Pull requests as the APIs of code hosts list them (POL-13): addresses to ask, and what the
//! answers say, without I/O.
//!
//! GitHub, GitLab, Gitea and Forgejo, Bitbucket Cloud and Bitbucket Server have an API each. What a
//! pull request becomes is the same change that its hook gives, so that it is built once.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::hook::payload::{number, text};
use super::hook::pull::{like_github, of_bitbucket_cloud, of_bitbucket_server, of_gitlab};
use super::hook::push::Pull;
use crate::model::NewChange;

pub use super::hook::pull::PullRequest;

/// A kind of code host, by its API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PullHost {
    /// GitHub and GitHub Enterprise.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
    /// bitbucket.org.
    BitbucketCloud,
    /// Bitbucket Server and Data Center.
    BitbucketServer,
}

/// A repository at a code host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PullSite {
    /// The kind of host.
    pub host: PullHost,
    /// Address of the API, without a slash at the end.
    pub api: String,
    /// The repository, such as `owner/name`.
    pub path: String,
}

/// A page of a list of pull requests.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PullPage {
    /// The pull requests.
    pub pulls: Vec<PullRequest>,
    /// The next page, for [`PullSite::list`].
    pub next: Option<u64>,
}

/// Pull requests or files of a page; Gitea allows no more by default.
const PAGE: usize = 50;

impl PullHost {
    /// The kind that a code host of the configuration is of, if it has pull requests.
    #[must_use]
    pub fn named(kind: &str) -> Option<Self> {
        Some(match kind {
            "github" => Self::GitHub,
            "gitlab" => Self::GitLab,
            "gitea" | "forgejo" => Self::Gitea,
            "bitbucketcloud" => Self::BitbucketCloud,
            "bitbucketserver" => Self::BitbucketServer,
            _ => return None,
        })
    }

    /// The value of the header `Authorization` with `token`.
    #[must_use]
    pub fn authorization(self, token: &str) -> String {
        match self {
            Self::Gitea => format!("token {token}"),
            Self::GitHub | Self::GitLab | Self::BitbucketCloud | Self::BitbucketServer => {
                format!("Bearer {token}")
            }
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub Pull Request",
            Self::GitLab => "GitLab Merge Request",
            Self::Gitea => "Pull Request",
            Self::BitbucketCloud | Self::BitbucketServer => "Bitbucket Pull Request",
        }
    }
}

impl PullSite {
    /// The repository at `url`. The address of the API follows from it unless `api` says it.
    #[must_use]
    pub fn of(host: PullHost, api: Option<&str>, url: &str) -> Option<Self> {
        let (server, path) = server_and_path(url)?;
        let path = match host {
            PullHost::BitbucketServer => path.strip_prefix("scm/").unwrap_or(path),
            PullHost::GitHub | PullHost::GitLab | PullHost::Gitea | PullHost::BitbucketCloud => {
                path
            }
        };
        let api = match (api, host) {
            (Some(api), _) => api.trim_end_matches('/').to_owned(),
            (None, PullHost::GitHub) if server == "github.com" => {
                "https://api.github.com".to_owned()
            }
            (None, PullHost::GitHub) => format!("https://{server}/api/v3"),
            (None, PullHost::GitLab) => format!("https://{server}/api/v4"),
            (None, PullHost::Gitea) => format!("https://{server}/api/v1"),
            (None, PullHost::BitbucketCloud) => "https://api.bitbucket.org/2.0".to_owned(),
            (None, PullHost::BitbucketServer) => format!("https://{server}/rest/api/1.0"),
        };
        let is_path = path.contains('/') && !path.contains(['?', '#', ' ']);
        is_path.then(|| Self {
            host,
            api,
            path: path.to_owned(),
        })
    }

    /// The first page of the list.
    #[must_use]
    pub const fn first_page(&self) -> u64 {
        match self.host {
            PullHost::BitbucketServer => 0,
            PullHost::GitHub | PullHost::GitLab | PullHost::Gitea | PullHost::BitbucketCloud => 1,
        }
    }

    /// Address of a page of the open pull requests, the last changed first.
    #[must_use]
    pub fn list(&self, page: u64) -> String {
        let place = self.place();
        match self.host {
            PullHost::GitHub => format!(
                "{place}/pulls?state=open&sort=updated&direction=desc&per_page={PAGE}&page={page}"
            ),
            PullHost::GitLab => format!(
                "{place}/merge_requests?state=opened&order_by=updated_at&sort=desc\
                 &per_page={PAGE}&page={page}"
            ),
            PullHost::Gitea => {
                format!("{place}/pulls?state=open&sort=recentupdate&limit={PAGE}&page={page}")
            }
            PullHost::BitbucketCloud => format!(
                "{place}/pullrequests?state=OPEN&sort=-updated_on&pagelen={PAGE}&page={page}"
            ),
            PullHost::BitbucketServer => {
                format!("{place}/pull-requests?state=OPEN&limit={PAGE}&start={page}")
            }
        }
    }

    /// Address of the files of a pull request.
    #[must_use]
    pub fn files(&self, pull: u64) -> String {
        let place = self.place();
        match self.host {
            PullHost::GitHub => format!("{place}/pulls/{pull}/files?per_page={PAGE}"),
            PullHost::GitLab => format!("{place}/merge_requests/{pull}/diffs?per_page={PAGE}"),
            PullHost::Gitea => format!("{place}/pulls/{pull}/files?limit={PAGE}"),
            PullHost::BitbucketCloud => {
                format!("{place}/pullrequests/{pull}/diffstat?pagelen={PAGE}")
            }
            PullHost::BitbucketServer => {
                format!("{place}/pull-requests/{pull}/changes?limit={PAGE}")
            }
        }
    }

    /// Address of the newest commit, if the list abbreviates its id.
    #[must_use]
    pub fn commit(&self, pull: &PullRequest) -> Option<String> {
        let is_short = self.host == PullHost::BitbucketCloud && pull.head.len() < 40;
        let head = utf8_percent_encode(&pull.head, NON_ALPHANUMERIC);
        is_short.then(|| format!("{}/commit/{head}", self.place()))
    }

    /// Reads a page of the list.
    ///
    /// # Errors
    /// It is not one.
    pub fn parse_list(&self, page: u64, body: &[u8]) -> Result<PullPage, String> {
        let answer = json(body)?;
        let items = self.items(&answer)?;
        let pulls: Vec<_> = items.iter().map(|item| self.pull(item)).collect();
        if let Some(odd) = pulls
            .iter()
            .find(|pull| pull.number == 0 || pull.head.is_empty())
        {
            return Err(format!("pull request {} has no commit", odd.number));
        }
        let next = match self.host {
            PullHost::BitbucketServer => number(&answer, "/nextPageStart"),
            PullHost::BitbucketCloud => answer.get("next").map(|_| page + 1),
            PullHost::GitHub | PullHost::GitLab | PullHost::Gitea => {
                (items.len() >= PAGE).then_some(page + 1)
            }
        };
        Ok(PullPage { pulls, next })
    }

    /// Reads the files of a pull request, and whether there are more.
    ///
    /// # Errors
    /// It is not a list of files.
    pub fn parse_files(&self, body: &[u8]) -> Result<(Vec<String>, bool), String> {
        let answer = json(body)?;
        let items = self.items(&answer)?;
        let paths: &[&str] = match self.host {
            PullHost::GitHub | PullHost::Gitea => &["/previous_filename", "/filename"],
            PullHost::GitLab => &["/old_path", "/new_path"],
            PullHost::BitbucketCloud => &["/old/path", "/new/path"],
            PullHost::BitbucketServer => &["/srcPath/toString", "/path/toString"],
        };
        let mut files: Vec<String> = Vec::new();
        for item in items {
            let names = paths.iter().map(|path| text(item, path));
            for name in names.filter(|name| !name.is_empty()) {
                if !files.contains(&name) {
                    files.push(name);
                }
            }
        }
        Ok((files, items.len() >= PAGE))
    }

    /// Reads the whole id of a commit.
    ///
    /// # Errors
    /// It has none.
    pub fn parse_commit(&self, body: &[u8]) -> Result<String, String> {
        match text(&json(body)?, "/hash") {
            hash if hash.is_empty() => Err("the commit has no hash".to_owned()),
            hash => Ok(hash),
        }
    }

    /// The change of a pull request, as its hook gives it.
    #[must_use]
    pub fn change(&self, pull: &PullRequest) -> NewChange {
        Pull {
            noun: self.host.noun(),
            number: pull.number,
            commits: None,
            branch: pull.branch.clone(),
            title: pull.title.clone(),
            target: pull.target.clone(),
            change: NewChange {
                who: pull.author.clone(),
                revision: Some(pull.head.clone()),
                revlink: pull.link.clone(),
                made_at: pull.updated_at,
                ..NewChange::default()
            },
        }
        .change()
    }

    /// The address of the repository in the API.
    pub(super) fn place(&self) -> String {
        let Self { api, path, .. } = self;
        match self.host {
            PullHost::GitHub | PullHost::Gitea => format!("{api}/repos/{path}"),
            PullHost::GitLab => {
                let path = utf8_percent_encode(path, NON_ALPHANUMERIC);
                format!("{api}/projects/{path}")
            }
            PullHost::BitbucketCloud => format!("{api}/repositories/{path}"),
            PullHost::BitbucketServer => {
                let (project, name) = path.split_once('/').unwrap_or_default();
                format!("{api}/projects/{project}/repos/{name}")
            }
        }
    }

    fn items<'v>(&self, answer: &'v Value) -> Result<&'v [Value], String> {
        let items = match self.host {
            PullHost::GitHub | PullHost::GitLab | PullHost::Gitea => answer.as_array(),
            PullHost::BitbucketCloud | PullHost::BitbucketServer => {
                answer.get("values").and_then(Value::as_array)
            }
        };
        let items = items.ok_or_else(|| "the answer is not a list".to_owned())?;
        Ok(items)
    }

    fn pull(&self, item: &Value) -> PullRequest {
        match self.host {
            PullHost::GitHub | PullHost::Gitea => like_github(item),
            PullHost::GitLab => of_gitlab(item),
            PullHost::BitbucketCloud => of_bitbucket_cloud(item),
            PullHost::BitbucketServer => of_bitbucket_server(item),
        }
    }
}

fn json(body: &[u8]) -> Result<Value, String> {
    super::hook::payload::json(body).map_err(|error| error.to_string())
}

/// The server and the path of `https://server/path.git` or `git@server:path.git`.
fn server_and_path(url: &str) -> Option<(&str, &str)> {
    let (authority, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        None => url.split_once(':')?,
    };
    let server = authority.rsplit_once('@').map_or(authority, |(_, s)| s);
    // The port of ssh is not that of the API.
    let server = match url.starts_with("http") {
        true => server,
        false => server.split(':').next().unwrap_or(server),
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!server.is_empty()).then_some((server, path))
}

#[cfg(test)]
mod tests;
