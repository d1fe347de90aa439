//! Slaves.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::model::{InstanceRecord, Pause, SlaveName, Timestamp};
use crate::store::column::Json;

pub(super) fn state(
    conn: &Connection,
    slave: &SlaveName,
    connected: bool,
    info: Option<&BTreeMap<String, String>>,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    visit(conn, slave, connected, at)?;
    conn.prepare_cached(
        "INSERT INTO slave (name, connected, info, seen_at)
         VALUES (?1, ?2, coalesce(?3, '{}'), ?4)
         ON CONFLICT (name) DO UPDATE SET connected = excluded.connected,
             info = coalesce(?3, info), seen_at = excluded.seen_at,
             missed_at = iif(excluded.connected, NULL, missed_at)",
    )?
    .execute(params![slave.as_str(), connected, info.map(Json), at.0])
}

/// Records that a slave connects or disconnects: a visit begins or ends. Only the newest visits of
/// a slave are kept. News of a slave that is connected already change nothing.
fn visit(
    conn: &Connection,
    slave: &SlaveName,
    connected: bool,
    at: Timestamp,
) -> rusqlite::Result<()> {
    if !connected {
        conn.prepare_cached(
            "UPDATE slave_visit SET went_at = max(came_at, ?2) WHERE slave = ?1 AND went_at IS NULL",
        )?
        .execute(params![slave.as_str(), at.0])?;
        return Ok(());
    }
    let begun = conn
        .prepare_cached(
            "INSERT INTO slave_visit (slave, came_at) SELECT ?1, ?2
             WHERE NOT EXISTS (SELECT 1 FROM slave_visit WHERE slave = ?1 AND went_at IS NULL)",
        )?
        .execute(params![slave.as_str(), at.0])?;
    if begun > 0 {
        conn.prepare_cached(
            "DELETE FROM slave_visit WHERE slave = ?1 AND id <= (SELECT id FROM slave_visit
                 WHERE slave = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![slave.as_str(), KEPT_VISITS])?;
    }
    Ok(())
}

/// Visits of each slave that are kept.
const KEPT_VISITS: u32 = 100;

pub(super) fn heard(
    conn: &Connection,
    slave: &SlaveName,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO slave (name, heard_at) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET heard_at = excluded.heard_at",
    )?
    .execute(params![slave.as_str(), at.0])
}

pub(super) fn missed(
    conn: &Connection,
    slave: &SlaveName,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO slave (name, missed_at) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET missed_at = excluded.missed_at",
    )?
    .execute(params![slave.as_str(), at.0])
}

pub(super) fn paused(
    conn: &Connection,
    slave: &SlaveName,
    pause: Option<&Pause>,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO slave (name, paused_at, paused_by, pause_reason)
         VALUES (?1, ?2, coalesce(?3, ''), coalesce(?4, ''))
         ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at,
             paused_by = excluded.paused_by, pause_reason = excluded.pause_reason",
    )?
    .execute(params![
        slave.as_str(),
        pause.map(|p| p.since.0),
        pause.map(|p| &p.by),
        pause.map(|p| &p.reason),
    ])
}

pub(super) fn instance(
    conn: &Connection,
    slave: &SlaveName,
    instance: Option<&InstanceRecord>,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO slave (name, instance_stop, instance) VALUES (?1, ?2, coalesce(?3, ''))
         ON CONFLICT (name) DO UPDATE SET instance_stop = excluded.instance_stop,
             instance = excluded.instance",
    )?
    .execute(params![
        slave.as_str(),
        instance.map(|i| Json(&i.stop)),
        instance.map(|i| &i.identity),
    ])
}
