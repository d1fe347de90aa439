//! `[[change_sources]]`: the table of the kinds, and what all of them have (section 1).
//!
//! A new kind is a file with its settings, which implement `SourceSettings`, a variant of
//! [`ChangeSourceKind`] with a line in each of its two `match`es, and a row of `KINDS`. Its
//! driver, if it acts by itself, is a file of `changes` with a line in `changes::drivers`.

mod access;
mod approval;
mod bzr_poller;
mod change_hook;
mod cvs_poller;
mod fields;
mod gerrit;
mod git_poller;
mod hg_poller;
mod kind;
mod maildir;
mod network;
mod p4_source;
mod pb;
mod poller;
mod pull_poller;
pub(super) mod ref_rules;
pub(super) mod rules;
pub(super) mod slave_port;
mod svn_poller;

use std::ops::Range;

use serde::Serialize;

use self::kind::SourceSettings;
use self::slave_port::SlavePort;
use super::reader::Table;
use super::repositories::RepositoryConfig;
use super::secret::Secret;
use super::shape::{KindShape, Shape};
use crate::model::SourceName;

pub use self::access::{LoginAccess, SshAccess};
pub use self::approval::{Approval, ApprovalRules};
pub use self::bzr_poller::BzrPollerConfig;
pub use self::change_hook::ChangeHookConfig;
pub use self::cvs_poller::CvsPollerConfig;
pub use self::fields::ChangeFields;
pub use self::gerrit::GerritConfig;
pub use self::git_poller::{GitPollerConfig, GitStart, History, NewBranch};
pub use self::hg_poller::HgPollerConfig;
pub use self::maildir::MaildirConfig;
pub use self::network::Network;
pub use self::p4_source::P4SourceConfig;
pub use self::pb::PbSourceConfig;
pub use self::poller::PollerConfig;
pub use self::pull_poller::PullPollerConfig;
pub use self::ref_rules::{BranchRule, BranchRules};
pub use self::rules::{SetField, SetFields, SourceRules};
pub use self::svn_poller::{Layout, Place, SvnPollerConfig};

/// Where changes come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeSourceConfig {
    /// Its name: the key `name`, or what the kind makes of its settings (INT-01).
    pub name: SourceName,
    /// What it makes of its changes before they are taken.
    #[serde(flatten)]
    pub rules: SourceRules,
    /// What it is.
    #[serde(flatten)]
    pub kind: ChangeSourceKind,
}

/// Kinds of change source.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum ChangeSourceKind {
    /// `PB`: `sendchange`.
    #[serde(rename = "PB")]
    Pb(PbSourceConfig),
    /// `ChangeHook`: code hosts and scripts that tell of a push by HTTP.
    ChangeHook(Box<ChangeHookConfig>),
    /// `Maildir`: commit mails.
    Maildir(Box<MaildirConfig>),
    /// `GitPoller`.
    #[serde(rename = "GitPoller")]
    Git(Box<GitPollerConfig>),
    /// `SVNPoller`.
    #[serde(rename = "SVNPoller")]
    Svn(Box<SvnPollerConfig>),
    /// `HgPoller`.
    #[serde(rename = "HgPoller")]
    Hg(Box<HgPollerConfig>),
    /// `BzrPoller`.
    #[serde(rename = "BzrPoller")]
    Bzr(Box<BzrPollerConfig>),
    /// `CVSPoller`.
    #[serde(rename = "CVSPoller")]
    Cvs(Box<CvsPollerConfig>),
    /// `P4Source`.
    #[serde(rename = "P4Source")]
    P4(Box<P4SourceConfig>),
    /// `PullRequestPoller`: pull requests at code hosts.
    #[serde(rename = "PullRequestPoller")]
    Pulls(Box<PullPollerConfig>),
    /// `GerritChangeSource`: events of a Gerrit server.
    #[serde(rename = "GerritChangeSource")]
    Gerrit(Box<GerritConfig>),
}

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// A change source of this kind whose table says nothing.
    usual: fn() -> ChangeSourceKind,
}

/// The kinds of change source.
static KINDS: [Kind; 11] = [
    kind("PB", &[pb::KEYS], || {
        ChangeSourceKind::Pb(PbSourceConfig::default())
    }),
    kind(
        "ChangeHook",
        &[change_hook::KEYS, fields::KEYS, approval::KEYS],
        || ChangeSourceKind::ChangeHook(Box::default()),
    ),
    kind("Maildir", &[maildir::KEYS, fields::KEYS], || {
        ChangeSourceKind::Maildir(Box::default())
    }),
    kind(
        "GitPoller",
        &[
            git_poller::KEYS,
            poller::KEYS,
            access::LOGIN_KEYS,
            access::SSH_KEYS,
        ],
        || ChangeSourceKind::Git(Box::default()),
    ),
    kind(
        "SVNPoller",
        &[
            svn_poller::KEYS,
            poller::KEYS,
            access::LOGIN_KEYS,
            access::SSH_KEYS,
        ],
        || ChangeSourceKind::Svn(Box::default()),
    ),
    kind(
        "HgPoller",
        &[hg_poller::KEYS, poller::KEYS, access::SSH_KEYS],
        || ChangeSourceKind::Hg(Box::default()),
    ),
    kind("BzrPoller", &[bzr_poller::KEYS, poller::KEYS], || {
        ChangeSourceKind::Bzr(Box::default())
    }),
    kind("CVSPoller", &[cvs_poller::KEYS, poller::KEYS], || {
        ChangeSourceKind::Cvs(Box::default())
    }),
    kind(
        "P4Source",
        &[p4_source::KEYS, poller::KEYS, access::LOGIN_KEYS],
        || ChangeSourceKind::P4(Box::default()),
    ),
    kind(
        "PullRequestPoller",
        &[pull_poller::KEYS, poller::KEYS, approval::KEYS],
        || ChangeSourceKind::Pulls(Box::default()),
    ),
    kind(
        "GerritChangeSource",
        &[gerrit::KEYS, access::SSH_KEYS],
        || ChangeSourceKind::Gerrit(Box::default()),
    ),
];

const fn kind(
    name: &'static str,
    keys: &'static [&'static [&'static str]],
    usual: fn() -> ChangeSourceKind,
) -> Kind {
    let shape = KindShape { name, keys };
    Kind { shape, usual }
}

pub(super) static SHAPE: Shape = Shape {
    place: "change_sources",
    noun: "change source",
    keys: &["type", "name", "filter", "set", "skip_marks"],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

/// What change sources may refer to while they are read.
pub(super) struct Around<'a, 'n> {
    /// The slave port.
    pub(super) slave_port: &'n SlavePort<'a, 'n>,
    /// The register of repositories.
    pub(super) repositories: &'n [RepositoryConfig],
    /// The change sources before this one.
    pub(super) before: &'n [ChangeSourceConfig],
}

impl ChangeSourceConfig {
    /// The password or secret that its senders know, if they need one.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.kind.settings().password()
    }

    /// Its settings, if it takes changes over the wire.
    #[must_use]
    pub const fn pb(&self) -> Option<&PbSourceConfig> {
        if let ChangeSourceKind::Pb(pb) = &self.kind {
            Some(pb)
        } else {
            None
        }
    }

    /// Its settings, if it takes hooks over HTTP.
    #[must_use]
    pub fn change_hook(&self) -> Option<&ChangeHookConfig> {
        if let ChangeSourceKind::ChangeHook(hook) = &self.kind {
            Some(hook)
        } else {
            None
        }
    }

    /// Its settings, if it takes mails.
    #[must_use]
    pub fn maildir(&self) -> Option<&MaildirConfig> {
        if let ChangeSourceKind::Maildir(maildir) = &self.kind {
            Some(maildir)
        } else {
            None
        }
    }
}

impl ChangeSourceKind {
    /// Its type, as the configuration calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.settings().kind()
    }

    /// Whether it builds some changes only after somebody has approved them.
    #[must_use]
    pub const fn takes_approvals(&self) -> bool {
        matches!(self, Self::Pulls(_) | Self::ChangeHook(_))
    }

    /// The repository whose commits it looks for, by name or address, if it looks for commits.
    #[must_use]
    pub fn polls(&self) -> Option<String> {
        self.settings().polls()
    }

    /// What it has in common with all sources that look for changes themselves.
    #[must_use]
    pub fn poller(&self) -> Option<&PollerConfig> {
        self.settings().poller()
    }

    fn settings(&self) -> &dyn SourceSettings {
        match self {
            Self::Pb(pb) => pb,
            Self::ChangeHook(hook) => hook.as_ref(),
            Self::Maildir(maildir) => maildir.as_ref(),
            Self::Git(git) => git.as_ref(),
            Self::Svn(svn) => svn.as_ref(),
            Self::Hg(hg) => hg.as_ref(),
            Self::Bzr(bzr) => bzr.as_ref(),
            Self::Cvs(cvs) => cvs.as_ref(),
            Self::P4(p4) => p4.as_ref(),
            Self::Pulls(pulls) => pulls.as_ref(),
            Self::Gerrit(gerrit) => gerrit.as_ref(),
        }
    }

    fn settings_mut(&mut self) -> &mut dyn SourceSettings {
        match self {
            Self::Pb(pb) => pb,
            Self::ChangeHook(hook) => hook.as_mut(),
            Self::Maildir(maildir) => maildir.as_mut(),
            Self::Git(git) => git.as_mut(),
            Self::Svn(svn) => svn.as_mut(),
            Self::Hg(hg) => hg.as_mut(),
            Self::Bzr(bzr) => bzr.as_mut(),
            Self::Cvs(cvs) => cvs.as_mut(),
            Self::P4(p4) => p4.as_mut(),
            Self::Pulls(pulls) => pulls.as_mut(),
            Self::Gerrit(gerrit) => gerrit.as_mut(),
        }
    }
}

/// Reads all change sources.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    slave_port: &SlavePort<'a, '_>,
    repositories: &[RepositoryConfig],
) -> Vec<ChangeSourceConfig> {
    let mut sources: Vec<ChangeSourceConfig> = Vec::new();
    let tables = root.take("change_sources").map(|v| v.tables(&SHAPE));
    for mut table in tables.into_iter().flatten() {
        let Some(kind) = table.kind(&KINDS, |kind| kind.shape, None) else {
            continue;
        };
        let mut kind = (kind.usual)();
        let around = Around {
            slave_port,
            repositories,
            before: &sources,
        };
        kind.settings_mut().read(&mut table, &around);
        let mut rules = SourceRules::default();
        rules.read(&mut table);
        let given = table.take("name");
        let place = given
            .as_ref()
            .map_or(table.span.clone(), |name| name.span());
        let name = match &given {
            Some(name) => name.name().map(str::to_owned),
            None => Some(kind.settings().usual_name()),
        };
        let source = ChangeSourceConfig {
            name: name.unwrap_or_default().into(),
            rules,
            kind,
        };
        check_name(&table, place, &source, &sources);
        table.finish();
        sources.push(source);
    }
    sources
}

/// Reports a source that has the name of one before it.
fn check_name(
    table: &Table<'_>,
    place: Range<usize>,
    source: &ChangeSourceConfig,
    before: &[ChangeSourceConfig],
) {
    let mut others = before.iter().filter(|other| other.name == source.name);
    // What else two PB sources share is reported there: their user, or their port.
    let is_reported = |other: &ChangeSourceConfig| {
        let usual = [other, source].map(|one| one.pb().map(SourceSettings::usual_name));
        usual
            .iter()
            .all(|usual| usual.as_deref() == Some(source.name.as_str()))
    };
    if others.any(|other| !is_reported(other)) {
        let message = format!("two change sources have the name `{}`", source.name);
        let help = "give one of them another `name`";
        table.sink.error(place, message, help);
    }
}
