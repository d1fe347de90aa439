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
//! ([`Turn`]). With equal priorities, as by default, the oldest request is first.
//!
//! Invariants:
//! - a request that waits and an idle pair of its builder on an available slave imply that
//!   [`Dispatch::next`] is `Some` (BLD-07), unless the builder is paused; it gives the first turn
//!   that can be taken;
//! - `startable` and `wakeable` are true after each call: all changes of a builder's side are made
//!   by [`Dispatch::change_builder`], those of a slave's side by [`Dispatch::change_slave`];
//! - a call costs a logarithm of what there is;
//! - requests of culprit searches have no turns: they are looked at only when nothing else can
//!   start (`searching.rs`), and cost nothing where there are none.

mod pool;
mod queue;
mod searching;

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::rngs::StdRng;

use self::pool::Pool;
pub(super) use self::queue::RequestQueue;
use self::queue::{Turn, turn_of};
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
}

/// The side of a builder.
#[derive(Debug, Default)]
struct Demand {
    rules: Rules,
    /// Whether people have paused the builder: nothing is started on it.
    is_paused: bool,
    queue: RequestQueue,
    attached: Pool,
    latent: Pool,
    parked: BTreeSet<SlaveIx>,
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

    /// Sets which requests share a build from now on; `requests` are all that wait for the builder.
    pub(super) fn set_merging<'a>(
        &mut self,
        builder: BuilderIx,
        merging: Merging,
        requests: impl Iterator<Item = &'a BuildRequest>,
    ) {
        self.change_builder(builder, |demand| {
            demand.queue.set_merging(merging, requests);
        });
    }

    /// Sets how many builds a slave runs at most; absent: as many as it has builders.
    pub(super) fn set_max_builds(&mut self, slave: SlaveIx, max_builds: Option<u32>) {
        self.change_slave(slave, |supply| supply.max_builds = max_builds);
    }

    /// Puts a request into the queue, at the place of its priority and age (BLD-10).
    pub(super) fn enqueue(&mut self, builder: BuilderIx, request: &BuildRequest) {
        self.change_builder(builder, |demand| demand.queue.insert(request));
        if request.is_of_search() {
            self.searching.insert(builder);
            return;
        }
        self.lower_bounds(builder);
    }

    /// Takes a request out of the queue; nothing happens if it is not there.
    pub(super) fn unqueue(&mut self, builder: BuilderIx, request: &BuildRequest) {
        self.change_builder(builder, |demand| demand.queue.remove(request));
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
        let chosen = self.choose(builder)?;
        let slave = self.prefer_free_locks(builder, chosen, fits);
        let &Pair::Pooled(way) = self.supplies[slave.0].pairs.get(&builder)? else {
            return None;
        };
        if !self.supplies[slave.0].is_available() {
            self.set_pair(slave, builder, Some(Pair::Parked(way, turn)));
            return None;
        }
        let choice = self.reason_of_choice(builder, slave, way, slave != chosen);
        let requests = self.change_builder(builder, |demand| demand.queue.take_first());
        self.set_busy(slave, builder);
        Some(Match {
            builder,
            slave,
            way,
            requests,
            choice,
        })
    }

    fn choose(&mut self, builder: BuilderIx) -> Option<SlaveIx> {
        let demand = &self.demands[builder.0];
        let load = |slave: SlaveIx| self.supplies[slave.0].busy;
        demand
            .pool()
            .choose(&mut self.rng, demand.rules.choice, load)
    }

    /// LCK-10: in place of `chosen`, on which a build would wait for its locks, a slave on which it
    /// would not, if there is one, even one that has to be started; of several, by the builder's
    /// rule.
    fn prefer_free_locks(
        &mut self,
        builder: BuilderIx,
        chosen: SlaveIx,
        fits: &impl Fn(BuilderIx, SlaveIx) -> bool,
    ) -> SlaveIx {
        let demand = &self.demands[builder.0];
        let suits = |slave: SlaveIx| self.supplies[slave.0].is_available() && fits(builder, slave);
        if !demand.rules.locks_differ || suits(chosen) {
            return chosen;
        }
        let load = |slave: SlaveIx| self.supplies[slave.0].busy;
        let pools = [&demand.attached, &demand.latent];
        let suiting = |pool: &Pool| Pool::from_iter(pool.iter().filter(|slave| suits(*slave)));
        let better = pools.map(suiting).into_iter().find(|pool| !pool.is_empty());
        let better = better.and_then(|pool| pool.choose(&mut self.rng, demand.rules.choice, load));
        better.unwrap_or(chosen)
    }

    fn reason_of_choice(
        &self,
        builder: BuilderIx,
        slave: SlaveIx,
        way: Way,
        for_locks: bool,
    ) -> String {
        let demand = &self.demands[builder.0];
        let none_attached = demand.attached.is_empty();
        if for_locks && !none_attached && way == Way::Latent {
            return "to be started, for its locks were free, unlike those of the idle slaves"
                .to_owned();
        }
        let slaves = match (demand.pool().len(), none_attached) {
            (1, false) => return "no other slave was idle".to_owned(),
            (1, true) => return "no slave was idle, and no other could be started".to_owned(),
            (several, false) => format!("{several} idle slaves"),
            (several, true) => format!("{several} slaves that could be started, for none was idle"),
        };
        match demand.rules.choice {
            _ if for_locks => format!("one of {slaves}; its locks were free"),
            SlaveChoice::Random => format!("at random of {slaves}"),
            SlaveChoice::First => format!("the first of {slaves}"),
            SlaveChoice::LeastLoaded => {
                let load = self.supplies[slave.0].busy;
                format!("with the fewest builds ({load}) of {slaves}")
            }
        }
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
    }

    /// Changes the side of a builder, and brings `startable` up to it.
    fn change_builder<T>(
        &mut self,
        builder: BuilderIx,
        change: impl FnOnce(&mut Demand) -> T,
    ) -> T {
        let demand = &mut self.demands[builder.0];
        let before = demand.startable_at();
        let result = change(demand);
        let after = demand.startable_at();
        replace(&mut self.startable, builder, before, after);
        result
    }

    /// Changes the side of a slave, and brings `wakeable` up to it.
    fn change_slave<T>(&mut self, slave: SlaveIx, change: impl FnOnce(&mut Supply) -> T) -> T {
        let supply = &mut self.supplies[slave.0];
        let before = supply.wakeable_at();
        let result = change(supply);
        let after = supply.wakeable_at();
        replace(&mut self.wakeable, slave, before, after);
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
    /// The turn of the first request among those of all builders.
    fn first_turn(&self) -> Option<Turn> {
        let first = self.queue.first()?;
        Some(turn_of(first, self.rules.priority))
    }

    /// The turn to take, if there are slaves to ask.
    fn startable_at(&self) -> Option<Turn> {
        let can_start = !self.is_paused && !self.pool().is_empty();
        self.first_turn().filter(|_| can_start)
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
            Some(Pair::Busy) | None => {}
        }
        match to {
            Some(Pair::Pooled(way)) => self.pool_of(way).insert(slave),
            Some(Pair::Parked(_, bound)) => {
                self.parked.insert(slave);
                self.latest_bound = self.latest_bound.max(Some(bound));
            }
            Some(Pair::Busy) | None => {}
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
