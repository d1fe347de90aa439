//! The bots on IRC: started, stopped and restarted by a reconfigure.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use crate::config::{Config, IrcConfig, StatusConfig};
use crate::control::Control;
use crate::net::Tasks;
use crate::status::irc::Bots;

/// The bots that run, by the names of their targets.
#[derive(Debug)]
pub(super) struct Channels {
    running: BTreeMap<String, Running>,
    bots: Bots,
    control: Control,
    tasks: Tasks,
}

#[derive(Debug)]
struct Running {
    config: IrcConfig,
    leaving: CancellationToken,
    /// Ends with the bot.
    ended: oneshot::Receiver<()>,
}

impl Channels {
    /// Starts the bots of `config`.
    pub(super) fn start(config: &Config, bots: Bots, control: Control, tasks: Tasks) -> Self {
        let mut channels = Self {
            running: BTreeMap::new(),
            bots,
            control,
            tasks,
        };
        channels.set(config);
        channels
    }

    /// Runs the bots of `config` and no others. A bot with unchanged settings is not disturbed; one
    /// with other settings begins when it has ended.
    pub(super) fn set(&mut self, config: &Config) {
        let is_other = |name: &String, running: &mut Running| {
            config
                .irc(name)
                .is_none_or(|wanted| *wanted != running.config)
        };
        let left: BTreeMap<_, _> = self.running.extract_if(.., is_other).collect();
        let mut ended = BTreeMap::new();
        for (name, running) in left {
            running.leaving.cancel();
            ended.insert(name, running.ended);
        }
        for wanted in config.status.iter().filter_map(StatusConfig::irc) {
            let name = &wanted.telling.name;
            if !self.running.contains_key(name) {
                let former = ended.remove(name);
                self.run(wanted.clone(), former);
            }
        }
    }

    /// Runs a bot once the former one of its name has ended.
    fn run(&mut self, config: IrcConfig, former: Option<oneshot::Receiver<()>>) {
        let leaving = CancellationToken::new();
        let (ends, ended) = oneshot::channel();
        let name = config.telling.name.clone();
        let (bots, control) = (self.bots.clone(), self.control.clone());
        let (tasks, stopping) = (self.tasks.clone(), self.tasks.stopping());
        let (stop, wanted) = (leaving.clone(), config.clone());
        self.tasks
            .spawn(info_span!("irc", target = name), async move {
                // An error says that the former bot has ended.
                if let Some(former) = former {
                    former.await.unwrap_or_default();
                }
                let running = bots.run(wanted, control, tasks, stop.clone());
                tokio::pin!(running);
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
