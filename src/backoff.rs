//! Delays that double before each retry.
//!
//! A [`Backoff`] only computes delays; it neither waits nor reads a clock. A caller that counts
//! failures itself uses the [nth](Backoff::nth) delay. A caller that loops takes
//! [`next_delay`](Backoff::next_delay) until success, then [resets](Backoff::reset) the back-off.

use std::time::Duration;

use rand::RngExt;

/// Delays that double from `first` up to `longest`, with the number of delays taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    taken: u32,
}

impl Backoff {
    /// A back-off that starts with the first delay. No delay exceeds `longest`, not even `first`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            taken: 0,
        }
    }

    /// The delay that follows `n` earlier ones.
    #[must_use]
    pub fn nth(self, n: u32) -> Duration {
        let factor = 1_u32.checked_shl(n).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// Takes the next delay: twice the previous delay, up to the longest.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.nth(self.taken);
        self.taken = self.taken.saturating_add(1);
        delay
    }

    /// Takes a random part of the next delay, at least half, so that callers that failed together
    /// do not retry together.
    pub fn next_jittered(&mut self, rng: &mut impl RngExt) -> Duration {
        self.next_delay().mul_f64(rng.random_range(0.5..=1.0))
    }

    /// Whether the delay taken last was the longest.
    #[must_use]
    pub fn is_at_longest(self) -> bool {
        self.taken > 0 && self.nth(self.taken - 1) == self.longest
    }

    /// Starts again with the first delay.
    pub const fn reset(&mut self) {
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn take(backoff: &mut Backoff, amount: usize) -> Vec<u64> {
        let delays = std::iter::repeat_with(|| backoff.next_delay().as_secs());
        delays.take(amount).collect()
    }

    #[test]
    fn delays_double_to_the_longest_and_stay_there() {
        let mut backoff = Backoff::new(SECOND, 10 * SECOND);
        assert_eq!(take(&mut backoff, 6), [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.nth(40), 10 * SECOND);
        assert_eq!(backoff.nth(u32::MAX), 10 * SECOND);
    }

    #[test]
    fn a_reset_starts_again_with_the_first_delay() {
        let mut backoff = Backoff::new(SECOND, 10 * SECOND);
        take(&mut backoff, 3);
        backoff.reset();
        assert_eq!(take(&mut backoff, 2), [1, 2]);
    }

    #[test]
    fn the_longest_delay_limits_the_first_one_too() {
        let mut backoff = Backoff::new(5 * SECOND, 2 * SECOND);
        assert_eq!(take(&mut backoff, 2), [2, 2]);
    }

    #[test]
    fn it_is_known_when_the_longest_delay_was_taken() {
        let mut backoff = Backoff::new(SECOND, 4 * SECOND);
        let mut seen = vec![backoff.is_at_longest()];
        for _ in 0..4 {
            backoff.next_delay();
            seen.push(backoff.is_at_longest());
        }
        assert_eq!(seen, [false, false, false, true, true]);
    }

    #[test]
    fn a_jittered_delay_is_between_half_and_all_of_it_and_follows_the_seed() {
        let delays = |seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut backoff = Backoff::new(SECOND, 4 * SECOND);
            [(); 5].map(|()| backoff.next_jittered(&mut rng))
        };
        let longest = [1.0, 2.0, 4.0, 4.0, 4.0];
        for (delay, longest) in delays(1).iter().zip(longest) {
            let seconds = delay.as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&seconds), "{seconds}");
        }
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }
}
