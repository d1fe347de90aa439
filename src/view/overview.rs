//! What the head of every page says.

use super::queue::queues;
use super::{Moment, Slave, Standing};
use crate::botmaster::Live;
use crate::store::{State, StoreError};

/// How many things need somebody.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Overview {
    /// Builders whose last build that says something failed.
    pub broken: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Slaves that are not connected; of latent slaves, those without an instance are not away.
    pub slaves_away: usize,
    /// Whether any builder has finished a build.
    pub has_built: bool,
}

impl Overview {
    /// Counts.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn read(state: &State, live: &Live, moment: Moment) -> Result<Self, StoreError> {
        let mut overview = Self::default();
        let queues = queues(state, live)?;
        let waiting = queues.values().map(|(count, _)| count).sum::<u64>();
        overview.waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        let mut builders = state.builders()?.into_iter();
        overview.has_built = builders.any(|builder| builder.last.is_some());
        let standings = Standing::all(state)?;
        overview.broken = standings.values().filter(|line| line.is_broken()).count();
        let slaves = Slave::all(Some(state), None, live, moment)?;
        overview.slaves_away = slaves.iter().filter(|slave| slave.is_away()).count();
        Ok(overview)
    }
}
