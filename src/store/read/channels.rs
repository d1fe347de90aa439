//! What channels on IRC have asked bots for (IRC-02).

use crate::model::ChannelWishes;
use crate::store::StoreError;
use crate::store::column::Json;
use crate::store::state::State;

impl State {
    /// What the channels of a bot have asked for, by channel.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn irc_channels(&self, bot: &str) -> Result<Vec<(String, ChannelWishes)>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached(OF_BOT)?;
            let rows = select.query_map([bot], |row| {
                Ok((row.get(0)?, row.get::<_, Json<ChannelWishes>>(1)?.0))
            })?;
            rows.collect()
        })
    }
}

const OF_BOT: &str = "SELECT channel, wishes FROM irc_channel WHERE bot = ?1 ORDER BY channel";
