//! The people of a master: those of the configuration, of the register and of the command as one
//! list, who is on duty, and who owns files (WHO-05, WHO-08, ESC-10).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

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

/// The owners of files, each with the name of its repository: by the rules of the configuration
/// and by the files of the repositories. A name that the register knows is that of the person.
///
/// # Errors
/// The state cannot be read.
pub fn owners_of_files<'f>(
    state: &State,
    config: &Config,
    files: impl IntoIterator<Item = (&'f [String], &'f str)>,
) -> Result<Vec<String>, StoreError> {
    let (mut owners, mut named) = (BTreeSet::new(), BTreeSet::new());
    let mut known: BTreeMap<&str, Option<Codeowners>> = BTreeMap::new();
    for (files, repository) in files {
        owners.extend(config.owners_of_files(files, repository));
        let file = match known.entry(repository) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(owners_file(state, config, repository)?),
        };
        let of_file = file.iter().flat_map(|file| file.of_files(files));
        named.extend(of_file.map(str::to_owned));
    }
    if !named.is_empty() {
        let register = register(state, config)?;
        owners.extend(named.iter().map(|name| person_named(&register, name)));
    }
    Ok(owners.into_iter().collect())
}

/// The file of owners of a repository, if the configuration says that it has one.
fn owners_file(
    state: &State,
    config: &Config,
    repository: &str,
) -> Result<Option<Codeowners>, StoreError> {
    let known = config.repository(repository);
    if known.is_none_or(|known| known.owners_file.is_none()) {
        return Ok(None);
    }
    let text = state.owners_file(repository)?;
    Ok(text.map(|text| Codeowners::parse(&text)))
}

/// The name of the person whom a file of owners calls `name`, else `name` itself.
fn person_named(register: &Register, name: &str) -> String {
    let known = register.get(name);
    let known = known.or_else(|| register.person(AttributeKind::Git, name).map(|(p, _)| p));
    known.map_or(name, |person| &person.name).to_owned()
}
