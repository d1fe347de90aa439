//! How the master checks that its slaves are alive.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::SlaveName;

/// How the master checks that an idle slave is alive (SLV-05).
#[derive(Clone, Copy, Debug)]
pub(super) struct Keepalive {
    /// Time between two checks.
    pub(super) interval: Duration,
    /// Time limit for the answer.
    pub(super) timeout: Duration,
}

/// The checks of each configured slave.
pub(super) type Keepalives = BTreeMap<SlaveName, Keepalive>;
