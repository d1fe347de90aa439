//! Login at an OpenID Connect provider: the authorization code flow with PKCE (LGN-04).
//!
//! Invariants: nothing here sends or receives anything; what the provider sends is data that has to
//! show its signature, issuer, audience, time and nonce before anything is believed. No type here
//! shows a secret, a code or a token when it is printed.
//!
//! Start reading at [`Flow`], which a browser carries from the login page to the provider and back.

mod flow;
mod id_token;
mod keys;
mod metadata;
mod who;

pub use flow::{Flow, PATIENCE};
pub use id_token::{Claims, Expected, IdTokenError};
pub use keys::Keys;
pub use metadata::{Metadata, SecretPlace};
pub use who::{NotWho, Who, resolve, roles};

#[cfg(test)]
pub(crate) mod testing;
