//! What is built next, and where: the queues of the builders, the slaves that are idle for them,
//! and the choice (BLD-02 to BLD-07, BRQ-02, BRQ-09).
//!
//! A slave and a builder are a pair. An idle pair is in the pool of its builder, or, if the slave
//! took no build when the builder asked, parked with the slave. A full slave thus costs nothing
//! while it is full, however many builders have work for it, and when it has room again it wakes
//! only the builder whose turn is first. A parked pair carries a lower bound of the turn of its
//! builder's first request, which is corrected when the pair is woken.
//!
//! Turns are ordered by the priority of the request, the priority of the builder, and age
//! ([`Turn`]). With equal priorities, as by default, the oldest request is first. Within a builder,
//! an order of its own goes before age; between builders, each competes with its first request
//! (CFL-120, CFL-121).
//!
//! Where it depends on the request which slaves may take it, requests are in lanes by class
//! (`lanes.rs`): each lane competes with its first request, so that one which no idle slave may
//! take is in nobody's way (CFL-130).
//!
//! Invariants:
//! - a request that waits and an idle pair of its builder on an available slave that may take it
//!   imply that [`Dispatch::next`] is `Some` (BLD-07), unless the builder is paused, held or full;
//!   it gives the first turn that can be taken;
//! - `startable` and `wakeable` are true after each call: all changes of a builder's side are made
//!   by [`Dispatch::change_builder`], those of a slave's side by [`Dispatch::change_slave`];
//! - a call costs a logarithm of what there is; with lanes, also a look at each lane and each idle
//!   slave of the builder, and where the first turn goes back because of an order, one at each of
//!   its parked slaves;
//! - requests of culprit searches have no turns: they are looked at only when nothing else can
//!   start (`searching.rs`), and cost nothing where there are none.

mod choice;
mod judge;
mod lanes;
mod place;
mod pool;
mod queue;
mod rules;
mod searching;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::rngs::StdRng;

use self::choice::Known;
pub use self::judge::request_order;
pub(super) use self::judge::{Answer, Failed, Judge};
use self::place::{Turn, turn_of};
use self::pool::Pool;
pub(super) use self::queue::RequestQueue;
use super::ids::{BuilderIx, SlaveIx};
use crate::config::{Merging, SlaveChoice};
use crate::model::{BuildRequest, RequestId};

/// Requests that wait and slaves that are idle.
#[derive(Debug)]
pub(super) struct Dispatch {
    rng: StdRng,
    demands: Vec<Demand>,
    supplies: Vec<Supply>,
    /// Builders that have work and a pool to choose from, by their first turns.
    startable: BTreeSet<(Turn, BuilderIx)>,
    /// Available slaves with parked pairs, by the first bound of these.
    wakeable: BTreeSet<(Turn, SlaveIx)>,
    /// Builders for which requests of searches wait.
    searching: BTreeSet<BuilderIx>,
    /// Builders that are sure of their first lane: none when all has come to rest.
    sure: BTreeSet<BuilderIx>,
    /// How many answers of `slave_if` are kept.
    answers: usize,
    /// How often `slave_if` was worked out.
    asked: Cell<u64>,
    /// Expressions that could not be worked out, and nobody was told of yet.
    failures: Vec<(BuilderIx, Failed)>,
}

/// A build that is to be started.
#[derive(Debug, Eq, PartialEq)]
#[must_use]
pub(super) struct Match {
    pub(super) builder: BuilderIx,
    pub(super) slave: SlaveIx,
    pub(super) way: Way,
    /// The requests that share the build, in queue order.
    pub(super) requests: Vec<RequestId>,
    /// Why the slave was chosen, for people.
    pub(super) choice: String,
}

/// How a slave is idle for a builder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// The builder is attached to the slave.
    Attached,
    /// An instance of the slave can be started. Attached slaves are preferred (BLD-05).
    Latent,
}

/// By what a builder gets its turns and its slaves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    pub(super) priority: i32,
    pub(super) choice: SlaveChoice,
    /// Whether its locks differ by slave, so that slaves with free ones are preferred (LCK-10).
    pub(super) locks_differ: bool,
    /// Whether searches leave it its last free slave (SRH-11).
    pub(super) reserve: bool,
    /// Builds at once, on all slaves; absent: any number.
    pub(super) max_builds: Option<u32>,
}

/// The side of a builder.
#[derive(Debug, Default)]
struct Demand {
    rules: Rules,
    /// Whether people have paused the builder: nothing is started on it.
    is_paused: bool,
    /// Whether a window of its `hold` keeps it from starting builds (CFL-133).
    is_held: bool,
    /// Whether a slave was found for its first hopeful lane, whose turn is later than that of
    /// another one. So it is until something changes at the builder, or a slave is full.
    is_sure: bool,
    /// The slave of its last build.
    used_last: Option<SlaveIx>,
    queue: RequestQueue,
    attached: Pool,
    latent: Pool,
    parked: BTreeSet<SlaveIx>,
    /// How many slaves do something for it that counts as a build.
    busy: u32,
    /// No slave is parked with a later bound than this.
    latest_bound: Option<Turn>,
}

/// The side of a slave.
#[derive(Debug)]
struct Supply {
    max_builds: Option<u32>,
    is_willing: bool,
    has_free_locks: bool,
    pairs: BTreeMap<BuilderIx, Pair>,
    parked: BTreeSet<(Turn, BuilderIx)>,
    busy: usize,
    known: Known,
}

#[derive(Clone, Copy, Debug)]
enum Pair {
    /// In the pool of its builder.
    Pooled(Way),
    /// Idle; the slave took no build when its builder asked. With the bound.
    Parked(Way, Turn),
    Busy,
}

impl Dispatch {
    /// Without builders and slaves.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            demands: Vec::new(),
            supplies: Vec::new(),
            startable: BTreeSet::new(),
            wakeable: BTreeSet::new(),
            searching: BTreeSet::new(),
            sure: BTreeSet::new(),
            answers: 0,
            asked: Cell::new(0),
            failures: Vec::new(),
        }
    }

    /// Adds the builder with the next index.
    pub(super) fn add_builder(&mut self, merging: Merging) {
        self.demands.push(Demand {
            queue: RequestQueue::new(merging),
            ..Demand::default()
        });
    }

    /// Adds the slave with the next index. It takes no builds yet.
    pub(super) fn add_slave(&mut self) {
        self.supplies.push(Supply {
            max_builds: None,
            is_willing: false,
            has_free_locks: true,
            pairs: BTreeMap::new(),
            parked: BTreeSet::new(),
            busy: 0,
            known: Known::default(),
        });
    }

    /// Sets the rules of a builder, which count for what waits as well.
    pub(super) fn set_rules(&mut self, builder: BuilderIx, rules: Rules) {
        self.change_builder(builder, |demand| demand.rules = rules);
        self.lower_bounds(builder);
    }

    /// Says whether the builder is paused: what waits for it then stays in its queue.
    pub(super) fn set_paused(&mut self, builder: BuilderIx, is_paused: bool) {
        self.change_builder(builder, |demand| demand.is_paused = is_paused);
    }

    /// Sets the order of a builder's slaves.
    pub(super) fn set_order(&mut self, builder: BuilderIx, slaves: &[SlaveIx]) {
        self.change_builder(builder, |demand| {
            demand.attached.set_order(slaves);
            demand.latent.set_order(slaves);
        });
    }

    /// Sets how many builds a slave runs at most; absent: as many as it has builders.
    pub(super) fn set_max_builds(&mut self, slave: SlaveIx, max_builds: Option<u32>) {
        self.change_slave(slave, |supply| supply.max_builds = max_builds);
    }

    /// Puts a request into the queue, at the place of its priority and age (BLD-10).
    pub(super) fn enqueue(&mut self, builder: BuilderIx, request: &BuildRequest) {
        let mut failures = Vec::new();
        self.change_builder(builder, |demand| {
            demand.queue.insert(request, &mut failures)
        });
        self.note_failures(builder, failures);
        if request.is_of_search() {
            self.searching.insert(builder);
            return;
        }
        self.lower_bounds(builder);
    }

    /// Takes a request out of the queue; nothing happens if it is not there.
    pub(super) fn unqueue(&mut self, builder: BuilderIx, request: &BuildRequest) {
        self.change_builder(builder, |demand| demand.queue.remove(request));
        self.lower_bounds(builder);
    }

    /// Says whether the slave takes builds, as far as the slave itself is concerned (BLD-04).
    pub(super) fn set_willing(&mut self, slave: SlaveIx, is_willing: bool) {
        self.change_slave(slave, |supply| supply.is_willing = is_willing);
    }

    /// Says whether the locks that each build on the slave takes are free.
    pub(super) fn set_free_locks(&mut self, slave: SlaveIx, are_free: bool) {
        self.change_slave(slave, |supply| supply.has_free_locks = are_free);
    }

    /// The slave can take a build of the builder.
    pub(super) fn set_idle(&mut self, slave: SlaveIx, builder: BuilderIx, way: Way) {
        let pair = match self.supplies[slave.0].pairs.get(&builder) {
            Some(Pair::Pooled(known) | Pair::Parked(known, _)) if *known == way => return,
            Some(Pair::Parked(_, bound)) => Pair::Parked(way, *bound),
            Some(Pair::Pooled(_) | Pair::Busy) | None => Pair::Pooled(way),
        };
        self.set_pair(slave, builder, Some(pair));
    }

    /// The slave does something for the builder that counts as a build (SLV-10).
    pub(super) fn set_busy(&mut self, slave: SlaveIx, builder: BuilderIx) {
        self.set_pair(slave, builder, Some(Pair::Busy));
    }

    /// The slave does nothing for the builder and cannot.
    pub(super) fn set_gone(&mut self, slave: SlaveIx, builder: BuilderIx) {
        self.set_pair(slave, builder, None);
    }

    /// Takes the first turn for which a slave is available: its requests leave the queue, and the
    /// pair is busy. If nothing else can start, the first request of a search that may. `fits` says
    /// whether a build of the builder would find its own locks free on the slave.
    pub(super) fn next(&mut self, fits: impl Fn(BuilderIx, SlaveIx) -> bool) -> Option<Match> {
        loop {
            let startable = self.startable.first().copied();
            let wakeable = self.wakeable.first().copied();
            match (startable, wakeable) {
                (None, None) => return self.next_search(&fits),
                (Some((turn, _)), Some((bound, slave))) if bound <= turn => self.wake(slave),
                (Some((turn, builder)), _) => {
                    let found = self.try_start(builder, turn, &fits);
                    if found.is_some() {
                        return found;
                    }
                }
                (None, Some((_, slave))) => self.wake(slave),
            }
        }
    }

    /// The requests that wait for a builder.
    pub(super) fn queue(&self, builder: BuilderIx) -> &RequestQueue {
        &self.demands[builder.0].queue
    }

    /// Whether the slave runs fewer builds than it may (SLV-10).
    pub(super) fn has_room(&self, slave: SlaveIx) -> bool {
        self.supplies[slave.0].has_room()
    }

    /// How many builds start or run on the slave.
    pub(super) fn load(&self, slave: SlaveIx) -> usize {
        self.supplies[slave.0].busy
    }

    /// The builders for which the slave does something.
    pub(super) fn busy_with(&self, slave: SlaveIx) -> impl Iterator<Item = BuilderIx> {
        let pairs = self.supplies[slave.0].pairs.iter();
        let busy = pairs.filter(|(_, pair)| matches!(pair, Pair::Busy));
        busy.map(|(&builder, _)| builder)
    }

    fn try_start(
        &mut self,
        builder: BuilderIx,
        turn: Turn,
        fits: &impl Fn(BuilderIx, SlaveIx) -> bool,
    ) -> Option<Match> {
        let lane = self.demands[builder.0].queue.lane_to_start();
        let Some(chosen) = self.choose(builder, lane, fits) else {
            if let Some(lane) = lane {
                self.change_builder(builder, |demand| {
                    demand.queue.lanes_mut().set_hopeful(lane, false);
                });
            }
            return None;
        };
        let slave = chosen.slave;
        let &Pair::Pooled(way) = self.supplies[slave.0].pairs.get(&builder)? else {
            return None;
        };
        if !self.supplies[slave.0].is_available() {
            let bound = self.demands[builder.0].first_turn().unwrap_or(turn);
            self.set_pair(slave, builder, Some(Pair::Parked(way, bound)));
            return None;
        }
        if self.make_sure(builder, turn) {
            return None;
        }
        let choice = self.reason_of_choice(builder, &chosen, way);
        let mut lanes = BTreeSet::new();
        if lane.is_some() {
            lanes = self.demands[builder.0].queue.lanes_of_mates();
            lanes.retain(|&lane| self.may(builder, lane, slave));
        }
        let requests = self.change_builder(builder, |demand| {
            let allowed = |lane| lanes.contains(&lane);
            demand.queue.take_first(lane, allowed)
        });
        self.set_busy(slave, builder);
        self.lower_bounds(builder);
        Some(Match {
            builder,
            slave,
            way,
            requests,
            choice,
        })
    }

    /// A slave was found for the first lane of a builder. If the turn of that is later than `turn`,
    /// at which it was looked for, it is the turn that the builder competes with.
    fn make_sure(&mut self, builder: BuilderIx, turn: Turn) -> bool {
        let demand = &self.demands[builder.0];
        let first = demand.queue.first_to_start(true);
        let is_later = first.is_some_and(|first| turn_of(first, demand.rules.priority) > turn);
        if is_later {
            self.change_builder(builder, |demand| demand.is_sure = true);
            self.sure.insert(builder);
        }
        is_later
    }

    /// The slave is available: the builder whose bound is first may ask it again.
    fn wake(&mut self, slave: SlaveIx) {
        let supply = &self.supplies[slave.0];
        let Some(&(bound, builder)) = supply.parked.first() else {
            return;
        };
        let Some(&Pair::Parked(way, _)) = supply.pairs.get(&builder) else {
            return;
        };
        let pair = match self.demands[builder.0].first_turn() {
            Some(turn) if turn > bound => Pair::Parked(way, turn),
            Some(_) | None => Pair::Pooled(way),
        };
        self.set_pair(slave, builder, Some(pair));
    }

    /// The first turn of a builder may be before the bounds of its parked pairs, which must not lie
    /// above it.
    fn lower_bounds(&mut self, builder: BuilderIx) {
        let demand = &mut self.demands[builder.0];
        let Some(turn) = demand.first_turn() else {
            return;
        };
        if demand.latest_bound.is_none_or(|bound| bound <= turn) {
            return;
        }
        demand.latest_bound = Some(turn);
        for slave in demand.parked.iter().copied().collect::<Vec<_>>() {
            self.change_slave(slave, |supply| supply.lower_bound(builder, turn));
        }
    }

    fn set_pair(&mut self, slave: SlaveIx, builder: BuilderIx, pair: Option<Pair>) {
        let old = self.change_slave(slave, |supply| supply.set_pair(builder, pair));
        self.change_builder(builder, |demand| demand.move_slave(slave, old, pair));
        if let Some(Pair::Pooled(_)) = pair {
            self.give_hope(builder, slave);
        }
    }

    /// Changes the side of a builder, and brings `startable` up to it.
    fn change_builder<T>(
        &mut self,
        builder: BuilderIx,
        change: impl FnOnce(&mut Demand) -> T,
    ) -> T {
        let demand = &mut self.demands[builder.0];
        let before = demand.startable_at();
        demand.is_sure = false;
        let result = change(demand);
        let after = demand.startable_at();
        replace(&mut self.startable, builder, before, after);
        result
    }

    /// Changes the side of a slave, and brings `wakeable` up to it.
    fn change_slave<T>(&mut self, slave: SlaveIx, change: impl FnOnce(&mut Supply) -> T) -> T {
        let supply = &mut self.supplies[slave.0];
        let before = supply.wakeable_at();
        let was_available = supply.is_available();
        let result = change(supply);
        let after = supply.wakeable_at();
        let is_full = was_available && !supply.is_available();
        replace(&mut self.wakeable, slave, before, after);
        if is_full {
            for builder in std::mem::take(&mut self.sure) {
                self.change_builder(builder, |_| ());
            }
        }
        result
    }
}

/// Moves an entry of an index to another turn.
fn replace<T: Copy + Ord>(
    index: &mut BTreeSet<(Turn, T)>,
    entry: T,
    before: Option<Turn>,
    after: Option<Turn>,
) {
    if before == after {
        return;
    }
    if let Some(turn) = before {
        index.remove(&(turn, entry));
    }
    if let Some(turn) = after {
        index.insert((turn, entry));
    }
}

impl Demand {
    /// The first turn among those of all builders that a request of this one might ask for.
    fn first_turn(&self) -> Option<Turn> {
        let first = self.queue.bound()?;
        Some(turn_of(first, self.rules.priority))
    }

    /// The turn to take, if there are slaves to ask.
    fn startable_at(&self) -> Option<Turn> {
        if !self.starts_builds() || self.is_full() || self.pool().is_empty() {
            return None;
        }
        let first = self.queue.first_to_start(self.is_sure)?;
        Some(turn_of(first, self.rules.priority))
    }

    /// The slaves to choose from: attached ones, or else those that could be started (BLD-05).
    fn pool(&self) -> &Pool {
        if self.attached.is_empty() {
            &self.latent
        } else {
            &self.attached
        }
    }

    /// The slaves that do nothing for the builder.
    fn slaves(&self) -> impl Iterator<Item = SlaveIx> {
        let pools = self.attached.iter().chain(self.latent.iter());
        pools.chain(self.parked.iter().copied())
    }

    fn pool_of(&mut self, way: Way) -> &mut Pool {
        match way {
            Way::Attached => &mut self.attached,
            Way::Latent => &mut self.latent,
        }
    }

    fn move_slave(&mut self, slave: SlaveIx, from: Option<Pair>, to: Option<Pair>) {
        match from {
            Some(Pair::Pooled(way)) => self.pool_of(way).remove(slave),
            Some(Pair::Parked(..)) => {
                self.parked.remove(&slave);
                if self.parked.is_empty() {
                    self.latest_bound = None;
                }
            }
            Some(Pair::Busy) => self.busy -= 1,
            None => {}
        }
        match to {
            Some(Pair::Pooled(way)) => self.pool_of(way).insert(slave),
            Some(Pair::Parked(_, bound)) => {
                self.parked.insert(slave);
                self.latest_bound = self.latest_bound.max(Some(bound));
            }
            Some(Pair::Busy) => self.busy += 1,
            None => {}
        }
    }
}

impl Supply {
    fn has_room(&self) -> bool {
        let max = self.max_builds;
        max.is_none_or(|max| u32::try_from(self.busy).is_ok_and(|busy| busy < max))
    }

    /// Whether the slave takes another build now (BLD-04).
    fn is_available(&self) -> bool {
        self.is_willing && self.has_free_locks && self.has_room()
    }

    /// The bound of the pair to wake first, if the slave is available.
    fn wakeable_at(&self) -> Option<Turn> {
        let &(bound, _) = self.parked.first()?;
        self.is_available().then_some(bound)
    }

    /// Answers what the pair was before.
    fn set_pair(&mut self, builder: BuilderIx, pair: Option<Pair>) -> Option<Pair> {
        let old = match pair {
            Some(pair) => self.pairs.insert(builder, pair),
            None => self.pairs.remove(&builder),
        };
        match old {
            Some(Pair::Parked(_, bound)) => {
                self.parked.remove(&(bound, builder));
            }
            Some(Pair::Busy) => self.busy -= 1,
            Some(Pair::Pooled(_)) | None => {}
        }
        match pair {
            Some(Pair::Parked(_, bound)) => {
                self.parked.insert((bound, builder));
            }
            Some(Pair::Busy) => self.busy += 1,
            Some(Pair::Pooled(_)) | None => {}
        }
        old
    }

    fn lower_bound(&mut self, builder: BuilderIx, turn: Turn) {
        if let Some(Pair::Parked(_, bound)) = self.pairs.get_mut(&builder)
            && *bound > turn
        {
            self.parked.remove(&(*bound, builder));
            *bound = turn;
            self.parked.insert((turn, builder));
        }
    }
}

#[cfg(test)]
mod tests;
