//! The change sources that act by themselves: started, stopped and restarted by a reconfigure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

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
    running: BTreeMap<SourceName, Running>,
    control: Control,
    tasks: Tasks,
    maker: Maker,
}

#[derive(Debug)]
struct Running {
    config: ChangeSourceConfig,
    leaving: CancellationToken,
    /// Ends with the driver.
    ended: oneshot::Receiver<()>,
}

impl Sources {
    /// Starts the drivers of `config`.
    pub(super) fn start(config: &Config, control: Control, tasks: Tasks) -> Self {
        let mut sources = Self {
            running: BTreeMap::new(),
            control,
            tasks,
            maker: driver,
        };
        sources.set(config);
        sources
    }

    /// Runs the drivers of `config` and no others. A source with unchanged settings is not
    /// disturbed; one with other settings begins when it has ended.
    pub(super) fn set(&mut self, config: &Config) {
        let wanted = config.change_sources.iter();
        let wanted: BTreeMap<_, _> = wanted.map(|source| (&source.name, source)).collect();
        let is_other = |name: &SourceName, running: &mut Running| {
            wanted
                .get(name)
                .is_none_or(|&wanted| *wanted != running.config)
        };
        let left: BTreeMap<_, _> = self.running.extract_if(.., is_other).collect();
        let mut ended = BTreeMap::new();
        for (name, running) in left {
            running.leaving.cancel();
            ended.insert(name, running.ended);
        }
        for (name, config) in wanted {
            if self.running.contains_key(name) {
                continue;
            }
            if let Some(driver) = (self.maker)(config) {
                let former = ended.remove(name);
                self.run(config.clone(), driver, former);
            }
        }
    }

    /// Runs a driver once the former one of its name has ended.
    fn run(
        &mut self,
        config: ChangeSourceConfig,
        driver: Box<dyn Driver>,
        former: Option<oneshot::Receiver<()>>,
    ) {
        let leaving = CancellationToken::new();
        let (ends, ended) = oneshot::channel();
        let desk = Desk {
            source: config.name.clone(),
            control: self.control.clone(),
            basedir: PathBuf::from("."),
            tasks: self.tasks.clone(),
            leaving: leaving.clone(),
            poked: self.control.pokes().listen(&config.name),
        };
        let stopping = self.tasks.stopping();
        let (stop, name) = (leaving.clone(), config.name.clone());
        let span = info_span!("source", source = %name);
        self.tasks.spawn(span, async move {
            // An error says that the former driver has ended.
            if let Some(former) = former {
                former.await.unwrap_or_default();
            }
            let mut running = driver.run(desk);
            tokio::select! {
                biased;
                () = &mut running => {}
                () = stopping => {
                    stop.cancel();
                    running.await;
                }
            }
            drop(ends);
        });
        let running = Running {
            config,
            leaving,
            ended,
        };
        self.running.insert(name, running);
    }
}

#[cfg(test)]
mod tests;
