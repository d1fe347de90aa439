//! `[[status]]`: the table of the kinds (section 1), who is told what happens.

pub(super) mod pb_listener;

use serde::Serialize;

use super::reader::Table;
use super::schedulers::SchedulerConfig;
use super::schedulers::try_userpass::Listeners;
use super::secret::Secret;
use super::shape::{KindShape, Shape};

pub use self::pb_listener::PbListenerConfig;

/// Who is told what happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum StatusConfig {
    /// `PBListener`: live status clients, such as `buildbot statuslog`.
    #[serde(rename = "PBListener")]
    PbListener(PbListenerConfig),
}

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// A status target of this kind whose table says nothing.
    usual: fn() -> StatusConfig,
}

/// The kinds of status target.
static KINDS: [Kind; 1] = [Kind {
    shape: KindShape {
        name: "PBListener",
        keys: &[pb_listener::KEYS],
    },
    usual: || StatusConfig::PbListener(PbListenerConfig::default()),
}];

pub(super) static SHAPE: Shape = Shape {
    place: "status",
    noun: "status target",
    keys: &["type"],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

impl StatusConfig {
    /// The name for people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::PbListener(listener) => listener.name(),
        }
    }

    /// The password of its clients, if they log in.
    #[must_use]
    pub const fn password(&self) -> Option<&Secret> {
        match self {
            Self::PbListener(listener) => Some(&listener.password),
        }
    }

    /// Its settings, if status clients connect to it.
    #[must_use]
    pub const fn pb_listener(&self) -> Option<&PbListenerConfig> {
        match self {
            Self::PbListener(listener) => Some(listener),
        }
    }
}

/// Reads all status targets. `listeners` and `schedulers` are what else listens.
pub(super) fn read(
    root: &mut Table<'_>,
    listeners: Listeners<'_, '_>,
    schedulers: &[std::sync::Arc<SchedulerConfig>],
) -> Vec<StatusConfig> {
    let mut targets: Vec<StatusConfig> = Vec::new();
    let tables = root.take("status").map(|v| v.tables(&SHAPE));
    for mut table in tables.into_iter().flatten() {
        let Some(kind) = table.kind(&KINDS, |kind| kind.shape, None) else {
            continue;
        };
        let mut target = (kind.usual)();
        match &mut target {
            StatusConfig::PbListener(listener) => {
                let before: Vec<_> = targets
                    .iter()
                    .filter_map(StatusConfig::pb_listener)
                    .collect();
                listener.read(&mut table, listeners, schedulers, &before);
            }
        }
        table.finish();
        targets.push(target);
    }
    targets
}
