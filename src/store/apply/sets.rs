//! Build sets and their requests.

use rusqlite::{Connection, params};

use crate::model::{BuildSet, PatchBody, RequestId, Results, SetId, Timestamp};
use crate::store::column::{Json, int};
use crate::store::stamp::StoredStamp;

pub(super) fn submitted(conn: &Connection, set: &BuildSet) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO build_set (id, external_id, scheduler, reason, submitted_at, stamp,
             properties, priority, parent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        int(set.id.0),
        set.external_id,
        set.scheduler.as_ref().map(|s| s.as_str()),
        set.reason,
        set.submitted_at.0,
        Json(StoredStamp::of(&set.stamps)),
        Json(&*set.properties),
        set.priority,
        set.parent.as_ref().map(Json),
    ])?;
    if let Some(patch) = set.stamps.patch() {
        conn.prepare_cached(
            "INSERT INTO patch (build_set, level, subdir, who, comment, body)
             VALUES (?1, ?2, ?3, ?4, ?5, x'')",
        )?
        .execute(params![
            int(set.id.0),
            patch.level,
            patch.subdir,
            patch.who,
            patch.comment,
        ])?;
    }
    let mut insert =
        conn.prepare_cached("INSERT INTO change_in_set (change, build_set) VALUES (?1, ?2)")?;
    for change in set.stamps.changes() {
        insert.execute(params![int(change.number.0), int(set.id.0)])?;
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO request (id, build_set, builder, submitted_at, priority)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (request, builder) in &set.requests {
        insert.execute(params![
            int(request.0),
            int(set.id.0),
            builder.as_str(),
            set.submitted_at.0,
            set.priority,
        ])?;
    }
    Ok(1)
}

/// Copies the diff of another set within the file, since that set may be pruned before this one. If
/// it is pruned already, the diff stays empty, which no diff is; a build that needs it fails.
pub(super) fn patch_kept(
    conn: &Connection,
    set: SetId,
    body: &PatchBody,
) -> rusqlite::Result<usize> {
    match body {
        PatchBody::Given(diff) => conn
            .prepare_cached("UPDATE patch SET body = ?2 WHERE build_set = ?1")?
            .execute(params![int(set.0), &diff[..]]),
        PatchBody::Kept(other) => conn
            .prepare_cached(
                "UPDATE patch SET body =
                     coalesce((SELECT body FROM patch WHERE build_set = ?2), x'')
                 WHERE build_set = ?1",
            )?
            .execute(params![int(set.0), int(other.0)]),
    }
}

pub(super) fn finished(
    conn: &Connection,
    set: SetId,
    result: Results,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE build_set SET finished_at = ?2, result = ?3 WHERE id = ?1")?
        .execute(params![int(set.0), at.0, result.number()])
}

pub(super) fn request_finished(
    conn: &Connection,
    request: RequestId,
    result: Results,
    why: Option<&str>,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE request SET finished_at = ?2, result = ?3, why = ?4 WHERE id = ?1")?
        .execute(params![int(request.0), at.0, result.number(), why])
}

pub(super) fn start_failed(conn: &Connection, requests: &[RequestId]) -> rusqlite::Result<usize> {
    let mut count =
        conn.prepare_cached("UPDATE request SET start_count = start_count + 1 WHERE id = ?1")?;
    let counted = requests.iter().map(|r| count.execute([int(r.0)]));
    counted.sum()
}

pub(super) fn request_retries(
    conn: &Connection,
    request: RequestId,
    retries: u32,
) -> rusqlite::Result<usize> {
    conn.prepare_cached("UPDATE request SET retries = ?2, build = NULL WHERE id = ?1")?
        .execute(params![int(request.0), retries])
}
