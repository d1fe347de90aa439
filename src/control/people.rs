//! The register of people: what changes it, and who a secret belongs to (WHO-06, LGN-01, LGN-02).
//!
//! Invariant: one change at a time. Whoever has a [`Changing`] has read the register, and writes
//! what follows from it before anybody else reads it for a change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use super::Control;
use super::offers::{by_password, host};
use crate::config::is_person_name;
use crate::model::journal::PersonOp;
use crate::model::{
    Action, Attribute, AuditRecord, Duty, Op, Outcome, PasswordHash, Person, Timestamp, TokenId,
    TokenRecord, TokenRights,
};
use crate::people::{
    LONGEST_TOKEN_DAYS, Register, TOKEN_DAYS, TOKEN_PREFIX, hash_of, on_duty, secret,
};
use crate::store::{State, StoreError};
use crate::view;

/// A change of the register.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum UserAct {
    /// Add a person.
    Add {
        /// The name.
        name: String,
        /// What is known of the person.
        #[serde(default)]
        attributes: BTreeSet<Attribute>,
        /// The roles.
        #[serde(default)]
        roles: BTreeSet<String>,
    },
    /// Change what is known of a person.
    Update {
        /// The name.
        name: String,
        /// Attributes to add.
        #[serde(default)]
        add: BTreeSet<Attribute>,
        /// Attributes to remove.
        #[serde(default)]
        remove: BTreeSet<Attribute>,
        /// Roles to add.
        #[serde(default)]
        add_roles: BTreeSet<String>,
        /// Roles to remove.
        #[serde(default)]
        remove_roles: BTreeSet<String>,
    },
    /// Remove a person, with attributes, tokens and sessions (WHO-09).
    Remove {
        /// The name.
        name: String,
    },
    /// Set the password of a person, which ends all sessions of the person.
    Password {
        /// The name.
        name: String,
        /// The argon2id hash of the password; absent: the person cannot log in with a password.
        hash: Option<PasswordHash>,
    },
    /// Give all that is known of one person to another, and remove the first.
    Merge {
        /// The person who is removed.
        from: String,
        /// The person who remains.
        into: String,
    },
    /// Make a token; answered with the token, which is shown only then.
    AddToken {
        /// The person.
        name: String,
        /// What the token is for.
        #[serde(default)]
        label: String,
        /// The limits of the token.
        rights: Box<TokenRights>,
        /// How many days the token is good.
        #[serde(default)]
        days: Option<u64>,
    },
    /// End a token.
    EndToken {
        /// The number of the token.
        token: TokenId,
    },
    /// Put somebody on duty, whoever's turn it is (ESC-10).
    Duty {
        /// The name of the person.
        name: String,
        /// The rota; absent: the only one.
        #[serde(default)]
        rota: Option<String>,
        /// When the duty ends; absent: with the turn.
        #[serde(default)]
        until: Option<Timestamp>,
    },
}

impl UserAct {
    /// What is asked for, in words for the log.
    #[must_use]
    pub(super) fn act(&self) -> String {
        match self {
            Self::Add { name, .. } => format!("asked to add user {}", name.escape_debug()),
            Self::Update { name, .. } => format!("asked to update user {}", name.escape_debug()),
            Self::Remove { name } => format!("asked to remove user {}", name.escape_debug()),
            Self::Password { name, hash } => {
                let what = hash.as_ref().map_or("remove", |_| "set");
                format!(
                    "asked to {what} the password of user {}",
                    name.escape_debug()
                )
            }
            Self::Merge { from, into } => {
                let (from, into) = (from.escape_debug(), into.escape_debug());
                format!("asked to merge user {from} into {into}")
            }
            Self::AddToken { name, .. } => {
                format!("asked for a token for user {}", name.escape_debug())
            }
            Self::EndToken { token } => format!("asked to end token {token}"),
            Self::Duty { name, .. } => format!("asked to put user {} on duty", name.escape_debug()),
        }
    }

    /// The name of the user whom the act concerns; empty if a token names the user.
    #[must_use]
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Add { name, .. }
            | Self::Update { name, .. }
            | Self::Remove { name }
            | Self::Password { name, .. }
            | Self::Merge { from: name, .. }
            | Self::AddToken { name, .. }
            | Self::Duty { name, .. } => name,
            Self::EndToken { .. } => "",
        }
    }
}

impl Control {
    /// The register of people: those of the configuration and those of the state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn register(&self) -> Result<Register, String> {
        Ok(self.people().await?.1)
    }

    /// Changes the register for a client at `address` that has logged in as a user manager
    /// (WHO-07).
    ///
    /// # Errors
    /// Why nothing has changed; the audit log has that, too.
    pub async fn user_of_manager(&self, act: UserAct, address: &str) -> Result<Value, String> {
        let mut record = Box::new(AuditRecord {
            object: format!("user {}", act.name()),
            what: act.act(),
            ground: "allowed by the password of the user manager".to_owned(),
            ..by_password(Action::Users, host(address), self.clock.wall())
        });
        let done = self.user(act, record.clone()).await;
        if let Err(why) = &done {
            record.outcome = Outcome::Failed(why.clone());
            self.writer.hand_in(None, vec![Op::Audited(record)]);
        }
        done
    }

    /// Changes the register; `record` goes into the audit log in the same transaction.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub(super) async fn user(
        &self,
        act: UserAct,
        record: Box<AuditRecord>,
    ) -> Result<Value, String> {
        if !self.writer.is_healthy() {
            return Err("nothing has changed: the master cannot write its state".to_owned());
        }
        let mut answer = Value::Null;
        let changing = self.changing().await?;
        let people = match act {
            UserAct::Add {
                name,
                attributes,
                roles,
            } => changing.added(Person {
                name,
                attributes,
                roles,
            })?,
            UserAct::Update {
                name,
                add,
                remove,
                add_roles,
                remove_roles,
            } => {
                let mut person = changing.known(&name)?;
                changing.are_free(&name, &add)?;
                take_away(&mut person, &remove, &remove_roles)?;
                person.attributes.extend(add);
                person.roles.extend(add_roles);
                let at = changing.at;
                vec![PersonOp::Saved { person, at }]
            }
            UserAct::Remove { name } => {
                changing.only_here(&name)?;
                changing.known(&name)?;
                vec![PersonOp::Removed { person: name }]
            }
            UserAct::Password { name, hash } => {
                let config = self.config();
                let mut people = config.people.iter();
                if people.any(|known| known.person.name == name && known.password.is_some()) {
                    return Err(format!("the configuration has the password of user {name}"));
                }
                changing.password(name, hash)?
            }
            UserAct::Merge { from, into } => changing.merged(from, &into)?,
            UserAct::AddToken {
                name,
                label,
                rights,
                days,
            } => {
                changing.known(&name)?;
                let (token, op) = self.new_token(name, label, *rights, days).await?;
                answer = json!(token);
                vec![op]
            }
            UserAct::EndToken { token } => {
                let tokens = self.reader().read(|state| state.tokens(None)).await;
                let tokens = tokens.map_err(|error| error.to_string())?;
                if !tokens.iter().any(|known| known.token.id == token) {
                    return Err(format!("there is no token {token}"));
                }
                let at = changing.at;
                vec![PersonOp::TokenEnded { token, at }]
            }
            UserAct::Duty { name, rota, until } => {
                if changing.register.get(&name).is_none() {
                    return Err(format!("there is no user {name:?}"));
                }
                let duty = self.duty(name, rota.as_deref(), until, changing.at)?;
                answer = json!(duty);
                vec![PersonOp::DutyTaken(duty)]
            }
        };
        let ops = people.into_iter().map(|op| Op::Person(Box::new(op)));
        let ops = ops.chain([Op::Audited(record)]).collect();
        self.writer.write_and_wait(ops).await;
        Ok(answer)
    }

    /// The duty that somebody takes by hand.
    fn duty(
        &self,
        person: String,
        rota: Option<&str>,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Duty, String> {
        let config = self.config();
        let known = match (rota, config.duty.as_slice()) {
            (_, []) => return Err("the configuration has no [[duty]]".to_owned()),
            (None, [only]) => only,
            (None, _) => return Err("there are several rotas: name one of them".to_owned()),
            (Some(name), rotas) => {
                let mut rotas = rotas.iter();
                let known = rotas.find(|known| known.name == name);
                known.ok_or_else(|| format!("there is no rota {name:?}"))?
            }
        };
        let until = until.unwrap_or_else(|| on_duty(known, &[], now).until);
        if until <= now {
            return Err("the duty would end before it begins".to_owned());
        }
        Ok(Duty {
            rota: known.name.clone(),
            person,
            until,
        })
    }

    /// Keeps whom the command of the configuration lists, if they are others than before.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn people_listed(&self, mut people: Vec<Person>) -> Result<(), String> {
        people.sort_by(|a, b| a.name.cmp(&b.name));
        people.dedup_by(|later, first| later.name == first.name);
        let before = self.reader().read(State::listed_people).await;
        if before.map_err(|error| error.to_string())? != people {
            self.note(Op::Person(Box::new(PersonOp::Listed { people })));
        }
        Ok(())
    }

    /// Keeps the file that says who owns the files of a repository, if it is another than before.
    pub async fn owners_read(&self, repository: &str, text: String) {
        let name = repository.to_owned();
        let before = self.reader().read(move |state| state.owners_file(&name));
        let is_known = before
            .await
            .is_ok_and(|before| before.unwrap_or_default() == text);
        if !is_known {
            let repository = repository.to_owned();
            self.note(Op::Person(Box::new(PersonOp::OwnersRead {
                repository,
                text,
            })));
        }
    }

    /// The register as it is before a change. Nobody else changes it until the answer is dropped.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) async fn changing(&self) -> Result<Changing, String> {
        let turn = Arc::clone(&self.register).lock_owned().await;
        let (stored, register) = self.people().await?;
        Ok(Changing {
            _turn: turn,
            stored,
            register,
            at: self.clock.wall(),
        })
    }

    /// The people of the state, and all people.
    async fn people(&self) -> Result<(Vec<Person>, Register), String> {
        let (config, now) = (self.config(), self.clock.wall());
        let look = move |state: &State| {
            let stored = state.people()?;
            Ok::<_, StoreError>((stored, view::register_at(state, &config, now)?))
        };
        let read = self.reader().read(look).await;
        read.map_err(|error| error.to_string())
    }

    /// A new token, and what is stored of it.
    async fn new_token(
        &self,
        person: String,
        label: String,
        rights: TokenRights,
        days: Option<u64>,
    ) -> Result<(String, PersonOp), String> {
        let days = days.unwrap_or(TOKEN_DAYS);
        if !(1..=LONGEST_TOKEN_DAYS).contains(&days) {
            return Err(format!(
                "a token is good for 1 to {LONGEST_TOKEN_DAYS} days"
            ));
        }
        let next = self.reader().read(State::next_token).await;
        let made_at = self.clock.wall();
        let token = secret(TOKEN_PREFIX, rand::random());
        let record = TokenRecord {
            id: next.map_err(|error| error.to_string())?,
            hash: hash_of(&token),
            person,
            label,
            rights,
            made_at,
            ends_at: made_at + Duration::from_secs(days * 86_400),
        };
        Ok((token, PersonOp::TokenMade(Box::new(record))))
    }
}

/// The register as it is before a change, for the only one who changes it.
pub(super) struct Changing {
    /// Ends when the change is on disk.
    _turn: OwnedMutexGuard<()>,
    /// The people of the state.
    stored: Vec<Person>,
    /// All people.
    pub(super) register: Register,
    /// Time of the change.
    pub(super) at: Timestamp,
}

impl Changing {
    /// What the state has of a person, who may be new or in the configuration only.
    pub(super) fn stored(&self, name: &str) -> Person {
        let mut stored = self.stored.iter();
        let stored = stored.find(|person| person.name == name).cloned();
        stored.unwrap_or_else(|| Person {
            name: name.to_owned(),
            ..Person::default()
        })
    }

    /// What the state has of a person that the register has.
    fn known(&self, name: &str) -> Result<Person, String> {
        match self.register.get(name) {
            Some(_) => Ok(self.stored(name)),
            None => Err(format!("there is no user {name:?}")),
        }
    }

    fn only_here(&self, name: &str) -> Result<(), String> {
        match self.register.is_configured(name) {
            true => Err(format!(
                "user {name} is in the configuration; change the configuration"
            )),
            false => Ok(()),
        }
    }

    /// Whether nobody but `name` has one of these identities.
    fn are_free(&self, name: &str, attributes: &BTreeSet<Attribute>) -> Result<(), String> {
        for attribute in attributes.iter().filter(|a| a.kind.identifies()) {
            let owner = self.register.owner_of(attribute);
            if let Some(owner) = owner.filter(|owner| owner.name != name) {
                let Attribute { kind, value } = attribute;
                return Err(format!("user {} has the {kind} {value:?}", owner.name));
            }
        }
        Ok(())
    }

    fn added(&self, person: Person) -> Result<Vec<PersonOp>, String> {
        let name = &person.name;
        if self.register.get(name).is_some() {
            return Err(format!("there is a user {name} already"));
        }
        if !is_person_name(name) {
            return Err(format!("{name:?} cannot be the name of a user"));
        }
        self.are_free(name, &person.attributes)?;
        let at = self.at;
        Ok(vec![PersonOp::Saved { person, at }])
    }

    fn password(&self, name: String, hash: Option<PasswordHash>) -> Result<Vec<PersonOp>, String> {
        let (person, at) = (self.known(&name)?, self.at);
        let mut ops = Vec::new();
        if !self.stored.contains(&person) {
            ops.push(PersonOp::Saved { person, at });
        }
        let person = name;
        ops.push(PersonOp::PasswordSet { person, hash, at });
        Ok(ops)
    }

    fn merged(&self, from: String, into: &str) -> Result<Vec<PersonOp>, String> {
        self.only_here(&from)?;
        if from == into {
            return Err("a user cannot be merged into itself".to_owned());
        }
        let (mut person, mut other) = (self.known(into)?, self.known(&from)?);
        person.attributes.append(&mut other.attributes);
        person.roles.append(&mut other.roles);
        let at = self.at;
        Ok(vec![
            PersonOp::Removed { person: from },
            PersonOp::Saved { person, at },
        ])
    }
}

fn take_away(
    person: &mut Person,
    attributes: &BTreeSet<Attribute>,
    roles: &BTreeSet<String>,
) -> Result<(), String> {
    for attribute in attributes {
        if !person.attributes.remove(attribute) {
            let Attribute { kind, value } = attribute;
            let name = &person.name;
            return Err(format!("user {name} does not have the {kind} {value:?}"));
        }
    }
    for role in roles {
        if !person.roles.remove(role) {
            let name = &person.name;
            return Err(format!("user {name} does not have the role {role:?}"));
        }
    }
    Ok(())
}
