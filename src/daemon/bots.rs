//! The bots on IRC: started, stopped and restarted by a reconfigure.

use tracing::info_span;

use super::runners::Runners;
use crate::config::{Config, IrcConfig, StatusConfig};
use crate::control::Control;
use crate::net::Tasks;
use crate::status::irc::Bots;

/// The bots that run, by the names of their targets.
#[derive(Debug)]
pub(super) struct Channels {
    running: Runners<String, IrcConfig>,
    bots: Bots,
    control: Control,
    tasks: Tasks,
}

impl Channels {
    /// Starts the bots of `config`.
    pub(super) fn start(config: &Config, bots: Bots, control: Control, tasks: Tasks) -> Self {
        let mut channels = Self {
            running: Runners::new(tasks.clone()),
            bots,
            control,
            tasks,
        };
        channels.set(config);
        channels
    }

    /// Runs the bots of `config` and no others.
    pub(super) fn set(&mut self, config: &Config) {
        let wanted = config.status.iter().filter_map(StatusConfig::irc);
        let wanted = wanted.map(|bot| (&bot.telling.name, bot)).collect();
        self.running.set(&wanted, |config, leaving| {
            let (config, bots) = (config.clone(), self.bots.clone());
            let (control, tasks) = (self.control.clone(), self.tasks.clone());
            let span = info_span!("irc", target = config.telling.name);
            let work = async move { bots.run(config, control, tasks, leaving).await };
            Some((span, Box::pin(work)))
        });
    }
}
