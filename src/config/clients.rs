//! What those may do who have logged in and are not slaves.

use std::time::Duration;

use super::quantities::{LONGEST, SHORTEST};
use super::reader::Table;

/// Limits of connections that have logged in as a change source or to try something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientLimits {
    /// Most connections of one user, and most from one address.
    pub connections: usize,
    /// How long a connection may be idle.
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

/// Reads the settings of the whole.
pub(super) fn read(root: &mut Table<'_>) -> ClientLimits {
    let default = ClientLimits::default();
    let connections = root.take("max_client_connections");
    let connections = connections.and_then(|v| v.integer(1..=u32::MAX));
    let connections = connections.and_then(|n| usize::try_from(n).ok());
    let idle = root.take("client_idle_timeout");
    let idle = idle.and_then(|v| v.duration(SHORTEST..=LONGEST));
    ClientLimits {
        connections: connections.unwrap_or(default.connections),
        idle: idle.unwrap_or(default.idle),
    }
}
