//! What ops about people write (WHO-01, LGN-02, LGN-05, MAY-05).

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use crate::model::journal::PersonOp;
use crate::model::{AuditRecord, Person, SessionRecord, Timestamp, TokenRecord};
use crate::store::column::{Json, int};

pub(super) fn write(conn: &Connection, op: &PersonOp) -> rusqlite::Result<usize> {
    match op {
        PersonOp::Saved { person, at } => saved(conn, person, *at),
        PersonOp::Removed { person } => removed(conn, person),
        PersonOp::PasswordSet { person, hash, at } => {
            password_set(conn, person, hash.as_ref().map(|hash| hash.0.as_str()), *at)
        }
        PersonOp::Listed { people } => listed(conn, people),
        PersonOp::DutyTaken(duty) => conn
            .prepare_cached(
                "INSERT OR REPLACE INTO duty (rota, person, until) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![duty.rota, duty.person, duty.until.0]),
        PersonOp::OwnersRead { repository, text } => owners_read(conn, repository, text),
        PersonOp::TokenMade(token) => token_made(conn, token),
        PersonOp::TokenEnded { token, at } => conn
            .prepare_cached("UPDATE token SET ended_at = coalesce(ended_at, ?2) WHERE id = ?1")?
            .execute(params![int(token.0), at.0]),
        PersonOp::TokenUsed { token, at } => conn
            .prepare_cached("UPDATE token SET used_at = ?2 WHERE id = ?1")?
            .execute(params![int(token.0), at.0]),
        PersonOp::SessionBegun(session) => session_begun(conn, session),
        PersonOp::SessionUsed { session, at } => some(
            conn.prepare_cached("UPDATE session SET used_at = max(used_at, ?2) WHERE hash = ?1")?
                .execute(params![session, at.0])?,
        ),
        PersonOp::SessionEnded { session } => some(
            conn.prepare_cached("DELETE FROM session WHERE hash = ?1")?
                .execute([session])?,
        ),
    }
}

/// A session may have ended meanwhile, and a person may have none.
fn some(_: usize) -> rusqlite::Result<usize> {
    Ok(1)
}

/// Replaces all that is known of a person but the password. An identity that another person had
/// belongs to this person from now on.
fn saved(conn: &Connection, person: &Person, at: Timestamp) -> rusqlite::Result<usize> {
    let Person {
        name,
        attributes,
        roles,
    } = person;
    conn.prepare_cached(
        "INSERT INTO person (name, roles, changed_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET roles = excluded.roles, changed_at = excluded.changed_at",
    )?
    .execute(params![name, Json(roles), at.0])?;
    conn.prepare_cached("DELETE FROM person_attribute WHERE person = ?1")?
        .execute([name])?;
    let mut insert = conn.prepare_cached(
        "INSERT OR REPLACE INTO person_attribute (person, kind, value, is_unique)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for attribute in attributes {
        let kind = attribute.kind;
        insert.execute(params![
            name,
            kind.name(),
            attribute.value,
            kind.identifies()
        ])?;
    }
    Ok(1)
}

/// Replaces all whom the command lists.
fn listed(conn: &Connection, people: &[Person]) -> rusqlite::Result<usize> {
    conn.prepare_cached("DELETE FROM listed_person")?
        .execute([])?;
    let mut insert =
        conn.prepare_cached("INSERT OR REPLACE INTO listed_person (name, person) VALUES (?1, ?2)")?;
    for person in people {
        insert.execute(params![person.name, Json(person)])?;
    }
    some(people.len())
}

fn owners_read(conn: &Connection, repository: &str, text: &str) -> rusqlite::Result<usize> {
    if text.is_empty() {
        return some(
            conn.prepare_cached("DELETE FROM owners_file WHERE repository = ?1")?
                .execute([repository])?,
        );
    }
    conn.prepare_cached("INSERT OR REPLACE INTO owners_file (repository, text) VALUES (?1, ?2)")?
        .execute([repository, text])
}

/// WHO-09: attributes, tokens and sessions are gone; the audit log keeps the name.
fn removed(conn: &Connection, person: &str) -> rusqlite::Result<usize> {
    end_sessions(conn, person)?;
    conn.prepare_cached("DELETE FROM token WHERE person = ?1")?
        .execute([person])?;
    conn.prepare_cached("DELETE FROM person WHERE name = ?1")?
        .execute([person])
}

/// Ends the sessions of the person (LGN-05). Without a hash, the person has no password.
fn password_set(
    conn: &Connection,
    person: &str,
    hash: Option<&str>,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    end_sessions(conn, person)?;
    conn.prepare_cached("UPDATE person SET password = ?2, changed_at = ?3 WHERE name = ?1")?
        .execute(params![person, hash, at.0])
}

fn end_sessions(conn: &Connection, person: &str) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM session WHERE person = ?1")?
        .execute([person])
        .map(drop)
}

fn token_made(conn: &Connection, token: &TokenRecord) -> rusqlite::Result<usize> {
    let TokenRecord {
        id,
        hash,
        person,
        label,
        rights,
        made_at,
        ends_at,
    } = token;
    conn.prepare_cached(
        "INSERT INTO token (id, hash, person, label, rights, made_at, ends_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        int(id.0),
        hash,
        person,
        label,
        Json(rights),
        made_at.0,
        ends_at.0
    ])
}

fn session_begun(conn: &Connection, session: &SessionRecord) -> rusqlite::Result<usize> {
    let SessionRecord {
        hash,
        person,
        roles,
        address,
        begun_at,
        ends_at,
    } = session;
    let roles: &BTreeSet<String> = roles;
    conn.prepare_cached(
        "INSERT INTO session (hash, person, roles, address, begun_at, used_at, ends_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
    )?
    .execute(params![
        hash,
        person,
        Json(roles),
        address,
        begun_at.0,
        ends_at.0
    ])
}

/// Appends to the audit log.
pub(super) fn audited(conn: &Connection, record: &AuditRecord) -> rusqlite::Result<usize> {
    let AuditRecord {
        at,
        who,
        door,
        address,
        token,
        action,
        object,
        what,
        reason,
        outcome,
        ground,
    } = record;
    conn.prepare_cached(
        "INSERT INTO audit (at, who, door, address, token, action, object, what, reason, outcome,
                            ground)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        at.0,
        who,
        door.name(),
        address,
        token.map(|token| int(token.0)),
        action.name(),
        object,
        what,
        reason,
        Json(outcome),
        ground
    ])
}
