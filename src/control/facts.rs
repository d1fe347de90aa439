//! What a running master says of its own process.

use serde::{Deserialize, Serialize};

use crate::config::{Config, Listen};
use crate::model::Timestamp;

/// A port that is open.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OpenPort {
    /// Where, as the configuration names it.
    pub configured: Listen,
    /// The address it is bound to, for people.
    pub bound: String,
}

/// A running master, as `buildmaster status` shows it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Facts {
    /// The name of the project it builds.
    pub title: String,
    /// The project's page; empty if none is configured.
    pub title_url: String,
    /// Where the master's own pages are to be found.
    pub buildbot_url: String,
    /// Its process.
    pub pid: u32,
    /// The version of the program that runs, which need not be the one that asks.
    pub version: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it has read the configuration that is in force.
    pub configured_at: Timestamp,
    /// The ports it listens on.
    pub ports: Vec<OpenPort>,
    /// Whether it is to stop, or waits for builds to do so.
    pub stopping: bool,
}

impl Facts {
    /// Takes over what a configuration, which is in force from `at` on, says of the project.
    pub fn configure(&mut self, config: &Config, at: Timestamp) {
        self.title.clone_from(&config.title);
        self.title_url.clone_from(&config.title_url);
        self.buildbot_url.clone_from(&config.buildbot_url);
        self.configured_at = at;
    }
}
