//! Logins: who a password, a session, a token or the word of a proxy stands for (LGN-01 to LGN-06).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use super::{Caller, Control};
use tracing::warn;

use crate::config::{Secret, is_person_name};
use crate::model::journal::PersonOp;
use crate::model::{Action, AuditRecord, Door, Op, Outcome, SessionRecord, Timestamp};
use crate::people::{Lasting, hash_of, htpasswd, is_good, is_password, secret};
use crate::store::{State, StoreError};
use crate::view;

/// Time after which another use of a session or a token is put on record.
const NOTED_AGAIN: Duration = Duration::from_secs(300);

/// The way by which a request came, and from where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The way.
    pub door: Door,
    /// The address; empty if there is none.
    pub address: String,
}

/// Reads the password that `secret` describes. Files are relative to `basedir`.
///
/// # Errors
/// The password cannot be read, or is empty.
pub fn read_password(secret: &Secret, basedir: &Path) -> Result<Vec<u8>, String> {
    let password = match secret {
        Secret::Inline(password) => password.clone().into_bytes(),
        Secret::File(path) => {
            let bytes = std::fs::read(basedir.join(path));
            let mut bytes = bytes.map_err(|error| {
                let path = path.display();
                format!("cannot read the password file {path}: {error}")
            })?;
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            bytes
        }
        Secret::Env(name) => match std::env::var(name) {
            Ok(password) => password.into_bytes(),
            Err(_) => {
                return Err(format!(
                    "the environment variable {name}, which holds the password, is not set"
                ));
            }
        },
    };
    match password.is_empty() {
        true => Err("the password is empty".to_owned()),
        false => Ok(password),
    }
}

impl Control {
    /// The text that `secret` describes, as it is now.
    ///
    /// # Errors
    /// It cannot be read, or is empty.
    pub async fn secret(&self, secret: &Secret) -> Result<Vec<u8>, String> {
        let secret = secret.clone();
        let look =
            move |state: &State| Ok::<_, StoreError>(read_password(&secret, state.basedir()));
        let read = self.reader().read(look).await;
        read.map_err(|error| error.to_string())?
    }

    /// Whether `password` is that of the person `name`: in the configuration, or else in the
    /// register; or in the password file of Apache, if there is one. This takes a fraction of a
    /// second, also if there is no such person.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn is_password(&self, name: &str, password: String) -> Result<bool, String> {
        let config = self.config();
        let mut people = config.people.iter();
        let known = people.find(|known| known.person.name == name);
        let configured = known.and_then(|known| known.password.clone());
        let login = config.login.as_ref();
        let file = login.and_then(|login| login.htpasswd_file.clone());
        let name = name.to_owned();
        let check = move |state: &State| {
            let known = match configured {
                // What cannot be read is in the log of the start.
                Some(secret) => read_password(&secret, state.basedir()).ok(),
                None => state.password_hash(&name)?.map(String::into_bytes),
            };
            let password = password.as_bytes();
            let file = file.map(|path| state.basedir().join(path));
            let is_in_file = file.is_some_and(|path| is_in_file(&path, &name, password));
            // The second is always computed, so that names in the file take as long as others.
            Ok::<_, StoreError>(is_password(known.as_deref(), password) | is_in_file)
        };
        let checked = self.reader().read(check).await;
        checked.map_err(|error| error.to_string())
    }

    /// Begins a session of a person who has shown who they are, and answers with its secret when it
    /// is on disk (LGN-05). `roles` are those that the login gives, besides those of the register.
    /// Somebody whom only the password file has is added to the register (LGN-06).
    ///
    /// # Errors
    /// The master cannot write its state.
    pub async fn begin_session(
        &self,
        name: &str,
        roles: BTreeSet<String>,
        lasting: Lasting,
        origin: &Origin,
    ) -> Result<String, String> {
        let changing = self.changing().await?;
        let by_password = match changing.register.get(name) {
            Some(_) => (Vec::new(), "the password"),
            None => {
                let (person, at) = (changing.stored(name), changing.at);
                let saved = Op::Person(Box::new(PersonOp::Saved { person, at }));
                (vec![saved], "the password, for the first time")
            }
        };
        self.session_of(name, roles, lasting, origin, by_password)
            .await
    }

    /// Begins a session in one transaction with other ops, which come before; `ground` says what
    /// has shown who it is.
    pub(super) async fn session_of(
        &self,
        name: &str,
        roles: BTreeSet<String>,
        lasting: Lasting,
        origin: &Origin,
        (mut ops, ground): (Vec<Op>, &str),
    ) -> Result<String, String> {
        self.admit("nobody has logged in").await?;
        let begun_at = self.clock.wall();
        let session = secret("", rand::random());
        let record = SessionRecord {
            hash: hash_of(&session),
            person: name.to_owned(),
            roles,
            address: origin.address.clone(),
            begun_at,
            ends_at: begun_at + lasting.longest,
        };
        let begun = Op::Person(Box::new(PersonOp::SessionBegun(record)));
        let audit = self.login_record(name, origin, "logged in", Outcome::Done, ground);
        ops.extend([begun, audit]);
        self.writer.write_and_wait(ops).await;
        Ok(session)
    }

    /// Ends a session.
    pub async fn end_session(&self, session: &str, name: &str, origin: &Origin) {
        let session = hash_of(session);
        let ended = Op::Person(Box::new(PersonOp::SessionEnded { session }));
        let audit = self.login_record(name, origin, "logged out", Outcome::Done, "the session");
        if self.is_healthy() {
            self.writer.write_and_wait(vec![ended, audit]).await;
        } else {
            self.writer.hand_in(None, vec![ended, audit]);
        }
    }

    /// Puts into the audit log that somebody could not log in as `name`, and why.
    pub fn login_refused(&self, name: &str, origin: &Origin, ground: &str) {
        let audit = self.login_record(name, origin, "tried to log in", Outcome::Refused, ground);
        self.writer.hand_in(None, vec![audit]);
    }

    fn login_record(
        &self,
        name: &str,
        origin: &Origin,
        what: &str,
        outcome: Outcome,
        ground: &str,
    ) -> Op {
        let who = match outcome {
            Outcome::Done => name,
            Outcome::Refused | Outcome::Failed(_) => "",
        };
        Op::Audited(Box::new(AuditRecord {
            at: self.clock.wall(),
            who: who.to_owned(),
            door: origin.door,
            address: origin.address.clone(),
            token: None,
            action: Action::View,
            object: format!("user {name}"),
            what: what.to_owned(),
            reason: String::new(),
            outcome,
            ground: ground.to_owned(),
        }))
    }

    /// Whose session has this secret; absent if there is none, or it has ended.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn of_session(
        &self,
        session: &str,
        origin: Origin,
    ) -> Result<Option<Caller>, String> {
        let hash = hash_of(session);
        let (config, now) = (self.config(), self.clock.wall());
        let look = move |state: &State| {
            let Some(row) = state.session(&hash)? else {
                return Ok(None);
            };
            let roles = view::roles(state, &config, &row.session.person, now)?;
            Ok::<_, StoreError>(Some((row, roles)))
        };
        let found = self.reader().read(look).await;
        let Some((row, roles)) = found.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let session = row.session;
        if !is_good(session.begun_at, row.used_at, session.ends_at, now) {
            return Ok(None);
        }
        let Some(mut roles) = roles else {
            return Ok(None);
        };
        roles.extend(session.roles);
        if is_noted_again(Some(row.used_at), now) {
            let session = session.hash;
            let used = PersonOp::SessionUsed { session, at: now };
            self.writer.hand_in(None, vec![Op::Person(Box::new(used))]);
        }
        let Origin { door, address } = origin;
        let name = &session.person;
        Ok(Some(Caller::person(name, roles, door, &address)))
    }

    /// Whose token this is; absent if there is no such token, or it has ended.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn of_token(&self, token: &str, origin: Origin) -> Result<Option<Caller>, String> {
        let hash = hash_of(token);
        let (config, now) = (self.config(), self.clock.wall());
        let look = move |state: &State| {
            let Some(row) = state.token_by_hash(&hash)? else {
                return Ok(None);
            };
            let roles = view::roles(state, &config, &row.token.person, now)?;
            Ok::<_, StoreError>(Some((row, roles)))
        };
        let found = self.reader().read(look).await;
        let Some((row, roles)) = found.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let token = row.token;
        if row.ended_at.is_some() || now >= token.ends_at {
            return Ok(None);
        }
        let Some(roles) = roles else {
            return Ok(None);
        };
        if is_noted_again(row.used_at, now) {
            let used = PersonOp::TokenUsed {
                token: token.id,
                at: now,
            };
            self.writer.hand_in(None, vec![Op::Person(Box::new(used))]);
        }
        let Origin { door, address } = origin;
        let mut caller = Caller::person(&token.person, roles, door, &address);
        caller.token = Some((token.id, token.rights));
        Ok(Some(caller))
    }

    /// The person whom a trusted proxy names, who need not be in the register, with the roles of
    /// the register and `groups`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn of_proxy(
        &self,
        name: &str,
        groups: BTreeSet<String>,
        origin: Origin,
    ) -> Result<Caller, String> {
        let (person, config, now) = (name.to_owned(), self.config(), self.clock.wall());
        let look = move |state: &State| view::roles(state, &config, &person, now);
        let known = self.reader().read(look).await;
        let known = known.map_err(|error| error.to_string())?;
        let mut roles = known.unwrap_or_default();
        roles.extend(groups);
        let Origin { door, address } = origin;
        Ok(Caller::person(name, roles, door, &address))
    }
}

/// Whether the password file of Apache at `path` has `name` with `password`. The file is read each
/// time, so a change of it counts at once.
fn is_in_file(path: &Path, name: &str, password: &[u8]) -> bool {
    let file = path.display();
    let text = match read_limited(path) {
        Ok(text) => text,
        Err(error) => {
            warn!("cannot read the password file {file}: {error}");
            return false;
        }
    };
    let hash = htpasswd::hash_in(&text, name).filter(|_| is_person_name(name));
    let checked = hash.map(|hash| htpasswd::has_hash(password, hash));
    checked.is_some_and(|checked| {
        checked.unwrap_or_else(|why| {
            let name = name.escape_debug();
            warn!("{file}: cannot check the password of {name}: {why}");
            false
        })
    })
}

fn read_limited(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.len() > htpasswd::LARGEST_HTPASSWD {
        let limit = htpasswd::LARGEST_HTPASSWD / (1024 * 1024);
        return Err(io::Error::other(format!("it has more than {limit} MiB")));
    }
    io::read_to_string(file.take(htpasswd::LARGEST_HTPASSWD))
}

fn is_noted_again(used_at: Option<Timestamp>, now: Timestamp) -> bool {
    used_at.is_none_or(|used_at| now.since(used_at) >= NOTED_AGAIN)
}
