//! How the running program is: what its metrics and its health are made from, beside the state.

use std::collections::BTreeMap;

use crate::control::Control;
use crate::control::tally::Counts;
use crate::logs::Growing;
use crate::measure::Distribution;

use super::visits::{Visit, Visits};

/// How the running program is at one moment.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// Whether the state can be written.
    pub can_write: bool,
    /// Whether the master is stopping.
    pub is_stopping: bool,
    /// How long commits of the state took.
    pub commits: Distribution,
    /// How many writes wait to be committed.
    pub waiting_ops: usize,
    /// How long the turns of the core took.
    pub turns: Distribution,
    /// What has happened.
    pub counts: Counts,
    /// Peers that have logged in.
    pub logins: u64,
    /// What attempts to send letters came to, by target and outcome.
    pub letters: BTreeMap<(String, &'static str), u64>,
    /// Bytes of logs that were written, and that could not be.
    pub log_bytes: (u64, u64),
    /// The number of what happened last.
    pub happened: u64,
    /// How many streams are open.
    pub streams: usize,
    /// What was asked of the pages.
    pub visits: Vec<(String, Visit)>,
    /// By how many seconds the clock differs from the time that has passed since the start.
    pub clock_jump_secs: f64,
}

impl Vitals {
    /// Takes the values of now.
    pub(super) fn take(
        control: &Control,
        growing: &Growing,
        streams: usize,
        visits: &Visits,
    ) -> Self {
        let (measures, writer) = (control.measures(), control.writer());
        let clock = control.clock();
        let micros = clock.wall().0.saturating_sub(clock.steady().0);
        Self {
            can_write: writer.is_healthy(),
            is_stopping: control.newsroom().is_shutting_down(),
            commits: writer.commit_times(),
            waiting_ops: writer.waiting_ops(),
            turns: measures.turns.get(),
            counts: measures.news.counts(),
            logins: measures.logins.get(),
            letters: measures.letters.get(),
            log_bytes: (growing.written_bytes(), growing.lost_bytes()),
            happened: control.events().last(),
            streams,
            visits: visits.list(),
            clock_jump_secs: seconds(micros),
        }
    }
}

/// Microseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "for people and metrics")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
