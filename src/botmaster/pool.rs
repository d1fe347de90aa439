//! A set of slaves to choose from: at random, each as likely, or the first.

use std::collections::{BTreeSet, HashMap};

use rand::RngExt;
use rand::rngs::StdRng;

use super::slave::SlaveIx;

/// The slaves a builder may choose from. The order in `list` depends only on what was put in and taken out,
/// so equal seeds choose alike.
#[derive(Debug, Default)]
pub(super) struct Pool {
    list: Vec<SlaveIx>,
    place: HashMap<SlaveIx, usize>,
    sorted: BTreeSet<SlaveIx>,
}

impl Pool {
    /// Puts `slave` in; nothing happens if it is there.
    pub(super) fn insert(&mut self, slave: SlaveIx) {
        if self.sorted.insert(slave) {
            self.place.insert(slave, self.list.len());
            self.list.push(slave);
        }
    }

    /// Takes `slave` out; nothing happens if it is not there.
    pub(super) fn remove(&mut self, slave: SlaveIx) {
        let Some(place) = self.place.remove(&slave) else {
            return;
        };
        self.sorted.remove(&slave);
        self.list.swap_remove(place);
        if let Some(&moved) = self.list.get(place) {
            self.place.insert(moved, place);
        }
    }

    /// All of them, in the order of the configuration.
    pub(super) fn iter(&self) -> impl Iterator<Item = SlaveIx> {
        self.sorted.iter().copied()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Chooses one (BLD-05), without taking it out.
    pub(super) fn choose(&self, rng: &mut StdRng, randomly: bool) -> Option<SlaveIx> {
        if !randomly || self.list.len() <= 1 {
            return self.sorted.first().copied();
        }
        self.list.get(rng.random_range(0..self.list.len())).copied()
    }
}

impl FromIterator<SlaveIx> for Pool {
    fn from_iter<T: IntoIterator<Item = SlaveIx>>(slaves: T) -> Self {
        let mut pool = Self::default();
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
        let mut pool = Pool::default();
        for &s in slaves {
            pool.insert(SlaveIx(s));
        }
        pool
    }

    #[test]
    fn random_choice_is_even_and_fixed_choice_takes_the_first() {
        let mut rng = StdRng::seed_from_u64(1);
        let pool = pool(&[2, 0, 1]);
        let mut counts = [0; 3];
        for _ in 0..3000 {
            counts[pool.choose(&mut rng, true).unwrap().0] += 1;
            assert_eq!(pool.choose(&mut rng, false), Some(SlaveIx(0)));
        }
        for count in counts {
            assert!((850..=1150).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn slaves_taken_out_are_not_chosen() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut pool = pool(&[0, 1, 2, 3]);
        pool.remove(SlaveIx(0));
        pool.remove(SlaveIx(3));
        pool.remove(SlaveIx(3));
        pool.remove(SlaveIx(2));
        for _ in 0..20 {
            assert_eq!(pool.choose(&mut rng, true), Some(SlaveIx(1)));
        }
        pool.remove(SlaveIx(1));
        assert!(pool.is_empty());
        assert_eq!(pool.choose(&mut rng, true), None);
    }
}
