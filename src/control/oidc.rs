//! Logging in with what a provider says of a person (LGN-04).

use super::{Control, Origin};
use crate::config::OidcConfig;
use crate::model::Op;
use crate::model::journal::PersonOp;
use crate::people::Lasting;
use crate::people::oidc::{Claims, NotWho, resolve, roles};

/// Why somebody for whom a provider vouches could not log in: a clause without a full stop, which
/// is also for that person.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotLoggedIn {
    /// The register says so.
    #[error(transparent)]
    NotWho(#[from] NotWho),
    /// The state cannot be read or written.
    #[error("{0}")]
    State(String),
}

impl Control {
    /// Begins a session of the person whom `claims` are about, and answers with its secret when it
    /// is on disk. What the register does not have yet of the person is saved in the same
    /// transaction.
    ///
    /// # Errors
    /// The person cannot log in, which is in the audit log.
    pub async fn log_in_with(
        &self,
        claims: &Claims,
        oidc: &OidcConfig,
        lasting: Lasting,
        origin: &Origin,
    ) -> Result<String, NotLoggedIn> {
        let changing = self.changing().await.map_err(NotLoggedIn::State)?;
        let who = match resolve(&changing.register, oidc, claims) {
            Ok(who) => who,
            Err(error) => {
                self.login_refused("", origin, &error.to_string());
                return Err(error.into());
            }
        };
        let mut before = Vec::new();
        if !who.new.is_empty() {
            let mut person = changing.stored(&who.name);
            person.attributes.extend(who.new);
            let at = changing.at;
            before.push(Op::Person(Box::new(PersonOp::Saved { person, at })));
        }
        let ground = match who.is_new {
            true => "the login provider, for the first time",
            false => "the login provider",
        };
        let roles = roles(oidc, claims);
        let session = self.session_of(&who.name, roles, lasting, origin, (before, ground));
        session.await.map_err(NotLoggedIn::State)
    }
}
