//! The big states of builders: offline, idle or building (BLD-13).

use std::collections::BTreeSet;

use super::BuilderEvent;
use super::ids::BuilderIx;
use super::out::Out;
use super::outcome::Counted;
use crate::model::{BigState, Op};

/// What the big states follow from. One that has changed is announced when the input has been dealt
/// with, or earlier by [`BigStates::announce`].
#[derive(Debug, Default)]
pub(super) struct BigStates {
    builders: Vec<Counts>,
    /// Builders whose big state may have changed.
    touched: BTreeSet<BuilderIx>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Slaves that are attached (not attaching).
    attached: usize,
    /// Latent slaves, started or not.
    latents: usize,
    /// Builds that start or run: the building list.
    building: usize,
    announced: Option<BigState>,
}

impl BigStates {
    /// Adds the builder with the next index.
    pub(super) fn add_builder(&mut self) {
        self.builders.push(Counts::default());
    }

    /// The builder has one more.
    pub(super) fn add(&mut self, builder: BuilderIx, counted: Counted) {
        *self.count(builder, counted) += 1;
    }

    /// The builder has one less.
    pub(super) fn remove(&mut self, builder: BuilderIx, counted: Counted) {
        *self.count(builder, counted) -= 1;
    }

    /// The big state is to be announced if that was not done.
    pub(super) fn touch(&mut self, builder: BuilderIx) {
        self.touched.insert(builder);
    }

    /// Announces the big state of a builder, if it is another one.
    pub(super) fn announce(&mut self, out: &mut Out, builder: BuilderIx) {
        let counts = &mut self.builders[builder.0];
        let state = counts.state();
        if counts.announced == Some(state) {
            return;
        }
        counts.announced = Some(state);
        let builder = out.layout.builder_name(builder);
        out.persist(vec![Op::BuilderState {
            builder: builder.clone(),
            state,
        }]);
        out.announce(BuilderEvent::State { builder, state });
    }

    /// Announces all that have changed.
    pub(super) fn settle(&mut self, out: &mut Out) {
        while let Some(builder) = self.touched.pop_first() {
            self.announce(out, builder);
        }
    }

    /// Announces nothing of what has changed so far: the master has ended.
    pub(super) fn forget(&mut self) {
        self.touched.clear();
    }

    /// The big state.
    pub(super) fn of(&self, builder: BuilderIx) -> BigState {
        self.builders[builder.0].state()
    }

    /// Whether a slave is attached to the builder or can be started for it.
    pub(super) fn has_slave(&self, builder: BuilderIx) -> bool {
        self.builders[builder.0].has_slave()
    }

    fn count(&mut self, builder: BuilderIx, counted: Counted) -> &mut usize {
        self.touched.insert(builder);
        let counts = &mut self.builders[builder.0];
        match counted {
            Counted::Slave => &mut counts.attached,
            Counted::Latent => &mut counts.latents,
            Counted::Build => &mut counts.building,
        }
    }
}

impl Counts {
    const fn has_slave(&self) -> bool {
        self.attached > 0 || self.latents > 0
    }

    const fn state(&self) -> BigState {
        if !self.has_slave() {
            BigState::Offline
        } else if self.building > 0 {
            BigState::Building
        } else {
            BigState::Idle
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latent_slave_counts_as_one_that_is_attached_and_builds_count_only_with_a_slave() {
        let builder = BuilderIx(0);
        let mut states = BigStates::default();
        states.add_builder();
        assert_eq!(states.of(builder), BigState::Offline);
        for slave in [Counted::Slave, Counted::Latent] {
            states.add(builder, slave);
            assert_eq!(states.of(builder), BigState::Idle);
            states.add(builder, Counted::Build);
            assert_eq!(states.of(builder), BigState::Building);
            states.remove(builder, slave);
            assert_eq!(states.of(builder), BigState::Offline);
            states.remove(builder, Counted::Build);
        }
    }
}
