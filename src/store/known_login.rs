//! The users that have logged in, and from where.

use rusqlite::{Connection, params};

use super::column::int;
use crate::model::{KnownLogin, LoginRecord, MAX_KNOWN_LOGINS, Timestamp};

/// Puts a login on record, or makes its record new.
pub(super) fn write(
    conn: &Connection,
    LoginRecord { login, forgotten }: &LoginRecord,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    if let Some(KnownLogin { user, network }) = forgotten {
        conn.prepare_cached("DELETE FROM known_login WHERE user = ?1 AND network = ?2")?
            .execute(params![user, network.to_string()])?;
    }
    conn.prepare_cached(
        "INSERT INTO known_login (user, network, at) VALUES (?1, ?2, ?3)
         ON CONFLICT (user, network) DO UPDATE SET at = excluded.at",
    )?
    .execute(params![login.user, login.network.to_string(), at.0])
}

/// The newest that are on record, at most [`MAX_KNOWN_LOGINS`], the oldest record first.
pub(super) fn recover(conn: &Connection) -> rusqlite::Result<Vec<KnownLogin>> {
    let rows = conn
        .prepare(
            "SELECT user, network FROM
                 (SELECT user, network, at FROM known_login ORDER BY at DESC, user, network LIMIT ?1)
             ORDER BY at, user, network",
        )?
        .query_map([int(MAX_KNOWN_LOGINS as u64)], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let known = rows.into_iter().filter_map(|(user, network)| {
        let network = network.parse().ok()?;
        Some(KnownLogin { user, network })
    });
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::store::schema;

    #[test]
    fn records_beyond_the_bound_are_left_out_the_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let conn = schema::open_for_writing(&dir.path().join("state.sqlite")).unwrap();
        conn.execute(
            "WITH RECURSIVE number (n) AS
                 (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
             INSERT INTO known_login SELECT n, '10.0.0.1', n FROM number",
            [int(MAX_KNOWN_LOGINS as u64)],
        )
        .unwrap();
        let known = recover(&conn).unwrap();
        assert_eq!(known.len(), MAX_KNOWN_LOGINS);
        assert_eq!(known[0].user, "1");
    }
}
