//! The change sources that act by themselves: started, stopped and restarted by a reconfigure.

use std::path::PathBuf;

use tracing::info_span;

use super::runners::Runners;
use crate::changes::driver::{Desk, Driver};
use crate::changes::drivers::driver;
use crate::config::{ChangeSourceConfig, Config};
use crate::control::Control;
use crate::model::SourceName;
use crate::net::Tasks;

/// Makes the driver of a source, if it has one.
type Maker = fn(&ChangeSourceConfig) -> Option<Box<dyn Driver>>;

/// The drivers that run. The base directory is the current directory.
#[derive(Debug)]
pub(super) struct Sources {
    running: Runners<SourceName, ChangeSourceConfig>,
    control: Control,
    tasks: Tasks,
    maker: Maker,
}

impl Sources {
    /// Starts the drivers of `config`.
    pub(super) fn start(config: &Config, control: Control, tasks: Tasks) -> Self {
        let mut sources = Self::new(control, tasks, driver);
        sources.set(config);
        sources
    }

    fn new(control: Control, tasks: Tasks, maker: Maker) -> Self {
        Self {
            running: Runners::new(tasks.clone()),
            control,
            tasks,
            maker,
        }
    }

    /// Runs the drivers of `config` and no others.
    pub(super) fn set(&mut self, config: &Config) {
        let wanted = config.change_sources.iter();
        let wanted = wanted.map(|source| (&source.name, source)).collect();
        self.running.set(&wanted, |config, leaving| {
            let driver = (self.maker)(config)?;
            let desk = Desk {
                source: config.name.clone(),
                control: self.control.clone(),
                basedir: PathBuf::from("."),
                tasks: self.tasks.clone(),
                leaving,
                poked: self.control.pokes().listen(&config.name),
            };
            let span = info_span!("source", source = %config.name);
            Some((span, driver.run(desk)))
        });
    }
}

#[cfg(test)]
mod tests;
