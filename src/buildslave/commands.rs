//! The registry of running commands. It belongs to the slave, not to a connection. The objects of a
//! connection start and stop commands here.
//!
//! Invariant: a command stays in the registry until it has ended.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tracing::Span;

use super::command::{Stop, StopSignal};
use crate::net::Tasks;

/// The running commands. Cheap to clone; clones are the same registry.
#[derive(Clone, Debug)]
pub(super) struct Commands {
    /// The tasks of the commands, which live as long as the slave.
    tasks: Tasks,
    running: Arc<Mutex<Running>>,
}

/// The key of a command in a registry.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct CommandKey(u64);

#[derive(Debug, Default)]
struct Running {
    next: u64,
    commands: BTreeMap<CommandKey, watch::Sender<Option<Stop>>>,
}

impl Commands {
    /// An empty registry, whose commands will run in `tasks`.
    pub(super) fn new(tasks: Tasks) -> Self {
        Self {
            tasks,
            running: Arc::default(),
        }
    }

    /// Starts a command. `work` makes its future from the signal that stops it.
    pub(super) fn start<W>(&self, span: Span, work: impl FnOnce(StopSignal) -> W) -> CommandKey
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (stop, signal) = StopSignal::new();
        let mut running = self.running();
        let key = CommandKey(running.next);
        running.next += 1;
        running.commands.insert(key, stop);
        drop(running);
        let registry = self.clone();
        let work = work(signal);
        self.tasks.spawn(span, async move {
            work.await;
            registry.running().commands.remove(&key);
        });
        key
    }

    /// Stops a command, unless it has ended.
    pub(super) fn stop(&self, key: CommandKey, why: Stop) {
        if let Some(command) = self.running().commands.get(&key) {
            command.send_if_modified(|stop| {
                // An interrupted command can still be abandoned, but not the reverse.
                let changes = stop.is_none() || why == Stop::Abandoned;
                if changes {
                    *stop = Some(why);
                }
                changes
            });
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use tokio::sync::mpsc;

    use super::*;

    fn start(commands: &Commands) -> (CommandKey, mpsc::Receiver<Stop>) {
        let (ended, end) = mpsc::channel(1);
        let key = commands.start(Span::none(), |mut signal| async move {
            ended.send(signal.wait().await).await.unwrap();
        });
        (key, end)
    }

    #[tokio::test]
    async fn a_command_is_told_to_end_and_leaves_the_registry() {
        let commands = Commands::new(Tasks::default());
        let (first, mut first_end) = start(&commands);
        let (second, mut second_end) = start(&commands);
        commands.stop(first, Stop::Interrupted);
        assert_eq!(first_end.recv().await, Some(Stop::Interrupted));
        assert_eq!(first_end.recv().await, None);
        commands.stop(second, Stop::Abandoned);
        assert_eq!(second_end.recv().await, Some(Stop::Abandoned));
    }

    #[tokio::test]
    async fn an_interrupted_command_can_be_abandoned_but_not_the_other_way_round() {
        let commands = Commands::new(Tasks::default());
        let (seen, mut signals) = mpsc::channel(1);
        let key = commands.start(Span::none(), |signal| async move {
            seen.send(signal).await.unwrap();
            std::future::pending::<()>().await;
        });
        let mut signal = signals.recv().await.unwrap();
        commands.stop(key, Stop::Interrupted);
        commands.stop(key, Stop::Abandoned);
        commands.stop(key, Stop::Interrupted);
        assert_eq!(signal.wait().await, Stop::Abandoned);
    }
}
