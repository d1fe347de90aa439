//! The states of commits as code hosts take them (PSH-04).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::pulls::{PullHost, PullSite};
use crate::model::CommitState;

/// What a code host is told of a commit.
#[derive(Clone, Debug)]
pub struct CommitStatus<'s> {
    /// The revision.
    pub revision: &'s str,
    /// What the state is called.
    pub context: &'s str,
    /// What people see as its name where that is another text: what it is called.
    pub name: &'s str,
    /// The state.
    pub state: CommitState,
    /// The state in words.
    pub description: &'s str,
    /// The page about it.
    pub url: &'s str,
}

/// Characters of a description, at the host that takes the fewest.
const LONGEST_DESCRIPTION: usize = 140;

/// Characters of a key at Bitbucket.
const LONGEST_KEY: usize = 40;

impl PullSite {
    /// Where the state of a commit is posted, and what.
    #[must_use]
    pub fn status(&self, status: &CommitStatus<'_>) -> (String, Value) {
        let revision = utf8_percent_encode(status.revision, NON_ALPHANUMERIC);
        let place = self.place();
        let description = short(status.description);
        let state = state_at(self.host, status.state);
        let (context, url) = (status.context, status.url);
        match self.host {
            PullHost::GitHub | PullHost::Gitea => {
                let body = json!({
                    "state": state, "context": context, "description": description,
                    "target_url": url,
                });
                (format!("{place}/statuses/{revision}"), body)
            }
            PullHost::GitLab => {
                let body = json!({
                    "state": state, "name": context, "description": description,
                    "target_url": url,
                });
                (format!("{place}/statuses/{revision}"), body)
            }
            PullHost::BitbucketServer => {
                let server = self.api.trim_end_matches("/rest/api/1.0");
                status_at_server(server, status)
            }
            PullHost::BitbucketCloud => {
                let at = format!("{place}/commit/{revision}/statuses/build");
                (at, bitbucket(self.host, status))
            }
        }
    }
}

/// Where the state of a commit is posted at the Bitbucket Server with this address, and what.
#[must_use]
pub fn status_at_server(server: &str, status: &CommitStatus<'_>) -> (String, Value) {
    let revision = utf8_percent_encode(status.revision, NON_ALPHANUMERIC);
    let server = server.trim_end_matches('/');
    let at = format!("{server}/rest/build-status/1.0/commits/{revision}");
    (at, bitbucket(PullHost::BitbucketServer, status))
}

fn bitbucket(host: PullHost, status: &CommitStatus<'_>) -> Value {
    json!({
        "key": key(status.context),
        "state": state_at(host, status.state),
        "name": status.name,
        "description": short(status.description),
        "url": status.url,
    })
}

fn short(description: &str) -> String {
    description.chars().take(LONGEST_DESCRIPTION).collect()
}

/// A context as a key: what is too long is cut in the middle, where names are most alike.
fn key(context: &str) -> String {
    let length = context.chars().count();
    if length <= LONGEST_KEY {
        return context.to_owned();
    }
    let half = LONGEST_KEY / 2;
    let end = context.chars().skip(length - half);
    context.chars().take(half).chain(end).collect()
}

const fn state_at(host: PullHost, state: CommitState) -> &'static str {
    match (host, state) {
        (PullHost::GitHub | PullHost::Gitea, CommitState::Running)
        | (PullHost::GitHub | PullHost::Gitea | PullHost::GitLab, CommitState::Pending) => {
            "pending"
        }
        (PullHost::GitLab, CommitState::Running) => "running",
        (PullHost::GitHub | PullHost::Gitea | PullHost::GitLab, CommitState::Success) => "success",
        (PullHost::GitHub | PullHost::Gitea, CommitState::Failure) => "failure",
        (PullHost::GitHub | PullHost::Gitea, CommitState::Error) => "error",
        (PullHost::GitLab, CommitState::Failure | CommitState::Error) => "failed",
        (
            PullHost::BitbucketCloud | PullHost::BitbucketServer,
            CommitState::Pending | CommitState::Running,
        ) => "INPROGRESS",
        (PullHost::BitbucketCloud | PullHost::BitbucketServer, CommitState::Success) => {
            "SUCCESSFUL"
        }
        (
            PullHost::BitbucketCloud | PullHost::BitbucketServer,
            CommitState::Failure | CommitState::Error,
        ) => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn psh_04_each_code_host_gets_the_state_in_its_own_words() {
        let told = |host: &str, url: &str, state| {
            let site = PullSite::of(PullHost::named(host).unwrap(), None, url).unwrap();
            let context = "buildmaster/a-builder-with-a-name-that-is-very-long";
            let (url, body) = site.status(&CommitStatus {
                revision: "c0ffee",
                context,
                name: context,
                state,
                description: "failed test",
                url: "https://ci.example.org/b",
            });
            let name = body.get("context").or(body.get("name")).unwrap();
            assert_eq!(name, context);
            (url, body["state"].as_str().unwrap().to_owned(), body)
        };
        let (url, state, body) = told("github", "https://github.com/o/n.git", CommitState::Running);
        assert_eq!(url, "https://api.github.com/repos/o/n/statuses/c0ffee");
        assert_eq!(
            (state.as_str(), &body["target_url"]),
            ("pending", &json!("https://ci.example.org/b"))
        );
        let (url, state, _) = told("gitlab", "https://gl.example/g/s/n.git", CommitState::Error);
        assert_eq!(
            url,
            "https://gl.example/api/v4/projects/g%2Fs%2Fn/statuses/c0ffee"
        );
        assert_eq!(state, "failed");
        let (url, state, _) = told("forgejo", "https://fj.example/o/n", CommitState::Failure);
        assert_eq!(url, "https://fj.example/api/v1/repos/o/n/statuses/c0ffee");
        assert_eq!(state, "failure");
        let (url, state, body) = told(
            "bitbucketcloud",
            "https://bitbucket.org/o/n",
            CommitState::Success,
        );
        assert_eq!(
            url,
            "https://api.bitbucket.org/2.0/repositories/o/n/commit/c0ffee/statuses/build"
        );
        assert_eq!(
            (state.as_str(), body["key"].as_str().unwrap().len()),
            ("SUCCESSFUL", 40)
        );
        let (url, state, _) = told(
            "bitbucketserver",
            "https://bb.example/scm/p/n.git",
            CommitState::Pending,
        );
        assert_eq!(
            url,
            "https://bb.example/rest/build-status/1.0/commits/c0ffee"
        );
        assert_eq!(state, "INPROGRESS");
    }

    #[test]
    fn psh_05_a_stash_is_told_by_its_own_address_key_and_name() {
        let (url, body) = status_at_server(
            "https://stash.example.org/",
            &CommitStatus {
                revision: "c0ffee",
                context: "full",
                name: "The full build",
                state: CommitState::Running,
                description: "running",
                url: "https://ci.example.org/b",
            },
        );
        assert_eq!(
            url,
            "https://stash.example.org/rest/build-status/1.0/commits/c0ffee"
        );
        let expected = json!({
            "key": "full", "state": "INPROGRESS", "name": "The full build",
            "description": "running", "url": "https://ci.example.org/b",
        });
        assert_eq!(body, expected);
    }
}
