//! Which person a provider means, and in which roles (LGN-04).
//!
//! A person is known by issuer and subject, as an attribute `login` with the value
//! `ISSUER#SUBJECT`. Somebody whose identity the register does not have yet is recognized by the
//! verified mail address, once: from then on by the identity, so that whoever gets the address
//! later is somebody else. A verified address that is nobody's becomes the person's at each login,
//! with the changes that have it (WHO-04). What a person can choose at the provider never counts,
//! unless the configuration says with `name_claim` that the provider's names are to be trusted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::register::Register;
use super::id_token::Claims;
use crate::config::{OidcConfig, is_person_name};
use crate::model::{Attribute, AttributeKind, Person};

/// Who has logged in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Who {
    /// The name of the person.
    pub name: String,
    /// The attributes that the register does not have yet.
    pub new: BTreeSet<Attribute>,
    /// Whether the register does not have the person yet.
    pub is_new: bool,
}

/// Why somebody who has logged in at the provider cannot log in here: a sentence without its full
/// stop, which is also for that person.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotWho {
    /// The person that is meant has another identity at the provider.
    #[error("user {name} has another identity at the login provider")]
    OtherIdentity {
        /// The name of the person.
        name: String,
    },
    /// The register does not have the person, and `new_people` is off.
    #[error("no user of this master has this identity")]
    Unknown,
    /// The claim that `name_claim` names is missing, or is not a name.
    #[error("the login provider does not say a usable name in {claim:?}")]
    NoName {
        /// The name of the claim.
        claim: String,
    },
    /// Somebody else has the name.
    #[error("there is another user {name}")]
    Taken {
        /// The name.
        name: String,
    },
}

/// The person whom `claims` are about.
///
/// # Errors
/// Nobody can log in with this identity.
pub fn resolve(register: &Register, oidc: &OidcConfig, claims: &Claims) -> Result<Who, NotWho> {
    let login = Attribute {
        kind: AttributeKind::Login,
        value: format!("{}#{}", oidc.issuer, claims.subject),
    };
    let email = claims.email.as_deref();
    let free = email.filter(|email| register.of_email(email).is_none());
    let free = free.map(|email| Attribute {
        kind: AttributeKind::Email,
        value: email.to_owned(),
    });
    if let Some(person) = register.owner_of(&login) {
        return Ok(Who {
            name: person.name.clone(),
            new: free.into_iter().collect(),
            is_new: false,
        });
    }
    let named = match &oidc.name_claim {
        Some(claim) => Some(named_by(claim, claims)?),
        None => None,
    };
    let known = named.as_deref().and_then(|name| register.get(name));
    let known = known.or_else(|| email.and_then(|email| register.of_email(email)));
    if let Some(person) = known {
        if has_login(person, &oidc.issuer) {
            return Err(NotWho::OtherIdentity {
                name: person.name.clone(),
            });
        }
        return Ok(Who {
            name: person.name.clone(),
            new: free.into_iter().chain([login]).collect(),
            is_new: false,
        });
    }
    if !oidc.new_people {
        return Err(NotWho::Unknown);
    }
    let name = named.or_else(|| email.map(ToOwned::to_owned));
    let name = name.unwrap_or_else(|| name_of(&oidc.issuer, &claims.subject));
    if register.get(&name).is_some() || !is_person_name(&name) {
        return Err(NotWho::Taken { name });
    }
    Ok(Who {
        name,
        new: free.into_iter().chain([login]).collect(),
        is_new: true,
    })
}

/// The roles that the claims give by the table of the configuration.
#[must_use]
pub fn roles(oidc: &OidcConfig, claims: &Claims) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    for (claim, table) in &oidc.roles {
        let values = match claims.all.get(claim) {
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        let values = values.iter().filter_map(Value::as_str);
        roles.extend(values.filter_map(|value| table.get(value).cloned()));
    }
    roles
}

/// Whether a person has an identity at the provider `issuer`.
fn has_login(person: &Person, issuer: &str) -> bool {
    person.attributes.iter().any(|attribute| {
        attribute.kind == AttributeKind::Login
            && attribute
                .value
                .strip_prefix(issuer)
                .is_some_and(|rest| rest.starts_with('#'))
    })
}

fn named_by(claim: &str, claims: &Claims) -> Result<String, NotWho> {
    let name = claims.all.get(claim).and_then(Value::as_str);
    let is_usable = |name: &&str| is_person_name(name) && name.len() <= LONGEST_NAME;
    let name = name.filter(is_usable).ok_or_else(|| NotWho::NoName {
        claim: claim.to_owned(),
    })?;
    Ok(name.to_owned())
}

/// Maximum number of bytes of a name.
const LONGEST_NAME: usize = 256;

/// The name of a new person without a verified address: the host of the provider and the subject,
/// which cannot be an address and contains no colon.
fn name_of(issuer: &str, subject: &str) -> String {
    let host = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    format!("{host}/{}", subject.replace(':', "_"))
}

#[cfg(test)]
mod tests;
