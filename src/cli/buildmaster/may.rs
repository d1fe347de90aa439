//! `buildmaster may`: whether somebody may do something, and which permission says so (MAY-02).

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;
use clap::builder::PossibleValuesParser;

use super::base_dir::Master;
use super::configuration::{Scope, Source, Tell};
use super::{USAGE, say};
use crate::config::{BuilderConfig, Config};
use crate::model::{Action, BuilderName, Object};
use crate::people::{Actor, Decision, may};

/// Tell whether somebody may do something, and which permission decides
///
/// The answer comes from the configuration file. The exit code is 0 if the act is allowed, and 1 if
/// it is not.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct May {
    #[command(flatten)]
    master: Master,
    /// A role of the person; can be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Ask as if the person owned the object
    #[arg(long)]
    owner: bool,
    /// The name of a person, or `anyone` for somebody who has not logged in
    who: String,
    /// What the person wants to do, such as `force` or `stop`
    #[arg(value_parser = PossibleValuesParser::new(Action::names()), hide_possible_values = true)]
    action: String,
    /// The name of a builder, slave or scheduler; `builder:NAME`, `slave:NAME`, `scheduler:NAME` or
    /// `repository:URL` if the name alone is not clear [default: the master as a whole]
    object: Option<String>,
}

impl May {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let source = Source::of(&self.master.basedir);
        let Some(config) = source.load(Scope::File, Tell::Errors)? else {
            return Ok(ExitCode::from(USAGE));
        };
        let mut object = match &self.object {
            Some(text) => object(text, &config)?,
            None => Object::default(),
        };
        let actor = match self.who.as_str() {
            "anyone" => Actor::Stranger,
            name => {
                if self.owner {
                    object.owners.push(name.to_owned());
                }
                Actor::Person {
                    name: name.to_owned(),
                    roles: self.roles.into_iter().collect::<BTreeSet<_>>(),
                }
            }
        };
        let actions = Action::named(&self.action).unwrap_or_default();
        let mut is_allowed = true;
        for action in actions {
            let decision = may(&config.permissions, &actor, None, *action, &object);
            let name = action.name();
            match seen_with(&config, &actor, &object) {
                Some(builder) if *action == Action::View && decision == Decision::NotAllowed => {
                    say(&format!(
                        "{name}: allowed with builder {builder}, which may be viewed"
                    ));
                }
                _ => {
                    is_allowed &= decision.is_allowed();
                    say(&format!("{name}: {decision}"));
                }
            }
        }
        Ok(match is_allowed {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

/// The builder with which a slave is seen, unless a rule forbids to view the slave (MAY-04).
fn seen_with<'c>(config: &'c Config, actor: &Actor, object: &Object) -> Option<&'c BuilderName> {
    let slave = object.slave.as_deref()?;
    let mut builders = config.builders.iter();
    let builder = builders.find(|builder| {
        let is_own = builder.slaves.iter().any(|own| own.as_str() == slave);
        let view = |object| may(&config.permissions, actor, None, Action::View, object);
        is_own && view(&of_builder(builder)).is_allowed()
    });
    builder.map(|builder| &builder.name)
}

fn of_builder(builder: &BuilderConfig) -> Object {
    Object {
        builder: Some(builder.name.to_string()),
        tags: builder.tags.clone(),
        ..Object::default()
    }
}

/// The object that `text` names.
fn object(text: &str, config: &Config) -> anyhow::Result<Object> {
    let (kind, name) = match text.split_once(':') {
        Some((kind @ ("builder" | "slave" | "scheduler" | "repository"), name)) => (kind, name),
        Some(_) | None if config.builder(text).is_some() => ("builder", text),
        Some(_) | None if config.slave(text).is_some() => ("slave", text),
        Some(_) | None => ("scheduler", text),
    };
    let mut schedulers = config.schedulers.iter();
    let given = Some(name.to_owned());
    Ok(match kind {
        "builder" => {
            let Some(builder) = config.builder(name) else {
                bail!("there is no builder {name:?}");
            };
            of_builder(builder)
        }
        "slave" if config.slave(name).is_some() => Object {
            slave: given,
            ..Object::default()
        },
        "scheduler" if schedulers.any(|scheduler| scheduler.name.as_str() == name) => Object {
            scheduler: given,
            ..Object::default()
        },
        "repository" => Object {
            repository: given,
            ..Object::default()
        },
        "slave" => bail!("there is no slave {name:?}"),
        _ => bail!("there is no builder, slave or scheduler {name:?}"),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::parse;
    use crate::model::Zone;

    const FARM: &str = r#"
slave_port = 9989
slaves = [{ name = "oak", password = "x" }, { name = "elm", password = "x" }]
factories.f = { steps = [{ type = "ShellCommand", command = "true" }] }
builders = [
    { name = "open", slaves = ["oak"], factory = "f" },
    { name = "secret", slaves = ["oak", "elm"], factory = "f" },
]
[[permissions]]
who = ["anyone"]
may = ["view"]
on = { builders = ["open"] }
"#;

    #[test]
    fn may_04_a_slave_is_seen_with_a_builder_of_it() {
        let (config, _) = parse(FARM, "master.toml", &Ok(Zone::UTC)).unwrap();
        let with = |name: &str| {
            let object = object(name, &config).unwrap();
            seen_with(&config, &Actor::Stranger, &object).map(BuilderName::as_str)
        };
        assert_eq!(with("slave:oak"), Some("open"));
        assert_eq!(with("slave:elm"), None);
        assert_eq!(with("builder:open"), None);
    }
}
