//! Prunes history older than the horizons in the background (MAS-08), after builds have finished
//! and from time to time.
//!
//! Invariants: pruning reads the state over its own connection and writes through the writer, page
//! by page, and waits for each page. It reads hardly any history within the horizons. It may be
//! interrupted at any point: the next pass continues, even in a later run of the master.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::botmaster::{BuildEvent, Event, IntakeEvent};
use crate::clock::Clock;
use crate::config::{Config, Horizon, Horizons};
use crate::control::{Interruption, News, Subscription};
use crate::logs;
use crate::model::{BuilderName, Op, Pruned, Timestamp};
use crate::net::Tasks;
use crate::store::prune::{Limits, Page, What};
use crate::store::{State, StoreError, Writer};

/// How long pruning waits after a build has finished, because builds often finish together.
const GATHERING: Duration = Duration::from_secs(1);

/// Time between two searches for expired history.
const EVERY: Duration = Duration::from_secs(3600);

/// How long the audit log is kept: a year.
const AUDIT_AGE: Duration = Duration::from_secs(365 * 86_400);

/// How long it is known which deliveries were taken (INT-03).
const DELIVERY_AGE: Duration = Duration::from_secs(30 * 86_400);

/// How long letters are kept after they were delivered, died or were dropped.
const LETTER_AGE: Duration = Duration::from_secs(30 * 86_400);

/// How long the builds that show a problem are kept after it has ended (PRB-24).
const PROOF_AGE: Duration = Duration::from_secs(90 * 86_400);

/// How long problems are kept after they have ended.
const PROBLEM_AGE: Duration = Duration::from_secs(365 * 86_400);

/// Prunes the state.
#[derive(Debug)]
pub(super) struct Pruner {
    writer: Writer,
    clock: Clock,
}

/// The builders to prune.
enum Which {
    All,
    These(BTreeSet<BuilderName>),
}

/// Prunes until the master stops.
pub(super) async fn run(
    pruner: Pruner,
    mut config: watch::Receiver<Arc<Config>>,
    mut news: Subscription,
    tasks: Tasks,
) {
    let work = async {
        let mut which = Which::All;
        loop {
            let now = config.borrow_and_update().horizons;
            if let Err(error) = pruner.prune(&now, which).await {
                warn!("cannot prune old history: {error:#}");
            }
            which = next(&mut config, &mut news).await;
        }
    };
    tokio::select! {
        biased;
        () = work => {}
        () = tasks.stopping() => {}
    }
}

/// Waits until there may be something to prune.
async fn next(config: &mut watch::Receiver<Arc<Config>>, news: &mut Subscription) -> Which {
    let mut which = Which::All;
    let mut due = Instant::now() + EVERY;
    loop {
        let heard = tokio::select! {
            // Events may arrive without end.
            biased;
            () = sleep_until(due) => return which,
            Ok(()) = config.changed() => return Which::All,
            heard = news.next() => heard,
        };
        let ended = match heard.as_deref().map(|told| &told.news) {
            Ok(News::Event(Event::Build(BuildEvent::Finished { builder, .. }))) => {
                Some(builder.clone())
            }
            Ok(News::Event(Event::Intake(IntakeEvent::ChangeAdded(_)))) => None,
            Ok(News::Event(_) | News::Build(_)) => continue,
            Err(Interruption::Missed(_)) => return Which::All,
            Err(Interruption::Ended) => std::future::pending().await,
        };
        match &mut which {
            Which::These(builders) => builders.extend(ended),
            Which::All => {
                which = Which::These(ended.into_iter().collect());
                due = due.min(Instant::now() + GATHERING);
            }
        }
    }
}

impl Pruner {
    /// Prunes the state that `writer` writes.
    pub(super) const fn new(writer: Writer, clock: Clock) -> Self {
        Self { writer, clock }
    }

    async fn prune(&self, horizons: &Horizons, which: Which) -> anyhow::Result<()> {
        self.remove_log_dirs().await?;
        // Setting the clock forward must not expire history, so elapsed time is measured too.
        let now = self.clock.wall().min(self.clock.steady());
        self.prune_people(now).await?;
        self.prune_deliveries(now - DELIVERY_AGE).await?;
        self.prune_letters(now - LETTER_AGE).await?;
        self.prune_problems(now - PROBLEM_AGE).await?;
        let is_all = matches!(which, Which::All);
        if horizons.builds.is_set() || horizons.logs.is_set() {
            let builders = match which {
                Which::These(builders) => builders,
                Which::All => {
                    let names = self.writer.reader().read(State::builder_names);
                    names.await?.into_iter().collect()
                }
            };
            for builder in builders {
                self.prune_builder(&builder, horizons, now).await?;
            }
        }
        if is_all {
            self.prune_tests().await?;
        }
        if horizons.changes.is_set() {
            let limits = limits(horizons.changes, now);
            self.walk(move |state, from| state.prunable_changes(&limits, from))
                .await?;
        }
        Ok(())
    }

    /// Prunes the audit log and the sessions that have ended (MAY-05, LGN-05).
    async fn prune_people(&self, now: Timestamp) -> anyhow::Result<()> {
        let before = now - AUDIT_AGE;
        let look = move |state: &State| {
            Ok::<_, StoreError>((state.has_old_audit(before)?, state.has_ended_sessions(now)?))
        };
        let (audit, sessions) = self.writer.reader().read(look).await?;
        if audit {
            self.write(Pruned::Audit(before)).await;
        }
        if sessions {
            self.write(Pruned::Sessions(now)).await;
        }
        Ok(())
    }

    /// Prunes deliveries that nobody repeats any more, in small steps (INT-03).
    async fn prune_deliveries(&self, before: Timestamp) -> anyhow::Result<()> {
        let reader = self.writer.reader();
        while reader
            .read(move |state| state.has_old_deliveries(before))
            .await?
        {
            self.write(Pruned::Deliveries(before)).await;
        }
        Ok(())
    }

    /// Prunes letters that have ended, in small steps.
    async fn prune_letters(&self, before: Timestamp) -> anyhow::Result<()> {
        let reader = self.writer.reader();
        while reader
            .read(move |state| state.has_old_letters(before))
            .await?
        {
            self.write(Pruned::Letters(before)).await;
        }
        Ok(())
    }

    /// Prunes problems that have ended, in small steps.
    async fn prune_problems(&self, before: Timestamp) -> anyhow::Result<()> {
        let reader = self.writer.reader();
        while reader
            .read(move |state| state.has_old_problems(before))
            .await?
        {
            self.write(Pruned::Problems(before)).await;
        }
        Ok(())
    }

    /// Prunes what is known of tests whose builds are gone, in small steps (TST-09).
    async fn prune_tests(&self) -> anyhow::Result<()> {
        let reader = self.writer.reader();
        while reader.read(State::has_dead_test_lines).await? {
            self.write(Pruned::TestLines).await;
        }
        self.walk(State::prunable_test_changes).await?;
        self.walk(State::prunable_test_names).await
    }

    async fn prune_builder(
        &self,
        builder: &BuilderName,
        horizons: &Horizons,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        for (what, horizon) in [(What::Builds, horizons.builds), (What::Logs, horizons.logs)] {
            if horizon.is_set() {
                let (limits, of) = (limits(horizon, now), builder.clone());
                self.walk(move |state, from| state.prunable_builds(&of, what, &limits, from))
                    .await?;
            }
        }
        if horizons.builds.is_set() {
            let (limits, of) = (limits(horizons.builds, now), builder.clone());
            self.walk(move |state, _| state.prunable_sets(&of, &limits))
                .await?;
        }
        Ok(())
    }

    /// Prunes the pages that `page` finds, until there are no more.
    async fn walk(
        &self,
        page: impl Fn(&State, u64) -> Result<Page, StoreError> + Clone + Send + 'static,
    ) -> anyhow::Result<()> {
        let mut next = Some(0);
        while let Some(from) = next {
            let page = page.clone();
            let found = self
                .writer
                .reader()
                .read(move |state| page(state, from))
                .await?;
            next = found.next;
            if let Some(pruned) = found.found {
                self.write(pruned).await;
                self.remove_log_dirs().await?;
            }
        }
        Ok(())
    }

    /// Removes logs that the state no longer has from the disk. Logs that cannot be removed are
    /// retried at the next pass.
    async fn remove_log_dirs(&self) -> anyhow::Result<()> {
        let mut after = String::new();
        loop {
            let removed = self
                .writer
                .reader()
                .read(move |state| -> Result<_, StoreError> {
                    let dirs = state.forgotten_log_dirs(&after)?;
                    let last = dirs.last().map(|(dir, _)| dir.clone());
                    let gone = dirs
                        .into_iter()
                        .filter(|(dir, is_used)| *is_used || remove(state.basedir(), dir));
                    let gone: Vec<_> = gone.map(|(dir, _)| dir).collect();
                    Ok((gone, last))
                });
            let (gone, last) = removed.await?;
            if !gone.is_empty() {
                self.write(Pruned::LogDirs(gone)).await;
            }
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    async fn write(&self, pruned: Pruned) {
        self.writer.write_and_wait(vec![Op::Pruned(pruned)]).await;
    }
}

fn remove(basedir: &Path, dir: &str) -> bool {
    let removed = logs::remove(basedir, dir);
    if let Err(error) = &removed {
        warn!("cannot delete the logs in {dir}: {error}");
    }
    removed.is_ok()
}

/// The limits of a horizon at `now`.
fn limits(horizon: Horizon, now: Timestamp) -> Limits {
    Limits {
        count: horizon.count,
        since: horizon.age.map(|age| now - age),
        proofs_since: now - PROOF_AGE,
    }
}
