//! `buildmaster may`: whether somebody may do something, and which permission says so (MAY-02).

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;
use clap::builder::PossibleValuesParser;

use super::base_dir::Master;
use super::configuration::{Scope, Source, Tell};
use super::{USAGE, say};
use crate::config::Config;
use crate::model::{Action, Object};
use crate::people::{Actor, may};

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
            is_allowed &= decision.is_allowed();
            say(&format!("{}: {decision}", action.name()));
        }
        Ok(match is_allowed {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
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
            Object {
                builder: given,
                tags: builder.tags.clone(),
                ..Object::default()
            }
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
