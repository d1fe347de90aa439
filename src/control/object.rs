//! What acts are done to, in words and as permissions see it.

use crate::config::Config;
use crate::model::{
    AttributeKind, BuildNumber, BuilderName, Object, ProblemNumber, RequestId, SchedulerName,
    SlaveName, interested_users,
};
use crate::store::{State, StoreError};
use crate::view;

/// What an act is done to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The master as a whole.
    Master,
    /// A builder.
    Builder(BuilderName),
    /// A build.
    Build(BuilderName, BuildNumber),
    /// A request.
    Request(RequestId),
    /// A slave.
    Slave(SlaveName),
    /// A scheduler.
    Scheduler(SchedulerName),
    /// A problem.
    Problem(ProblemNumber),
    /// Somebody in the register of people.
    User(String),
}

impl std::fmt::Display for Target {
    /// The target in words; nothing for the master as a whole.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Master => Ok(()),
            Self::Builder(builder) => write!(f, "builder {builder}"),
            Self::Build(builder, number) => write!(f, "build {builder}/{number}"),
            Self::Request(request) => write!(f, "request {request}"),
            Self::Slave(slave) => write!(f, "slave {slave}"),
            Self::Scheduler(scheduler) => write!(f, "scheduler {scheduler}"),
            Self::Problem(problem) => write!(f, "problem {problem}"),
            Self::User(name) => write!(f, "user {name}"),
        }
    }
}

/// The target as permissions see it.
///
/// # Errors
/// The state cannot be read.
pub fn object(state: &State, config: &Config, target: &Target) -> Result<Object, StoreError> {
    Ok(match target {
        Target::Master | Target::User(_) => Object::default(),
        Target::Builder(builder) => Object {
            owners: config.owners_of_builder(builder.as_str()),
            ..of_builder(config, builder)
        },
        Target::Problem(number) => match state.problem(*number)? {
            Some(row) => Object {
                owners: config.owners_of_builder(row.builder.as_str()),
                repository: Some(row.repository).filter(|name| !name.is_empty()),
                ..of_builder(config, &row.builder)
            },
            None => Object::default(),
        },
        Target::Slave(slave) => Object {
            slave: Some(slave.to_string()),
            ..Object::default()
        },
        Target::Scheduler(scheduler) => Object {
            scheduler: Some(scheduler.to_string()),
            ..Object::default()
        },
        Target::Build(builder, number) => {
            let mut object = of_builder(config, builder);
            if let Some(build) = state.build(builder, *number)? {
                let users = interested_users(&build.blamelist, &build.properties);
                object.owners = people_of(state, config, &users)?;
            }
            object
        }
        Target::Request(id) => match state.request(*id)? {
            Some(request) => Object {
                owners: people_of(state, config, &state.wanted_by(*id, request.set)?)?,
                ..of_builder(config, &request.builder)
            },
            None => Object::default(),
        },
    })
}

fn of_builder(config: &Config, builder: &BuilderName) -> Object {
    let known = config.builder(builder.as_str());
    Object {
        builder: Some(builder.to_string()),
        tags: known.map(|known| known.tags.clone()).unwrap_or_default(),
        ..Object::default()
    }
}

/// The names of the people who are meant by `users`: names in the register, or texts by which the
/// register knows somebody.
fn people_of(state: &State, config: &Config, users: &[String]) -> Result<Vec<String>, StoreError> {
    let register = view::register(state, config)?;
    let person = |user: &String| match register.get(user) {
        Some(person) => Some(person.name.clone()),
        None => {
            let (person, _) = register.person(AttributeKind::Any, user)?;
            Some(person.name.clone())
        }
    };
    Ok(users.iter().filter_map(person).collect())
}
