//! Who knows where people are likely to see a message at once (ESC-08).

use super::irc::Bots;
use super::live::Clients;

/// The bots on IRC and the live clients. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lookout {
    /// The bots, which know who is in their channels.
    pub bots: Bots,
    /// The clients of people.
    pub clients: Clients,
}
