//! Instances of latent slaves: starts and stops them by commands, and tells the core what came of it (LAT-11).

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use crate::model::SlaveName;

/// What instances are told so that they can connect.
#[derive(Default)]
pub(super) struct Access {
    /// The passwords of the latent slaves.
    pub(super) passwords: BTreeMap<SlaveName, Vec<u8>>,
    /// The first address of the slave port.
    pub(super) address: Option<SocketAddr>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slaves: Vec<_> = self.passwords.keys().collect();
        f.debug_struct("Access")
            .field("slaves", &slaves)
            .field("address", &self.address)
            .finish()
    }
}
