//! `type = "command"`: a latent slave whose instance two commands start and stop (LAT-11).

use serde::Serialize;

use super::without_instances;
use crate::config::programs;
use crate::config::reader::Table;
use crate::config::secret::Secret;

/// Settings of an instance that commands start and stop.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CommandInstance {
    /// The slave's password.
    pub password: Secret,
    /// The program that starts it, and its arguments.
    pub start: Vec<String>,
    /// The program that stops it, and its arguments.
    pub stop: Vec<String>,
}

/// The keys that only these slaves have.
pub(super) const KEYS: &[&str] = &["master", "start", "stop"];

impl CommandInstance {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        table.set_password(&mut self.password);
        for (key, words) in [("start", &mut self.start), ("stop", &mut self.stop)] {
            let value = table.require(key, "[\"PROGRAM\", \"ARGUMENT\"]");
            *words = value
                .and_then(|v| programs::command(&v, &without_instances(&v)))
                .unwrap_or_default();
        }
    }
}
