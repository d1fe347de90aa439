//! ID tokens: what a provider says of a person, signed (OpenID Connect Core 1.0, section 3.1.3.7).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::keys::Keys;
use crate::model::Timestamp;

/// How far the clocks of the provider and of the master may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// Maximum number of bytes of a subject, as the specification has it.
const LONGEST_SUBJECT: usize = 255;

/// What a token must say.
#[derive(Clone, Copy)]
pub struct Expected<'e> {
    /// The issuer of the configuration.
    pub issuer: &'e str,
    /// The client id of the configuration.
    pub client_id: &'e str,
    /// The nonce of the flow.
    pub nonce: &'e str,
    /// The time.
    pub now: Timestamp,
}

impl fmt::Debug for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected").finish_non_exhaustive()
    }
}

/// Why a token is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdTokenError {
    /// It is not a signed token.
    #[error("the ID token is not a signed JSON Web Token")]
    Malformed,
    /// It is not signed in a way that shows who made it.
    #[error("the ID token has the algorithm {0:?}, which is not one of RS256, ES256 and the like")]
    Algorithm(String),
    /// The provider has no such key, as far as it is known.
    #[error("the ID token is signed with a key that the provider does not publish")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the signature of the ID token is wrong")]
    Signature,
    /// It is of another provider.
    #[error("the ID token has another issuer")]
    Issuer,
    /// It is for another program.
    #[error("the ID token is for another client")]
    Audience,
    /// It is of another login.
    #[error("the nonce of the ID token is that of another login")]
    Nonce,
    /// It has expired.
    #[error("the ID token has expired; compare the clocks of the master and of the provider")]
    Expired,
    /// It is from the future.
    #[error(
        "the ID token is from the future; compare the clocks of the master and of the provider"
    )]
    FromTheFuture,
    /// It does not say who it is about.
    #[error("the ID token has no usable subject")]
    Subject,
}

/// What a provider says of a person who has logged in there.
#[derive(Clone, Eq, PartialEq)]
pub struct Claims {
    /// The name of the person at the provider, which never changes.
    pub subject: String,
    /// The mail address, if the provider has verified it.
    pub email: Option<String>,
    /// All that the token says.
    pub all: Map<String, Value>,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl Claims {
    /// Reads a token, which must be signed with one of `keys` and say what is `expected`.
    ///
    /// # Errors
    /// The token is not believed. With [`IdTokenError::UnknownKey`] it may be after the keys are
    /// fetched again.
    pub fn read(token: &str, keys: &Keys, expected: Expected<'_>) -> Result<Self, IdTokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(IdTokenError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(IdTokenError::Malformed)?;
        let header: Header = json(header)?;
        let (algorithm, id) = (header.alg.as_str(), header.kid.as_deref());
        if !ALGORITHMS.contains(&algorithm) {
            let shown = algorithm.chars().take(20).collect();
            return Err(IdTokenError::Algorithm(shown));
        }
        // What must be understood is not.
        if header.crit.is_some() || claims.contains('.') {
            return Err(IdTokenError::Malformed);
        }
        if !keys.has(algorithm, id) {
            return Err(IdTokenError::UnknownKey);
        }
        let signature = decoded(signature)?;
        if !keys.verify(algorithm, id, message.as_bytes(), &signature) {
            return Err(IdTokenError::Signature);
        }
        Self::check(json(claims)?, expected)
    }

    /// Checks what a token says whose signature is right.
    fn check(all: Map<String, Value>, expected: Expected<'_>) -> Result<Self, IdTokenError> {
        let text = |key: &str| all.get(key).and_then(Value::as_str);
        if text("iss") != Some(expected.issuer) {
            return Err(IdTokenError::Issuer);
        }
        is_for(&all, expected.client_id)?;
        let nonce = text("nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
            return Err(IdTokenError::Nonce);
        }
        let time = |key: &str| {
            all.get(key)
                .and_then(Value::as_f64)
                .map(Timestamp::from_secs_f64)
        };
        let ends_at = time("exp").ok_or(IdTokenError::Expired)?;
        if expected.now >= ends_at + SKEW {
            return Err(IdTokenError::Expired);
        }
        let mut begins = ["nbf", "iat"].into_iter().filter_map(time);
        if begins.any(|begins| begins > expected.now + SKEW) {
            return Err(IdTokenError::FromTheFuture);
        }
        let is_usable = |subject: &&str| {
            !subject.is_empty()
                && subject.len() <= LONGEST_SUBJECT
                && !subject.contains(char::is_control)
        };
        let subject = text("sub").filter(is_usable).ok_or(IdTokenError::Subject)?;
        let is_verified = all.get("email_verified").is_some_and(|verified| {
            // Some providers send a text.
            *verified == Value::Bool(true) || verified.as_str() == Some("true")
        });
        let email = text("email").filter(|email| is_verified && is_address(email));
        Ok(Self {
            subject: subject.to_owned(),
            email: email.map(ToOwned::to_owned),
            all,
        })
    }
}

/// The ways in which a token can be signed.
const ALGORITHMS: [&str; 10] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519",
];

/// Whether a token is for the client `id`. One that is for several must name it as the one that
/// asked.
fn is_for(all: &Map<String, Value>, id: &str) -> Result<(), IdTokenError> {
    let is_right = match all.get("aud") {
        Some(Value::String(audience)) => audience == id,
        Some(Value::Array(audiences)) => {
            audiences.iter().any(|audience| audience == id)
                && (audiences.len() == 1 || all.contains_key("azp"))
        }
        _ => false,
    };
    let asked = all.get("azp");
    match is_right && asked.is_none_or(|asked| asked == id) {
        true => Ok(()),
        false => Err(IdTokenError::Audience),
    }
}

/// Whether a text can be a mail address of a person in the register.
fn is_address(text: &str) -> bool {
    let is_odd =
        |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ':' | ',');
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(is_odd)
    })
}

fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, IdTokenError> {
    serde_json::from_slice(&decoded(part)?).map_err(|_| IdTokenError::Malformed)
}

fn decoded(part: &str) -> Result<Vec<u8>, IdTokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| IdTokenError::Malformed)
}

#[cfg(test)]
mod tests;
