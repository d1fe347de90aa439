//! What channels on IRC have asked bots for (IRC-02).

use rusqlite::{Connection, params};

use crate::model::ChannelOp;
use crate::store::column::Json;

pub(super) fn set(conn: &Connection, op: &ChannelOp) -> rusqlite::Result<usize> {
    let wishes = Json(&op.wishes);
    conn.prepare_cached(SET)?
        .execute(params![op.bot, op.channel, wishes])
}

const SET: &str = "INSERT OR REPLACE INTO irc_channel (bot, channel, wishes) VALUES (?1, ?2, ?3)";
