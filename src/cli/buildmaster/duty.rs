//! `buildmaster duty`: who is on duty (ESC-10).

use std::process::ExitCode;

use super::asking::answer;
use super::base_dir::Master;
use super::configuration::{Scope, Source, Tell};
use super::moment::{self, local};
use super::{USAGE, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{Service, UserAct};
use crate::daemon::machine_zone;
use crate::model::{Duty, Timestamp, Zone};
use crate::people::on_duty;
use crate::store::State;
use crate::text::printable;
use crate::view;

/// Tell who is on duty, or put somebody on duty
///
/// Without a name, there is a line for each rota of the configuration.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DutyArgs {
    #[command(flatten)]
    master: Master,
    /// The rota, if there are several
    #[arg(long, value_name = "ROTA", requires = "name")]
    rota: Option<String>,
    /// When the duty ends [default: with the turn]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, requires = "name")]
    until: Option<Timestamp>,
    /// The user who is on duty from now on
    name: Option<String>,
}

impl DutyArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let basedir = &self.master.basedir;
        if let Some(name) = self.name {
            let (rota, until) = (self.rota, self.until);
            let act = Box::new(UserAct::Duty { name, rota, until });
            let duty = answer(basedir, Service::User { act })?;
            told(&serde_json::from_value(duty)?);
            return Ok(ExitCode::SUCCESS);
        }
        let Some(config) = Source::of(basedir).load(Scope::File, Tell::Errors)? else {
            return Ok(ExitCode::from(USAGE));
        };
        if config.duty.is_empty() {
            say("the configuration has no [[duty]]");
        }
        for duty in duties(&config, State::open_if_any(basedir)?.as_ref())? {
            told(&duty);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn duties(config: &Config, state: Option<&State>) -> anyhow::Result<Vec<Duty>> {
    let now = Clock::system().wall();
    Ok(match state {
        Some(state) => view::on_duty(state, config, now)?,
        None => {
            let rotas = config.duty.iter();
            rotas.map(|rota| on_duty(rota, &[], now)).collect()
        }
    })
}

fn told(duty: &Duty) {
    let until = local(duty.until, machine_zone().unwrap_or(Zone::UTC));
    let Duty { rota, person, .. } = duty;
    say(&printable(&format!("{rota}: {person} until {until}")));
}
