//! Who asks for something, and by which way.

use std::collections::BTreeSet;

use crate::model::{Action, Door, TokenId, TokenRights};
use crate::people::{Actor, Ground};

/// Who asks for something, and by which way.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Who it is.
    pub actor: Actor,
    /// The way by which the request came.
    pub door: Door,
    /// The address of the caller; empty if the way has none.
    pub address: String,
    /// The token that was used.
    pub token: Option<(TokenId, TokenRights)>,
    /// What the door allows to anyone, each with what says so.
    pub granted: Vec<(Action, Ground)>,
}

impl Caller {
    /// A user of this machine, over the control socket.
    #[must_use]
    pub fn local(user: &str) -> Self {
        Self {
            actor: Actor::Local {
                user: user.to_owned(),
            },
            door: Door::Command,
            address: String::new(),
            token: None,
            granted: Vec::new(),
        }
    }

    /// Somebody who has not logged in.
    #[must_use]
    pub fn stranger(door: Door, address: &str) -> Self {
        Self {
            actor: Actor::Stranger,
            door,
            address: address.to_owned(),
            token: None,
            granted: Vec::new(),
        }
    }

    /// A person who has logged in.
    #[must_use]
    pub fn person(name: &str, roles: BTreeSet<String>, door: Door, address: &str) -> Self {
        Self {
            actor: Actor::Person {
                name: name.to_owned(),
                roles,
            },
            door,
            address: address.to_owned(),
            token: None,
            granted: Vec::new(),
        }
    }

    /// The same caller at a door that allows this to anyone.
    #[must_use]
    pub fn granted(self, granted: Vec<(Action, Ground)>) -> Self {
        Self { granted, ..self }
    }

    /// The name of the caller; empty for somebody who has not logged in.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.actor {
            Actor::Local { user } => user,
            Actor::Person { name, .. } => name,
            Actor::Stranger => "",
        }
    }

    /// The name of the caller, if the caller has logged in.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        Some(self.name()).filter(|name| !name.is_empty())
    }
}
