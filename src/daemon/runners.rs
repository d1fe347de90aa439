//! Tasks that a reconfigure starts, ends and replaces.

use std::collections::BTreeMap;
use std::pin::Pin;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::net::Tasks;

/// Tasks that run as long as the configuration has them, by name.
#[derive(Debug)]
pub(super) struct Runners<N, C> {
    running: BTreeMap<N, Running<C>>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Running<C> {
    config: C,
    leaving: CancellationToken,
    /// Ends with the task.
    ended: oneshot::Receiver<()>,
}

/// The work of a task.
pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<N: Clone + Ord, C: Clone + PartialEq> Runners<N, C> {
    /// Runs nothing yet.
    pub(super) const fn new(tasks: Tasks) -> Self {
        Self {
            running: BTreeMap::new(),
            tasks,
        }
    }

    /// Runs what is `wanted` and nothing else. A task with unchanged settings is not disturbed; one
    /// with other settings begins when the former one of its name has ended. `work` gives the work
    /// for settings, which ends soon after its token is cancelled; none: nothing runs.
    pub(super) fn set(
        &mut self,
        wanted: &BTreeMap<&N, &C>,
        mut work: impl FnMut(&C, CancellationToken) -> Option<(Span, Work)>,
    ) {
        let is_other = |name: &N, running: &mut Running<C>| {
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
        for (&name, &config) in wanted {
            if self.running.contains_key(name) {
                continue;
            }
            let leaving = CancellationToken::new();
            if let Some((span, work)) = work(config, leaving.clone()) {
                let former = ended.remove(name);
                let running = Running {
                    config: config.clone(),
                    leaving: leaving.clone(),
                    ended: self.run(span, work, leaving, former),
                };
                self.running.insert(name.clone(), running);
            }
        }
    }

    /// Runs `work` once the `former` task of its name has ended. What comes back ends with it.
    fn run(
        &self,
        span: Span,
        mut work: Work,
        leaving: CancellationToken,
        former: Option<oneshot::Receiver<()>>,
    ) -> oneshot::Receiver<()> {
        let (ends, ended) = oneshot::channel();
        let stopping = self.tasks.stopping();
        self.tasks.spawn(span, async move {
            // An error says that the former task has ended.
            if let Some(former) = former {
                former.await.unwrap_or_default();
            }
            tokio::select! {
                biased;
                () = &mut work => {}
                () = stopping => {
                    leaving.cancel();
                    work.await;
                }
            }
            drop(ends);
        });
        ended
    }
}
