//! Users and networks with earlier successful logins.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Maximum number of known logins to keep.
pub const MAX_KNOWN_LOGINS: usize = 16_384;

/// A user that has logged in from a network: an IPv4 address, or an IPv6 address with a zero second
/// half.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KnownLogin {
    /// The user's or slave's name.
    pub user: String,
    /// The network.
    pub network: IpAddr,
}

/// A login to record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LoginRecord {
    /// The login.
    pub login: KnownLogin,
    /// The old record to replace.
    pub forgotten: Option<KnownLogin>,
}
