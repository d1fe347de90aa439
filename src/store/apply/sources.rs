//! Change sources: the offers that were taken, and what sources report of themselves.

use rusqlite::{Connection, named_params, params};

use crate::model::{OfferTaken, SourceAttempt, SourceName, Timestamp};
use crate::store::column::int;

pub(super) fn offer_taken(conn: &Connection, offer: &OfferTaken) -> rusqlite::Result<usize> {
    let source = offer.source.as_str();
    for (identity, change) in &offer.identities {
        conn.prepare_cached(
            "INSERT INTO change_identity (sum, change, source, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (sum) DO UPDATE SET
                 change = excluded.change, source = excluded.source, at = excluded.at",
        )?
        .execute(params![identity.0, int(change.0), source, offer.at.0])?;
    }
    if let Some(delivery) = &offer.delivery {
        conn.prepare_cached("INSERT INTO delivery (source, sum, at) VALUES (?1, ?2, ?3)")?
            .execute(params![source, delivery.0.0, offer.at.0])?;
    }
    conn.prepare_cached(
        "INSERT INTO change_source
             (name, cursor, tried_at, succeeded_at, taken, known, dropped)
         VALUES (:source, :cursor, :at, :at, :taken, :known, :dropped)
         ON CONFLICT (name) DO UPDATE SET
             cursor = coalesce(excluded.cursor, cursor), tried_at = excluded.tried_at,
             succeeded_at = excluded.succeeded_at, failing = 0,
             taken = taken + excluded.taken, known = known + excluded.known,
             dropped = dropped + excluded.dropped",
    )?
    .execute(named_params! {
        ":source": source,
        ":cursor": offer.cursor,
        ":at": offer.at.0,
        ":taken": int(offer.taken),
        ":known": int(offer.known),
        ":dropped": int(offer.dropped),
    })
}

pub(super) fn redelivered(
    conn: &Connection,
    source: &SourceName,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(
        "INSERT INTO change_source (name, tried_at, succeeded_at, redelivered)
         VALUES (?1, ?2, ?2, 1)
         ON CONFLICT (name) DO UPDATE SET
             tried_at = excluded.tried_at, succeeded_at = excluded.succeeded_at, failing = 0,
             redelivered = redelivered + 1",
    )?
    .execute(params![source.as_str(), at.0])
}

pub(super) fn tried(conn: &Connection, attempt: &SourceAttempt) -> rusqlite::Result<usize> {
    let values = named_params! {
        ":source": attempt.source.as_str(),
        ":at": attempt.at.0,
        ":next": attempt.next.map(|next| next.0),
        ":text": attempt.error.as_ref().or(attempt.note.as_ref()),
    };
    let sql = match attempt.error {
        Some(_) => FAILED,
        None => SUCCEEDED,
    };
    conn.prepare_cached(sql)?.execute(values)
}

const FAILED: &str = "INSERT INTO change_source
        (name, tried_at, next_at, error, error_at, errors, failing)
    VALUES (:source, :at, :next, :text, :at, 1, 1)
    ON CONFLICT (name) DO UPDATE SET
        tried_at = excluded.tried_at, next_at = excluded.next_at, error = excluded.error,
        error_at = excluded.error_at, errors = errors + 1, failing = failing + 1";

const SUCCEEDED: &str = "INSERT INTO change_source
        (name, tried_at, succeeded_at, next_at, note)
    VALUES (:source, :at, :at, :next, :text)
    ON CONFLICT (name) DO UPDATE SET
        tried_at = excluded.tried_at, succeeded_at = excluded.succeeded_at,
        next_at = excluded.next_at, note = excluded.note, failing = 0";
