//! Logging in with what a provider says of a person (LGN-04).

use super::{Control, Origin};
use crate::config::OidcConfig;
use crate::model::journal::PersonOp;
use crate::model::{Op, Person};
use crate::people::oidc::{Claims, NotWho, resolve, roles};
use crate::people::{Lasting, Register};
use crate::store::State;

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
        let stored = self.reader().read(State::people).await;
        let stored = stored.map_err(|error| NotLoggedIn::State(error.to_string()))?;
        let config = self.config();
        let configured = config.people.iter().map(|known| &known.person);
        let register = Register::new(configured, stored.clone());
        let who = match resolve(&register, oidc, claims) {
            Ok(who) => who,
            Err(error) => {
                self.login_refused("", origin, &error.to_string());
                return Err(error.into());
            }
        };
        let mut before = Vec::new();
        if !who.new.is_empty() {
            let mut known = stored.into_iter();
            let known = known.find(|person| person.name == who.name);
            let mut person = known.unwrap_or_else(|| Person {
                name: who.name.clone(),
                ..Person::default()
            });
            person.attributes.extend(who.new);
            let at = self.clock.wall();
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
