//! The people of a master: those of the configuration, of the register and of the command as one
//! list, who is on duty, and who owns files (WHO-05, WHO-08, ESC-10).

use std::collections::BTreeSet;

use crate::config::Config;
use crate::model::{AttributeKind, Duty, Timestamp};
use crate::people::{Codeowners, Register, SHERIFF};
use crate::store::{State, StoreError};

/// All people.
///
/// # Errors
/// The state cannot be read.
pub fn register(state: &State, config: &Config) -> Result<Register, StoreError> {
    let configured = config.people.iter().map(|known| &known.person);
    let others = state.people()?.into_iter().chain(state.listed_people()?);
    let domain = config.people_lookup.domain.clone();
    Ok(Register::new(configured, others).with_domain(domain))
}

/// All people. Those who are on duty at `now` have the role for that.
///
/// # Errors
/// The state cannot be read.
pub fn register_at(state: &State, config: &Config, now: Timestamp) -> Result<Register, StoreError> {
    let duties = on_duty(state, config, now)?;
    let names = duties.iter().map(|duty| duty.person.as_str());
    Ok(register(state, config)?.with_sheriffs(names))
}

/// The roles of the person of this name at `now`; absent if there is no such person.
///
/// # Errors
/// The state cannot be read.
pub fn roles(
    state: &State,
    config: &Config,
    name: &str,
    now: Timestamp,
) -> Result<Option<BTreeSet<String>>, StoreError> {
    let mut people = config.people.iter();
    let configured = people.find(|known| known.person.name == name);
    let configured = configured.map(|known| known.person.roles.clone());
    let mut roles = match (configured, state.roles(name)?) {
        (None, None) => return Ok(None),
        (configured, stored) => {
            let mut roles = configured.unwrap_or_default();
            roles.extend(stored.unwrap_or_default());
            roles
        }
    };
    let duties = on_duty(state, config, now)?;
    if duties.iter().any(|duty| duty.person == name) {
        roles.insert(SHERIFF.to_owned());
    }
    Ok(Some(roles))
}

/// Who is on duty at `now`, by rota in the order of the configuration.
///
/// # Errors
/// The state cannot be read.
pub fn on_duty(state: &State, config: &Config, now: Timestamp) -> Result<Vec<Duty>, StoreError> {
    if config.duty.is_empty() {
        return Ok(Vec::new());
    }
    let taken = state.duties()?;
    let rotas = config.duty.iter();
    Ok(rotas
        .map(|rota| crate::people::on_duty(rota, &taken, now))
        .collect())
}

/// The owners of files in the repository of this name: by the rules of the configuration and by the
/// file of the repository. A name that `register` knows is that of the person.
///
/// # Errors
/// The state cannot be read.
pub fn owners_of_files(
    state: &State,
    config: &Config,
    register: &Register,
    files: &[String],
    repository: &str,
) -> Result<Vec<String>, StoreError> {
    let mut owners: BTreeSet<String> = config
        .owners_of_files(files, repository)
        .into_iter()
        .collect();
    let known = config.repository(repository);
    if known.is_some_and(|known| known.owners_file.is_some())
        && let Some(text) = state.owners_file(repository)?
    {
        let file = Codeowners::parse(&text);
        let named = file.of_files(files).into_iter();
        owners.extend(named.map(|name| person_named(register, name)));
    }
    Ok(owners.into_iter().collect())
}

/// The name of the person whom a file of owners calls `name`, else `name` itself.
fn person_named(register: &Register, name: &str) -> String {
    let known = register.get(name);
    let known = known.or_else(|| register.person(AttributeKind::Git, name).map(|(p, _)| p));
    known.map_or(name, |person| &person.name).to_owned()
}
