//! Builders, and which of builders and slaves are configured.

use rusqlite::{Connection, params};

use crate::model::{BigState, BuilderName, Pause, SlaveName};
use crate::store::column::Json;

pub(super) fn state(
    conn: &Connection,
    builder: &BuilderName,
    state: BigState,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO builder (name, state) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET state = excluded.state",
    )?
    .execute(params![builder.as_str(), state.as_str()])
}

pub(super) fn paused(
    conn: &Connection,
    builder: &BuilderName,
    pause: Option<&Pause>,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO builder (name, paused_at, paused_by, pause_reason)
         VALUES (?1, ?2, coalesce(?3, ''), coalesce(?4, ''))
         ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at,
             paused_by = excluded.paused_by, pause_reason = excluded.pause_reason",
    )?
    .execute(params![
        builder.as_str(),
        pause.map(|p| p.since.0),
        pause.map(|p| &p.by),
        pause.map(|p| &p.reason),
    ])
}

pub(super) fn configured(
    conn: &Connection,
    builders: &[(BuilderName, Vec<SlaveName>)],
    slaves: &[SlaveName],
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE builder SET position = NULL, slaves = '[]'")?
        .execute([])?;
    let mut upsert = conn.prepare_cached(
        "INSERT INTO builder (name, position, slaves) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position, slaves = excluded.slaves",
    )?;
    for (position, (builder, its_slaves)) in (0_i64..).zip(builders) {
        upsert.execute(params![builder.as_str(), position, Json(its_slaves)])?;
    }
    conn.prepare_cached("UPDATE slave SET position = NULL")?
        .execute([])?;
    let mut upsert = conn.prepare_cached(
        "INSERT INTO slave (name, position) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position",
    )?;
    for (position, slave) in (0_i64..).zip(slaves) {
        upsert.execute(params![slave.as_str(), position])?;
    }
    Ok(1)
}
