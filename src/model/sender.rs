//! Who sends changes by HTTP and by mail: the names of what is sent, for the configuration and for
//! those who read it.

use std::fmt;

use serde::{Serialize, Serializer};

/// Who sends, and so what the payload looks like.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum HookDialect {
    #[default]
    /// Form fields, as scripts and `curl` send them.
    Base,
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// Gogs.
    Gogs,
    /// Bitbucket before it had webhooks (its POST service).
    Bitbucket,
    /// bitbucket.org.
    BitbucketCloud,
    /// Bitbucket Server and Data Center.
    BitbucketServer,
    /// Gitorious.
    Gitorious,
    /// Google Code.
    Googlecode,
    /// No changes, but an order to poll.
    Poller,
}

impl HookDialect {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Base,
        Self::Github,
        Self::Gitlab,
        Self::Gitea,
        Self::Forgejo,
        Self::Gogs,
        Self::Bitbucket,
        Self::BitbucketCloud,
        Self::BitbucketServer,
        Self::Gitorious,
        Self::Googlecode,
        Self::Poller,
    ];

    /// Its name in addresses and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Gitea => "gitea",
            Self::Forgejo => "forgejo",
            Self::Gogs => "gogs",
            Self::Bitbucket => "bitbucket",
            Self::BitbucketCloud => "bitbucketcloud",
            Self::BitbucketServer => "bitbucketserver",
            Self::Gitorious => "gitorious",
            Self::Googlecode => "googlecode",
            Self::Poller => "poller",
        }
    }

    /// The dialect of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

impl fmt::Display for HookDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for HookDialect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The program that sends the mails, and so what their text looks like.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum MailFormat {
    #[default]
    /// `buildbot_cvs_mail.py` of Buildbot.
    Cvs,
    /// `commit-email.pl` of Subversion.
    Svn,
    /// Branches of Bazaar at Launchpad.
    Launchpad,
    /// FreshCVS.
    Freshcvs,
    /// `syncmail` of SourceForge.
    Syncmail,
    /// Bonsai.
    Bonsai,
}

impl MailFormat {
    /// All formats.
    pub const ALL: [Self; 6] = [
        Self::Cvs,
        Self::Svn,
        Self::Launchpad,
        Self::Freshcvs,
        Self::Syncmail,
        Self::Bonsai,
    ];

    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cvs => "cvs",
            Self::Svn => "svn",
            Self::Launchpad => "launchpad",
            Self::Freshcvs => "freshcvs",
            Self::Syncmail => "syncmail",
            Self::Bonsai => "bonsai",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for MailFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for MailFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
