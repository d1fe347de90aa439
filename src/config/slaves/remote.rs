//! `type = "slave"`: a slave that connects over TCP by itself (SLV-01, SLV-07).

use std::time::Duration;

use serde::Serialize;

use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::Table;
use crate::config::secret::Secret;

/// Settings of a slave that connects by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemoteConfig {
    /// Its password.
    pub password: Secret,
    /// How long it may be away before people are mailed: 1 h.
    pub missing_timeout: Duration,
}

/// The keys that only these slaves have.
pub(super) const KEYS: &[&str] = &["notify_on_missing", "missing_timeout"];

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            password: Secret::default(),
            missing_timeout: Duration::from_secs(3600),
        }
    }
}

impl RemoteConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        table.set_password(&mut self.password);
        table.set("missing_timeout", &mut self.missing_timeout, |v| {
            v.duration(SHORTEST..=LONGEST)
        });
    }
}
