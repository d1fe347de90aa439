//! Builds of culprit searches start only where nothing else can, and make way (SRH-11).

use std::collections::BTreeSet;

use super::{Answer, Dispatch, Match, Pair, Way};
use crate::botmaster::ids::{BuilderIx, SlaveIx};
use crate::model::RequestId;

impl Dispatch {
    /// Takes the first request of a search that may start: all turns that could be taken are, so a
    /// slave that is available is wanted by nobody else now.
    pub(super) fn next_search(
        &mut self,
        fits: &impl Fn(BuilderIx, SlaveIx) -> bool,
    ) -> Option<Match> {
        if self.searching.is_empty() {
            return None;
        }
        let first = |builder: BuilderIx| self.queue(builder).first_search();
        let waiting = self.searching.iter();
        let waiting: BTreeSet<(RequestId, BuilderIx)> = waiting
            .filter_map(|&builder| Some((first(builder)?, builder)))
            .collect();
        self.searching = waiting.iter().map(|&(_, builder)| builder).collect();
        let mut waiting = waiting.into_iter();
        let (builder, slave, way) = waiting.find_map(|(_, builder)| {
            let (slave, way) = self.free_for_search(builder, fits)?;
            Some((builder, slave, way))
        })?;
        let request = self.change_builder(builder, |demand| demand.queue.take_search())?;
        self.set_busy(slave, builder);
        Some(Match {
            builder,
            slave,
            way,
            requests: vec![request],
            choice: "no other request could start on it".to_owned(),
        })
    }

    /// For which builder a request waits that could start if the build of `builder` on `slave`
    /// ended.
    pub(in crate::botmaster) fn blocked_by(
        &self,
        slave: SlaveIx,
        builder: BuilderIx,
    ) -> Option<BuilderIx> {
        let supply = &self.supplies[slave.0];
        let of_search = builder;
        let waits = |&builder: &BuilderIx| {
            let demand = &self.demands[builder.0];
            let may_take = || {
                let mut lanes = demand.queue.lanes().waiting();
                lanes.any(|lane| self.answer(builder, lane, slave) == Answer::Yes)
            };
            demand.starts_builds()
                && (builder == of_search || !demand.is_full())
                && demand.queue.turns() > 0
                && (!demand.queue.has_lanes() || may_take())
        };
        if !supply.is_willing {
            return None;
        }
        if waits(&builder) {
            return Some(builder);
        }
        let is_full = !supply.has_room() || !supply.has_free_locks;
        // What waits has asked all of its slaves, so that they are parked.
        let mut parked = supply.parked.iter().map(|(_, builder)| *builder);
        parked.find(|builder| is_full && waits(builder))
    }

    /// How many builds of searches of a builder could start now.
    pub(in crate::botmaster) fn room_for_search(
        &self,
        builder: BuilderIx,
        fits: &impl Fn(BuilderIx, SlaveIx) -> bool,
    ) -> usize {
        let pool = self.demands[builder.0].pool();
        let free = pool.iter().filter(|&slave| {
            self.supplies[slave.0].is_available()
                && fits(builder, slave)
                && !self.is_reserved(slave, builder)
        });
        let room = self.demands[builder.0].room();
        let room = room.and_then(|room| usize::try_from(room).ok());
        free.count().min(room.unwrap_or(usize::MAX))
    }

    fn free_for_search(
        &self,
        builder: BuilderIx,
        fits: &impl Fn(BuilderIx, SlaveIx) -> bool,
    ) -> Option<(SlaveIx, Way)> {
        let demand = &self.demands[builder.0];
        if !demand.starts_builds() || demand.is_full() {
            return None;
        }
        let first = demand.queue.first_search()?;
        let may_take = |slave| {
            let lane = demand.queue.lane_of(first);
            lane.is_none_or(|lane| self.answer(builder, lane, slave) == Answer::Yes)
        };
        let slave = demand.pool().iter().find(|&slave| {
            self.supplies[slave.0].is_available()
                && may_take(slave)
                && fits(builder, slave)
                && !self.is_reserved(slave, builder)
        })?;
        match self.supplies[slave.0].pairs.get(&builder)? {
            Pair::Pooled(way) => Some((slave, *way)),
            Pair::Parked(..) | Pair::Busy => None,
        }
    }

    /// Whether a build of `builder` would take the last free slave of a builder that keeps one.
    fn is_reserved(&self, slave: SlaveIx, builder: BuilderIx) -> bool {
        let supply = &self.supplies[slave.0];
        let next = u32::try_from(supply.busy + 1).unwrap_or(u32::MAX);
        let is_last = supply.max_builds.is_some_and(|max| next >= max);
        let idle = supply.pairs.iter();
        let mut idle = idle.filter(|(_, pair)| !matches!(pair, Pair::Busy));
        idle.any(|(&other, _)| {
            let demand = &self.demands[other.0];
            let is_free = |&it: &SlaveIx| it != slave && self.supplies[it.0].is_available();
            let takes = is_last || other == builder;
            takes && demand.rules.reserve && !demand.slaves().any(|it| is_free(&it))
        })
    }
}
