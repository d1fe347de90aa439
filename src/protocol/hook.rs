//! What code hosts and scripts send by HTTP when something was pushed: from a request to changes,
//! without I/O (HKI-01 to HKI-07).
//!
//! Each [`Dialect`] has a file that reads its payload. A field that is missing is empty; what has
//! another type than the dialect says is treated as missing, but for the `base` dialect, which
//! people fill in by hand. Commit times go to `made_at`; only `when` of `base` counts for timers.

mod base;
mod bitbucket;
mod bitbucket_cloud;
mod bitbucket_server;
mod gitea;
mod github;
mod gitlab;
mod gitorious;
mod googlecode;
pub(super) mod payload;
pub(super) mod pull;
pub(super) mod push;
mod signature;

use super::bounds::bound_or_refuse;
use crate::model::NewChange;
use crate::text::Encoding;

pub use self::signature::{Unsigned, check};
pub use crate::model::HookDialect as Dialect;

/// A request, as far as hooks look at it.
#[derive(Clone, Debug, Default)]
pub struct Post {
    /// Names and values of the headers.
    pub headers: Vec<(String, String)>,
    /// The arguments of the address.
    pub query: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Post {
    /// The value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(its, _)| its.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// The value of an argument of the address.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&str> {
        let mut query = self.query.iter();
        query
            .find(|(its, _)| its == name)
            .map(|(_, value)| value.as_str())
    }

    /// The type of the body without its parameters, in lower case.
    fn content_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        let kind = value.split(';').next().unwrap_or_default();
        Some(kind.trim().to_ascii_lowercase())
    }
}

/// What the configuration says of a hook, as far as it changes what is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// Whether tags are changes, on a branch such as `refs/tags/v1`.
    pub tags: bool,
    /// The branch of changes whose sender names none.
    pub branch: Option<String>,
    /// Encoding of a body that is not UTF-8 (INT-08).
    pub encoding: Encoding,
}

/// What a request says.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Something changed.
    Changes(Pushed),
    /// Nothing that the master builds, and why.
    Nothing(String),
    /// A pull request was closed.
    Over {
        /// Address of its repository.
        repository: String,
        /// Its number.
        number: u64,
        /// What happened.
        why: String,
    },
    /// Pollers are to look now.
    Poll {
        /// The poller; absent: all that listen to hooks.
        poller: Option<String>,
    },
}

/// Changes that came together, parents before children.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pushed {
    /// At least one.
    pub changes: Vec<NewChange>,
    /// How many more commits the push had than the payload lists (HKI-07), if it says so.
    pub missing: u64,
    /// Whether the payload names the tips of branches alone, so that commits may be missing.
    pub tips_only: bool,
    /// The pull request that they are, if they are one.
    pub pull: Option<Origin>,
}

/// A pull request, as far as it decides whether an approval is needed (POL-13).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// Its number.
    pub number: u64,
    /// The name of its author at the host; empty if it is not known.
    pub author: String,
    /// Whether it comes from a branch of the repository itself, so that its author may push there.
    pub is_own: bool,
    /// Whether everybody may see the repository; absent: the host does not say.
    pub is_public: Option<bool>,
}

/// Why a request is not understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Misread {
    /// The body is of a type that this dialect does not have.
    #[error("the content type is {0}; this hook reads {1}")]
    ContentType(String, &'static str),
    /// The body is not what the dialect says.
    #[error("{0}")]
    Malformed(String),
}

/// Most commits of one push (HKI-03).
pub const MOST_COMMITS: usize = 2_000;
/// Deepest nesting of a payload (HKI-03).
pub const DEEPEST: usize = 64;
/// Most bytes of a body (HKI-03).
pub const LARGEST_BODY: usize = 5 * 1024 * 1024;

/// Reads a request. Its signature must be checked before ([`check`]).
///
/// # Errors
/// It is not what the dialect says.
pub fn read(dialect: Dialect, post: &Post, reading: &Reading) -> Result<Told, Misread> {
    let in_utf8 = payload::in_utf8(post, reading.encoding);
    let post = in_utf8.as_ref().unwrap_or(post);
    let mut told = match dialect {
        Dialect::Base => base::read(post),
        Dialect::Github => github::read(post, reading),
        Dialect::Gitlab => gitlab::read(post, reading),
        Dialect::Gitea => gitea::read("Gitea Pull Request", post, reading),
        Dialect::Forgejo => gitea::read("Forgejo Pull Request", post, reading),
        Dialect::Gogs => gitea::read("Gogs Pull Request", post, reading),
        Dialect::Bitbucket => bitbucket::read(post),
        Dialect::BitbucketCloud => bitbucket_cloud::read(post, reading),
        Dialect::BitbucketServer => bitbucket_server::read(post, reading),
        Dialect::Gitorious => gitorious::read(post),
        Dialect::Googlecode => googlecode::read(post, reading),
        Dialect::Poller => base::poll(post),
    }?;
    if let Told::Changes(pushed) = &mut told {
        for change in &mut pushed.changes {
            bound_or_refuse(change).map_err(|malformed| Misread::Malformed(malformed.0))?;
            for (name, field) in [
                ("project", &mut change.project),
                ("codebase", &mut change.codebase),
            ] {
                if let Some(value) = post.argument(name).filter(|value| !value.is_empty()) {
                    value.clone_into(field);
                }
            }
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests;
