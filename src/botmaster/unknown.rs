//! Answers about names that are not configured, with the name that may have been meant.

use super::BotMaster;
use crate::config::spelling::nearest;
use crate::model::{BuilderName, SlaveName};

impl BotMaster {
    /// Says that there is no such builder.
    pub(super) fn no_builder(&self, name: &BuilderName) -> String {
        let known = self.builders.iter().filter(|builder| builder.configured);
        let known = known.map(|builder| builder.config.name.as_str());
        unknown("builder", name.as_str(), known)
    }

    /// Says that there is no such slave.
    pub(super) fn no_slave(&self, name: &SlaveName) -> String {
        let known = self.slaves.iter().filter(|slave| slave.configured);
        let known = known.map(|slave| slave.config.name.as_str());
        unknown("slave", name.as_str(), known)
    }
}

fn unknown<'k>(kind: &str, name: &str, known: impl Iterator<Item = &'k str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("there is no {kind} {name}; did you mean {near}?"),
        None => format!("there is no {kind} {name}"),
    }
}
