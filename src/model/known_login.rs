//! Logins that are known to be good.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Most known logins that are kept.
pub const MAX_KNOWN_LOGINS: usize = 16_384;

/// A user who has logged in from a network: an IPv4 address, or an IPv6 address whose second half
/// is zero.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KnownLogin {
    /// The user's or slave's name.
    pub user: String,
    /// The network.
    pub network: IpAddr,
}

/// A login that is to be put on record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LoginRecord {
    /// The login.
    pub login: KnownLogin,
    /// The record that makes room for it.
    pub forgotten: Option<KnownLogin>,
}
