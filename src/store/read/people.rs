//! People, tokens, sessions and the audit log.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{
    Action, Attribute, AttributeKind, AuditRecord, Door, Duty, Person, RequestId, SessionRecord,
    SetId, Timestamp, TokenId, TokenRecord, interested_users,
};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;

/// A token, with what has happened to it.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenRow {
    /// The token.
    pub token: TokenRecord,
    /// When the token was ended before its time.
    pub ended_at: Option<Timestamp>,
    /// When the token was last used.
    pub used_at: Option<Timestamp>,
}

/// A session, with its last use.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    /// The session.
    pub session: SessionRecord,
    /// When the session was last used.
    pub used_at: Timestamp,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// The number of the entry.
    pub number: u64,
    /// The entry.
    pub record: AuditRecord,
}

/// Which entries of the audit log are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Those of this user.
    pub who: Option<String>,
    /// Those that needed this permission.
    pub action: Option<Action>,
    /// Those from this time on.
    pub since: Option<Timestamp>,
    /// Those before the entry of this number.
    pub before: Option<u64>,
}

impl State {
    /// All people of the register, by name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.read(|conn| {
            let mut people: BTreeMap<String, Person> = conn
                .prepare_cached("SELECT name, roles FROM person")?
                .query_map([], |row| {
                    let name: String = row.get(0)?;
                    let Json(roles) = row.get(1)?;
                    let person = Person {
                        name: name.clone(),
                        roles,
                        ..Person::default()
                    };
                    Ok((name, person))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let mut attributes =
                conn.prepare_cached("SELECT person, kind, value FROM person_attribute")?;
            let mut rows = attributes.query([])?;
            while let Some(row) = rows.next()? {
                let (name, kind, value): (String, String, String) = row.try_into()?;
                let kind = AttributeKind::named(&kind);
                if let (Some(person), Some(kind)) = (people.get_mut(&name), kind) {
                    person.attributes.insert(Attribute { kind, value });
                }
            }
            Ok(people.into_values().collect())
        })
    }

    /// All people whom the command of the configuration lists, by name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn listed_people(&self) -> Result<Vec<Person>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached("SELECT person FROM listed_person ORDER BY name")?
                .query_map([], |row| row.get(0).map(|Json(person)| person))?
                .collect()
        })
    }

    /// The roles that the register and the command give to a person; absent if neither has such a
    /// person.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn roles(&self, person: &str) -> Result<Option<BTreeSet<String>>, StoreError> {
        self.read(|conn| {
            let stored = conn
                .prepare_cached("SELECT roles FROM person WHERE name = ?1")?
                .query_row([person], |row| row.get::<_, Json<BTreeSet<String>>>(0))
                .optional()?;
            let listed = conn
                .prepare_cached("SELECT person FROM listed_person WHERE name = ?1")?
                .query_row([person], |row| row.get::<_, Json<Person>>(0))
                .optional()?;
            let roles = [
                stored.map(|Json(roles)| roles),
                listed.map(|Json(person)| person.roles),
            ];
            let mut roles = roles.into_iter().flatten().peekable();
            let is_known = roles.peek().is_some();
            Ok(is_known.then(|| roles.flatten().collect()))
        })
    }

    /// Who is on duty by hand, by rota; the duty may have ended.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn duties(&self) -> Result<Vec<Duty>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached("SELECT rota, person, until FROM duty ORDER BY rota")?
                .query_map([], |row| {
                    Ok(Duty {
                        rota: row.get(0)?,
                        person: row.get(1)?,
                        until: row.get::<_, Col<_>>(2)?.0,
                    })
                })?
                .collect()
        })
    }

    /// The file of the repository of this name that says who owns its files, as it was read last.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn owners_file(&self, repository: &str) -> Result<Option<String>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached("SELECT text FROM owners_file WHERE repository = ?1")?
                .query_row([repository], |row| row.get(0))
                .optional()
        })
    }

    /// The name of the time zone that a person has set.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn zone_of(&self, person: &str) -> Result<Option<String>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(ZONE)?
                .query_row([person], |row| row.get(0))
                .optional()
        })
    }

    /// The hash of the password of a person; absent if the register has no such person, or the
    /// person has no password.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn password_hash(&self, person: &str) -> Result<Option<String>, StoreError> {
        self.read(|conn| {
            let found = conn
                .prepare_cached("SELECT password FROM person WHERE name = ?1")?
                .query_row([person], |row| row.get::<_, Option<String>>(0))
                .optional()?;
            Ok(found.flatten())
        })
    }

    /// All tokens, or those of a person, in the order in which they were made.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn tokens(&self, person: Option<&str>) -> Result<Vec<TokenRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(TOKENS)?
                .query_map([person], token_row)?
                .collect()
        })
    }

    /// The token with this hash, whether or not it has ended.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn token_by_hash(&self, hash: &str) -> Result<Option<TokenRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(TOKEN)?
                .query_row([hash], token_row)
                .optional()
        })
    }

    /// The number for the next token.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn next_token(&self) -> Result<TokenId, StoreError> {
        self.read(|conn| {
            let newest: i64 = conn
                .prepare_cached("SELECT coalesce(max(id), 0) FROM token")?
                .query_row([], |row| row.get(0))?;
            Ok(TokenId(u64::try_from(newest).unwrap_or(0) + 1))
        })
    }

    /// The session with this hash, whether or not it has expired.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn session(&self, hash: &str) -> Result<Option<SessionRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(SESSION)?
                .query_row([hash], |row| {
                    let Json(roles) = row.get(2)?;
                    Ok(SessionRow {
                        session: SessionRecord {
                            hash: row.get(0)?,
                            person: row.get(1)?,
                            roles,
                            address: row.get(3)?,
                            begun_at: row.get::<_, Col<_>>(4)?.0,
                            ends_at: row.get::<_, Col<_>>(6)?.0,
                        },
                        used_at: row.get::<_, Col<_>>(5)?.0,
                    })
                })
                .optional()
        })
    }

    /// The newest entries of the audit log that `filter` lets pass, at most `limit`, the newest
    /// first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn audit(&self, filter: &AuditFilter, limit: u64) -> Result<Vec<AuditRow>, StoreError> {
        self.read(|conn| {
            let sql = match filter.who {
                Some(_) => AUDIT_OF,
                None => AUDIT,
            };
            conn.prepare_cached(sql)?
                .query_map(
                    params![
                        filter.who,
                        filter.action.map(Action::name),
                        filter.since.map(|since| since.0),
                        filter.before.map_or(i64::MAX, int),
                        int(limit)
                    ],
                    audit_row,
                )?
                .filter_map(rusqlite::Result::transpose)
                .collect()
        })
    }

    /// Whether the audit log has entries older than `before`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_old_audit(&self, before: Timestamp) -> Result<bool, StoreError> {
        self.read(|conn| exists(conn, OLD_AUDIT, before))
    }

    /// The authors of all changes, with the numbers of their changes, the busiest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn authors(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(AUTHORS)?
                .query_map([], |row| {
                    let changes: i64 = row.get(1)?;
                    Ok((row.get(0)?, u64::try_from(changes).unwrap_or(0)))
                })?
                .collect()
        })
    }

    /// The users who want a request: the authors of its changes, and the owners that the properties
    /// of its set name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn wanted_by(&self, request: RequestId, set: SetId) -> Result<Vec<String>, StoreError> {
        let (stamps, _) = self.wishes(&[request])?;
        let changes = stamps.iter().flat_map(|stamps| stamps.changes());
        let authors: Vec<_> = changes.map(|change| change.content.who.clone()).collect();
        let set = self.build_set(set)?;
        let properties = set.map(|set| set.properties).unwrap_or_default();
        Ok(interested_users(&authors, &properties))
    }

    /// Whether sessions have expired by `now`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has_ended_sessions(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.read(|conn| exists(conn, ENDED_SESSIONS, now))
    }
}

fn exists(conn: &Connection, sql: &str, at: Timestamp) -> rusqlite::Result<bool> {
    conn.prepare_cached(sql)?.exists([at.0])
}

fn token_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    let id: i64 = row.get(0)?;
    let time = |at: Option<Col<Timestamp>>| at.map(|at| at.0);
    let Json(rights) = row.get(4)?;
    Ok(TokenRow {
        token: TokenRecord {
            id: TokenId(u64::try_from(id).unwrap_or(0)),
            hash: row.get(1)?,
            person: row.get(2)?,
            label: row.get(3)?,
            rights,
            made_at: row.get::<_, Col<_>>(5)?.0,
            ends_at: row.get::<_, Col<_>>(6)?.0,
        },
        ended_at: time(row.get(7)?),
        used_at: time(row.get(8)?),
    })
}

/// An entry; absent if it is of a later version, with an action or a door that is unknown here.
fn audit_row(row: &Row<'_>) -> rusqlite::Result<Option<AuditRow>> {
    let number: i64 = row.get(0)?;
    let (door, action): (String, String) = (row.get(3)?, row.get(6)?);
    let doors = [Door::Command, Door::Web, Door::Api, Door::Irc, Door::Pb];
    let door = doors.into_iter().find(|known| known.name() == door);
    let mut actions = Action::ALL.into_iter();
    let action = actions.find(|known| known.name() == action);
    let (Some(door), Some(action)) = (door, action) else {
        return Ok(None);
    };
    let token: Option<i64> = row.get(5)?;
    let Json(outcome) = row.get(10)?;
    Ok(Some(AuditRow {
        number: u64::try_from(number).unwrap_or(0),
        record: AuditRecord {
            at: row.get::<_, Col<_>>(1)?.0,
            who: row.get(2)?,
            door,
            address: row.get(4)?,
            token: token
                .and_then(|token| u64::try_from(token).ok())
                .map(TokenId),
            action,
            object: row.get(7)?,
            what: row.get(8)?,
            reason: row.get(9)?,
            outcome,
            ground: row.get(11)?,
        },
    }))
}

const ZONE: &str =
    "SELECT value FROM person_attribute WHERE person = ?1 AND kind = 'zone' ORDER BY value LIMIT 1";

const TOKENS: &str = "
    SELECT id, hash, person, label, rights, made_at, ends_at, ended_at, used_at FROM token
    WHERE ?1 IS NULL OR person = ?1 ORDER BY id";

const TOKEN: &str = "
    SELECT id, hash, person, label, rights, made_at, ends_at, ended_at, used_at FROM token
    WHERE hash = ?1";

const SESSION: &str = "
    SELECT hash, person, roles, address, begun_at, used_at, ends_at FROM session WHERE hash = ?1";

const AUDIT: &str = "
    SELECT id, at, who, door, address, token, action, object, what, reason, outcome, ground
    FROM audit
    WHERE id < ?4 AND ?1 IS NULL AND (?2 IS NULL OR action = ?2) AND (?3 IS NULL OR at >= ?3)
    ORDER BY id DESC LIMIT ?5";

const AUDIT_OF: &str = "
    SELECT id, at, who, door, address, token, action, object, what, reason, outcome, ground
    FROM audit
    WHERE who = ?1 AND id < ?4 AND (?2 IS NULL OR action = ?2) AND (?3 IS NULL OR at >= ?3)
    ORDER BY id DESC LIMIT ?5";

const OLD_AUDIT: &str = "SELECT 1 FROM audit WHERE at < ?1 LIMIT 1";

const ENDED_SESSIONS: &str = "SELECT 1 FROM session WHERE ends_at <= ?1 LIMIT 1";

const AUTHORS: &str =
    "SELECT who, count(*) FROM change GROUP BY who ORDER BY count(*) DESC, who LIMIT 10000";

#[cfg(test)]
mod tests;
