//! A set of slaves to choose from (BLD-05): at random, in order, or by load.

use std::collections::{BTreeSet, HashMap};

use rand::RngExt;
use rand::rngs::StdRng;

use crate::botmaster::ids::SlaveIx;
use crate::config::SlaveChoice;

/// The number of slaves that are compared when a slave with few builds is wanted; of more slaves,
/// this number is drawn at random. It bounds the cost of a start, since loads change for all
/// builders of a slave at once.
const COMPARED: usize = 64;

/// The slaves a builder may choose from. The order in `list` depends only on what was put in and
/// taken out, so equal seeds choose alike.
#[derive(Debug, Default)]
pub(super) struct Pool {
    list: Vec<SlaveIx>,
    place: HashMap<SlaveIx, usize>,
    sorted: BTreeSet<(usize, SlaveIx)>,
    /// Places in the builder's list of slaves.
    rank: HashMap<SlaveIx, usize>,
}

impl Pool {
    /// The builder has these slaves from now on, in this order. Those in the pool that are not
    /// among them come last.
    pub(super) fn set_order(&mut self, slaves: &[SlaveIx]) {
        self.rank = slaves.iter().enumerate().map(|(at, &s)| (s, at)).collect();
        self.sorted = self.list.iter().map(|&s| (self.rank_of(s), s)).collect();
    }

    /// Puts `slave` in; nothing happens if it is there.
    pub(super) fn insert(&mut self, slave: SlaveIx) {
        if self.sorted.insert((self.rank_of(slave), slave)) {
            self.place.insert(slave, self.list.len());
            self.list.push(slave);
        }
    }

    /// Takes `slave` out; nothing happens if it is not there.
    pub(super) fn remove(&mut self, slave: SlaveIx) {
        let Some(place) = self.place.remove(&slave) else {
            return;
        };
        self.sorted.remove(&(self.rank_of(slave), slave));
        self.list.swap_remove(place);
        if let Some(&moved) = self.list.get(place) {
            self.place.insert(moved, place);
        }
    }

    /// All of them, in the order of the builder's list.
    pub(super) fn iter(&self) -> impl Iterator<Item = SlaveIx> {
        self.sorted.iter().map(|&(_, slave)| slave)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Chooses one (BLD-05), without taking it out. `load` is how many builds run on a slave.
    pub(super) fn choose(
        &self,
        rng: &mut StdRng,
        rule: SlaveChoice,
        load: impl Fn(SlaveIx) -> usize,
    ) -> Option<SlaveIx> {
        let first = self.iter().next()?;
        match rule {
            SlaveChoice::First => Some(first),
            SlaveChoice::Random | SlaveChoice::LeastLoaded if self.list.len() == 1 => Some(first),
            SlaveChoice::Random => self.list.get(rng.random_range(0..self.list.len())).copied(),
            SlaveChoice::LeastLoaded => self.least_loaded(rng, load),
        }
    }

    fn least_loaded(&self, rng: &mut StdRng, load: impl Fn(SlaveIx) -> usize) -> Option<SlaveIx> {
        let amount = self.list.len().min(COMPARED);
        let compared = rand::seq::index::sample(rng, self.list.len(), amount);
        // They come in random order, so that the first of equals is any of them.
        let compared = compared.into_iter().filter_map(|at| self.list.get(at));
        compared.copied().min_by_key(|&slave| load(slave))
    }

    fn rank_of(&self, slave: SlaveIx) -> usize {
        self.rank.get(&slave).copied().unwrap_or(usize::MAX)
    }
}

/// In this order.
impl FromIterator<SlaveIx> for Pool {
    fn from_iter<T: IntoIterator<Item = SlaveIx>>(slaves: T) -> Self {
        let slaves: Vec<_> = slaves.into_iter().collect();
        let mut pool = Self::default();
        pool.set_order(&slaves);
        slaves.into_iter().for_each(|slave| pool.insert(slave));
        pool
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use rand::SeedableRng;

    use super::*;

    fn pool(slaves: &[usize]) -> Pool {
        slaves.iter().map(|&s| SlaveIx(s)).collect()
    }

    fn idle(_: SlaveIx) -> usize {
        0
    }

    #[test]
    fn random_choice_is_even_and_fixed_choice_takes_the_first_of_the_list() {
        let mut rng = StdRng::seed_from_u64(1);
        let pool = pool(&[2, 0, 1]);
        let mut counts = [0; 3];
        for _ in 0..3000 {
            let random = pool.choose(&mut rng, SlaveChoice::Random, idle);
            counts[random.unwrap().0] += 1;
            let first = pool.choose(&mut rng, SlaveChoice::First, idle);
            assert_eq!(first, Some(SlaveIx(2)));
        }
        for count in counts {
            assert!((850..=1150).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn another_order_counts_for_those_that_are_in_the_pool() {
        let mut pool = pool(&[0, 1, 2]);
        pool.set_order(&[2, 1].map(SlaveIx));
        let order: Vec<usize> = pool.iter().map(|slave| slave.0).collect();
        assert_eq!(order, [2, 1, 0]);
        pool.remove(SlaveIx(2));
        pool.remove(SlaveIx(0));
        pool.insert(SlaveIx(2));
        let order: Vec<usize> = pool.iter().map(|slave| slave.0).collect();
        assert_eq!(order, [2, 1]);
    }

    #[test]
    fn of_the_least_loaded_each_is_as_likely() {
        let mut rng = StdRng::seed_from_u64(1);
        let pool = pool(&[0, 1, 2, 3, 4]);
        let load = |slave: SlaveIx| [1, 0, 2, 0, 0][slave.0];
        let mut counts = [0; 5];
        for _ in 0..3000 {
            let chosen = pool.choose(&mut rng, SlaveChoice::LeastLoaded, load);
            counts[chosen.unwrap().0] += 1;
        }
        assert_eq!((counts[0], counts[2]), (0, 0));
        for count in [counts[1], counts[3], counts[4]] {
            assert!((850..=1150).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn loads_are_compared_up_to_the_limit() {
        let compared = |size: usize| {
            let mut rng = StdRng::seed_from_u64(1);
            let asked = std::cell::Cell::new(0);
            let load = |slave: SlaveIx| {
                asked.set(asked.get() + 1);
                usize::from(slave.0 != 7)
            };
            let pool: Pool = (0..size).map(SlaveIx).collect();
            let chosen = pool.choose(&mut rng, SlaveChoice::LeastLoaded, load);
            (chosen, asked.get())
        };
        assert_eq!(compared(COMPARED), (Some(SlaveIx(7)), COMPARED));
        assert_eq!(compared(COMPARED + 1).1, COMPARED);
    }

    #[test]
    fn slaves_taken_out_are_not_chosen() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut pool = pool(&[0, 1, 2, 3]);
        pool.remove(SlaveIx(0));
        pool.remove(SlaveIx(3));
        pool.remove(SlaveIx(3));
        pool.remove(SlaveIx(2));
        for rule in [
            SlaveChoice::Random,
            SlaveChoice::First,
            SlaveChoice::LeastLoaded,
        ] {
            for _ in 0..20 {
                assert_eq!(pool.choose(&mut rng, rule, idle), Some(SlaveIx(1)));
            }
        }
        pool.remove(SlaveIx(1));
        assert!(pool.is_empty());
        assert_eq!(pool.choose(&mut rng, SlaveChoice::Random, idle), None);
    }
}
