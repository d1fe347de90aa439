//! `[[change_sources]]`: the table of the kinds (section 1).

mod pb;
pub(super) mod slave_port;

use serde::Serialize;

use self::slave_port::SlavePort;
use super::reader::Table;
use super::secret::Secret;
use super::shape::{KindShape, Shape};

pub use self::pb::PbSourceConfig;

/// Where changes come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum ChangeSourceConfig {
    /// `PB`: `sendchange`.
    #[serde(rename = "PB")]
    Pb(PbSourceConfig),
}

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// A change source of this kind whose table says nothing.
    usual: fn() -> ChangeSourceConfig,
}

/// The kinds of change source.
static KINDS: [Kind; 1] = [Kind {
    shape: KindShape {
        name: "PB",
        keys: &[pb::KEYS],
    },
    usual: || ChangeSourceConfig::Pb(PbSourceConfig::default()),
}];

pub(super) static SHAPE: Shape = Shape {
    place: "change_sources",
    noun: "change source",
    keys: &["type"],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

impl ChangeSourceConfig {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Pb(pb) => pb.name(),
        }
    }

    /// What its senders log in with, if they log in.
    #[must_use]
    pub const fn password(&self) -> Option<&Secret> {
        match self {
            Self::Pb(pb) => Some(&pb.password),
        }
    }

    /// Its settings, if it takes changes over the wire.
    #[must_use]
    pub const fn pb(&self) -> Option<&PbSourceConfig> {
        match self {
            Self::Pb(pb) => Some(pb),
        }
    }
}

/// Reads all change sources.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    slave_port: &SlavePort<'a, '_>,
) -> Vec<ChangeSourceConfig> {
    let mut sources: Vec<ChangeSourceConfig> = Vec::new();
    let tables = root.take("change_sources").map(|v| v.tables(&SHAPE));
    for mut table in tables.into_iter().flatten() {
        let Some(kind) = table.kind(&KINDS, |kind| kind.shape, None) else {
            continue;
        };
        let mut source = (kind.usual)();
        match &mut source {
            ChangeSourceConfig::Pb(pb) => {
                let before: Vec<_> = sources.iter().filter_map(ChangeSourceConfig::pb).collect();
                pb.read(&mut table, slave_port, &before);
            }
        }
        table.finish();
        sources.push(source);
    }
    sources
}
