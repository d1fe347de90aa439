//! `[[status]]`: the table of the kinds (section 1), who is told what happens.

pub(super) mod command;
pub(super) mod commit_status;
pub(super) mod gerrit_status_push;
pub(super) mod http_status_push;
pub(super) mod irc;
pub(super) mod mail_notifier;
pub(super) mod pb_listener;
pub(super) mod stash_status_push;
pub(super) mod telling;
pub(super) mod webhook;

use serde::Serialize;

use super::mail_transport;
use super::reader::Table;
use super::repositories::RepositoryConfig;
use super::schedulers::try_userpass::Listeners;
use super::schedulers::{Builders, SchedulerConfig};
use super::secret::Secret;
use super::shape::{KindShape, Shape};

pub use self::command::CommandConfig;
pub use self::commit_status::{CommitStatusConfig, StashServer};
pub use self::gerrit_status_push::GerritStatusPushConfig;
pub use self::http_status_push::HttpStatusPushConfig;
pub use self::irc::{IrcChannel, IrcConfig};
pub use self::mail_notifier::{AttachedLogs, MailLookup, MailNotifierConfig};
pub use self::pb_listener::PbListenerConfig;
pub use self::telling::{EndedBuild, Telling};
pub use self::webhook::WebhookConfig;

/// Who is told what happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum StatusConfig {
    /// `PBListener`: live status clients, such as `buildbot statuslog`.
    #[serde(rename = "PBListener")]
    PbListener(PbListenerConfig),
    /// `MailNotifier`: mail about builds.
    #[serde(rename = "MailNotifier")]
    Mail(Box<MailNotifierConfig>),
    /// `webhook`: requests by HTTP about builds.
    #[serde(rename = "webhook")]
    Webhook(Box<WebhookConfig>),
    /// `command`: a program that gets reports of builds.
    #[serde(rename = "command")]
    Command(Box<CommandConfig>),
    /// `commit-status`: code hosts are told what builds make of commits.
    #[serde(rename = "commit-status")]
    CommitStatus(Box<CommitStatusConfig>),
    /// `StashStatusPush`: a Bitbucket Server is told what builds make of commits.
    #[serde(rename = "StashStatusPush")]
    Stash(Box<CommitStatusConfig>),
    /// `GerritStatusPush`: reviews of changes at Gerrit.
    #[serde(rename = "GerritStatusPush")]
    Gerrit(Box<GerritStatusPushConfig>),
    /// `HttpStatusPush`: requests by HTTP about builds, in the form of Buildbot 0.8.
    #[serde(rename = "HttpStatusPush")]
    HttpPush(Box<HttpStatusPushConfig>),
    /// `IRC`: a bot in channels.
    #[serde(rename = "IRC")]
    Irc(Box<IrcConfig>),
}

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// A status target of this kind whose table says nothing.
    usual: fn() -> StatusConfig,
}

/// The kinds of status target.
static KINDS: [Kind; 9] = [
    Kind {
        shape: KindShape {
            name: "PBListener",
            keys: &[pb_listener::KEYS],
        },
        usual: || StatusConfig::PbListener(PbListenerConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "MailNotifier",
            keys: &[telling::KEYS, mail_notifier::KEYS, mail_transport::KEYS],
        },
        usual: || StatusConfig::Mail(Box::default()),
    },
    Kind {
        shape: KindShape {
            name: "webhook",
            keys: &[telling::KEYS, webhook::KEYS],
        },
        usual: || StatusConfig::Webhook(Box::default()),
    },
    Kind {
        shape: KindShape {
            name: "command",
            keys: &[telling::KEYS, command::KEYS],
        },
        usual: || StatusConfig::Command(Box::default()),
    },
    Kind {
        shape: KindShape {
            name: "commit-status",
            keys: &[commit_status::KEYS],
        },
        usual: || StatusConfig::CommitStatus(Box::default()),
    },
    Kind {
        shape: KindShape {
            name: "StashStatusPush",
            keys: &[stash_status_push::KEYS],
        },
        usual: || StatusConfig::Stash(Box::new(stash_status_push::usual())),
    },
    Kind {
        shape: KindShape {
            name: "GerritStatusPush",
            keys: &[telling::KEYS, gerrit_status_push::KEYS],
        },
        usual: || StatusConfig::Gerrit(Box::default()),
    },
    Kind {
        shape: KindShape {
            name: "HttpStatusPush",
            keys: &[telling::KEYS, http_status_push::KEYS],
        },
        usual: || StatusConfig::HttpPush(Box::default()),
    },
    Kind {
        shape: KindShape {
            name: "IRC",
            keys: &[irc::KEYS],
        },
        usual: || StatusConfig::Irc(Box::default()),
    },
];

pub(super) static SHAPE: Shape = Shape {
    place: "status",
    noun: "status target",
    keys: &["type"],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

/// What status targets refer to while they are read.
pub(super) struct Around<'a, 'n> {
    /// The names of the builders.
    pub(super) builders: &'n Builders<'a>,
    /// The names of the targets before this one.
    pub(super) names: &'n [&'n str],
}

impl StatusConfig {
    /// The name for people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::PbListener(listener) => listener.name(),
            Self::Mail(_)
            | Self::Webhook(_)
            | Self::Command(_)
            | Self::Gerrit(_)
            | Self::HttpPush(_)
            | Self::CommitStatus(_)
            | Self::Stash(_)
            | Self::Irc(_) => self.target().unwrap_or_default().to_owned(),
        }
    }

    /// The password of its clients, if they log in.
    #[must_use]
    pub const fn password(&self) -> Option<&Secret> {
        if let Self::PbListener(listener) = self {
            Some(&listener.password)
        } else {
            None
        }
    }

    /// Its settings, if status clients connect to it.
    #[must_use]
    pub const fn pb_listener(&self) -> Option<&PbListenerConfig> {
        if let Self::PbListener(listener) = self {
            Some(listener)
        } else {
            None
        }
    }

    /// Its settings, if it mails.
    #[must_use]
    pub fn mail(&self) -> Option<&MailNotifierConfig> {
        if let Self::Mail(mail) = self {
            Some(mail)
        } else {
            None
        }
    }

    /// The name that its letters carry, if it gets letters.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::CommitStatus(status) | Self::Stash(status) => Some(&status.telling.name),
            Self::Mail(_)
            | Self::Webhook(_)
            | Self::Command(_)
            | Self::Gerrit(_)
            | Self::HttpPush(_)
            | Self::PbListener(_)
            | Self::Irc(_) => self.telling().map(|telling| telling.name.as_str()),
        }
    }

    /// Its settings, if it tells code hosts of commits.
    #[must_use]
    pub fn commit_status(&self) -> Option<&CommitStatusConfig> {
        match self {
            Self::CommitStatus(status) | Self::Stash(status) => Some(status),
            Self::Mail(_)
            | Self::Webhook(_)
            | Self::Command(_)
            | Self::Gerrit(_)
            | Self::HttpPush(_)
            | Self::PbListener(_)
            | Self::Irc(_) => None,
        }
    }

    /// Its settings, if it is a bot on IRC.
    #[must_use]
    pub fn irc(&self) -> Option<&IrcConfig> {
        if let Self::Irc(irc) = self {
            Some(irc)
        } else {
            None
        }
    }

    /// The name of the template that words its letters, if it has one.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        match self {
            Self::Mail(mail) => mail.template.as_deref(),
            Self::Webhook(webhook) => webhook.template.as_deref(),
            Self::Irc(irc) => irc.template.as_deref(),
            Self::Command(_)
            | Self::Gerrit(_)
            | Self::HttpPush(_)
            | Self::PbListener(_)
            | Self::CommitStatus(_)
            | Self::Stash(_) => None,
        }
    }

    /// Which builds it reports, if it reports builds.
    #[must_use]
    pub fn telling(&self) -> Option<&Telling> {
        match self {
            Self::Mail(mail) => Some(&mail.telling),
            Self::Webhook(webhook) => Some(&webhook.telling),
            Self::Command(command) => Some(&command.telling),
            Self::Gerrit(gerrit) => Some(&gerrit.telling),
            Self::HttpPush(push) => Some(&push.telling),
            Self::Irc(irc) => Some(&irc.telling),
            Self::PbListener(_) | Self::CommitStatus(_) | Self::Stash(_) => None,
        }
    }
}

/// Reads all status targets. `listeners` and `schedulers` are what else listens.
pub(super) fn read(
    root: &mut Table<'_>,
    listeners: Listeners<'_, '_>,
    schedulers: &[std::sync::Arc<SchedulerConfig>],
    (builders, repositories): (&Builders<'_>, &[RepositoryConfig]),
) -> Vec<StatusConfig> {
    let mut targets: Vec<StatusConfig> = Vec::new();
    let tables = root.take("status").map(|v| v.tables(&SHAPE));
    for mut table in tables.into_iter().flatten() {
        let Some(kind) = table.kind(&KINDS, |kind| kind.shape, None) else {
            continue;
        };
        let mut target = (kind.usual)();
        let names: Vec<_> = targets.iter().filter_map(StatusConfig::target).collect();
        let around = Around {
            builders,
            names: &names,
        };
        match &mut target {
            StatusConfig::PbListener(listener) => {
                let before: Vec<_> = targets
                    .iter()
                    .filter_map(StatusConfig::pb_listener)
                    .collect();
                listener.read(&mut table, listeners, schedulers, &before);
            }
            StatusConfig::Mail(mail) => mail.read(&mut table, &around),
            StatusConfig::Webhook(webhook) => webhook.read(&mut table, &around),
            StatusConfig::Command(command) => command.read(&mut table, &around),
            StatusConfig::Gerrit(gerrit) => gerrit.read(&mut table, &around),
            StatusConfig::HttpPush(push) => push.read(&mut table, &around),
            StatusConfig::CommitStatus(status) => {
                status.read(&mut table, &around, repositories);
            }
            StatusConfig::Stash(status) => {
                stash_status_push::read(status, &mut table, &around);
            }
            StatusConfig::Irc(irc) => irc.read(&mut table, &around),
        }
        table.finish();
        targets.push(target);
    }
    targets
}
