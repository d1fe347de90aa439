//! What those may do who have logged in and are not slaves.

use std::time::Duration;

use serde::Serialize;

use super::quantities::{LONGEST, SHORTEST};
use super::reader::Table;

/// Limits of connections that have logged in as a change source or to try something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct ClientLimits {
    /// Most connections of one user, and most from one address.
    #[serde(rename = "max_client_connections")]
    pub connections: usize,
    /// How long a connection may be idle.
    #[serde(rename = "client_idle_timeout")]
    pub idle: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connections: 100,
            idle: Duration::from_secs(600),
        }
    }
}

impl ClientLimits {
    /// Takes the settings of the whole.
    pub(super) fn read(&mut self, root: &mut Table<'_>) {
        root.set("max_client_connections", &mut self.connections, |v| {
            usize::try_from(v.integer(1..=u32::MAX)?).ok()
        });
        root.set("client_idle_timeout", &mut self.idle, |v| {
            v.duration(SHORTEST..=LONGEST)
        });
    }
}
