//! What a channel on IRC has asked a bot for (IRC-02).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BuildId, NotifyEvent};

/// What a channel has asked for by `notify`, `watch` and `mute`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChannelWishes {
    /// The events that it is told.
    pub events: BTreeSet<NotifyEvent>,
    /// Whether the bot is quiet there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_muted: bool,
    /// The builds whose end it is told.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub watched: BTreeSet<BuildId>,
}

/// A channel of a bot has other wishes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChannelOp {
    /// The status target.
    pub bot: String,
    /// The channel, in the form that is the same for all spellings.
    pub channel: String,
    /// What it asks for.
    pub wishes: ChannelWishes,
}
