//! Counts and durations of the running program, for its metrics.
//!
//! Invariants: counting and timing take no lock and never wait, so that they may stand in the hot
//! path. A reader sees values that may be some nanoseconds apart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// Durations, counted by size.
#[derive(Debug)]
pub struct Histogram {
    /// Upper bounds in seconds, in ascending order.
    bounds: &'static [f64],
    /// One count for each bound, and one for what is above the last.
    counts: Box<[AtomicU64]>,
    sum_micros: AtomicU64,
}

/// What a [`Histogram`] has counted so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Upper bounds in seconds, each with the number of durations of at most that length.
    pub buckets: Vec<(f64, u64)>,
    /// The number of all durations.
    pub count: u64,
    /// The sum of all durations, in seconds.
    pub sum_secs: f64,
}

impl Counter {
    /// Adds to the number.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Histogram {
    /// A histogram with these upper bounds, in seconds and in ascending order.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum_micros: AtomicU64::new(0),
        }
    }

    /// Counts a duration.
    pub fn add(&self, duration: Duration) {
        let secs = duration.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < secs);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self) -> Distribution {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(self.bounds.len());
        for (place, counted) in self.counts.iter().enumerate() {
            count += counted.load(Ordering::Relaxed);
            if let Some(bound) = self.bounds.get(place) {
                buckets.push((*bound, count));
            }
        }
        let sum = Duration::from_micros(self.sum_micros.load(Ordering::Relaxed));
        Distribution {
            buckets,
            count,
            sum_secs: sum.as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_below_their_upper_bounds() {
        let histogram = Histogram::new(&[0.5, 2.0]);
        for millis in [100, 500, 501, 2_000, 9_000] {
            histogram.add(Duration::from_millis(millis));
        }
        let expected = Distribution {
            buckets: vec![(0.5, 2), (2.0, 4)],
            count: 5,
            sum_secs: 12.101,
        };
        assert_eq!(histogram.get(), expected);
    }

    #[test]
    fn a_counter_grows() {
        let counter = Counter::default();
        counter.add(2);
        counter.add(3);
        assert_eq!(counter.get(), 5);
    }
}
