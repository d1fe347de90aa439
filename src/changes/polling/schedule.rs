//! When a source is polled (POL-01). Pure.
//!
//! ```text
//!            due, or poked
//! waiting ───────────────────▶ polling ─┐ poked: one more poll follows
//!    ▲                            │     ◀┘
//!    └──────── finished ──────────┘
//! ```

use std::time::Duration;

use rand::RngExt;
use tokio::time::Instant;

use crate::backoff::Backoff;

/// The longest time between two polls of a source that fails, unless its interval is longer.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(3600);

/// Decides when a source is polled: at an interval with some chance in it, later after failures,
/// and at once when poked. There are never two polls at once.
#[derive(Debug)]
pub(in crate::changes) struct Schedule {
    state: State,
    interval: Duration,
    /// Failed polls since the last one that succeeded.
    failures: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Waiting { until: Instant },
    Polling { poked: bool },
}

impl Schedule {
    /// A source that is polled every `interval`, and at once if `at_launch`.
    pub(in crate::changes) fn new(
        now: Instant,
        interval: Duration,
        at_launch: bool,
        rng: &mut impl RngExt,
    ) -> Self {
        let wait = match at_launch {
            true => Duration::ZERO,
            false => spread(interval, rng),
        };
        Self {
            state: State::Waiting { until: now + wait },
            interval,
            failures: 0,
        }
    }

    /// The time of the next poll; none during a poll.
    pub(in crate::changes) const fn next(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Polling { .. } => None,
        }
    }

    /// Begins a poll if it is time for one. Returns whether it was.
    pub(in crate::changes) fn begin(&mut self, now: Instant) -> bool {
        let is_due = self.next().is_some_and(|next| next <= now);
        if is_due {
            self.state = State::Polling { poked: false };
        }
        is_due
    }

    /// Asks for a poll now. During a poll, one more poll follows, however often this is called
    /// (INT-11).
    pub(in crate::changes) const fn poke(&mut self, now: Instant) {
        self.state = match self.state {
            State::Waiting { .. } => State::Waiting { until: now },
            State::Polling { .. } => State::Polling { poked: true },
        };
    }

    /// Ends a poll. After failures, the time to the next poll doubles.
    pub(in crate::changes) fn finish(
        &mut self,
        now: Instant,
        has_succeeded: bool,
        rng: &mut impl RngExt,
    ) {
        self.failures = match has_succeeded {
            true => 0,
            false => self.failures.saturating_add(1),
        };
        let until = match self.state {
            State::Polling { poked: true } => now,
            State::Polling { poked: false } | State::Waiting { .. } => {
                now + spread(self.pause(), rng)
            }
        };
        self.state = State::Waiting { until };
    }

    fn pause(&self) -> Duration {
        let longest = LONGEST_BACK_OFF.max(self.interval);
        Backoff::new(self.interval, longest).nth(self.failures.saturating_sub(1))
    }
}

/// A time of about this length, so that sources that were started together are not polled together:
/// a tenth more or less.
fn spread(pause: Duration, rng: &mut impl RngExt) -> Duration {
    pause.mul_f64(rng.random_range(0.9..=1.1))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn schedule(at_launch: bool) -> (Schedule, Instant, StdRng) {
        let mut rng = StdRng::seed_from_u64(1);
        let now = Instant::now();
        let schedule = Schedule::new(now, 5 * MINUTE, at_launch, &mut rng);
        (schedule, now, rng)
    }

    /// The time to the next poll, in minutes.
    fn pause(schedule: &Schedule, now: Instant) -> f64 {
        let next = schedule.next().map(|next| next - now);
        next.map_or(f64::NAN, |pause| pause.as_secs_f64() / 60.0)
    }

    #[test]
    fn pol_01_a_source_is_polled_at_launch_and_then_about_every_interval() {
        let (mut schedule, mut now, mut rng) = schedule(true);
        assert!(schedule.begin(now));
        let mut pauses = Vec::new();
        for _ in 0..50 {
            schedule.finish(now, true, &mut rng);
            pauses.push(pause(&schedule, now));
            assert!(!schedule.begin(now));
            now = schedule.next().unwrap_or(now);
            assert!(schedule.begin(now));
        }
        assert!(pauses.iter().all(|pause| (4.5..=5.5).contains(pause)));
        let (least, most) = (4.7, 5.3);
        assert!(pauses.iter().any(|pause| *pause < least));
        assert!(pauses.iter().any(|pause| *pause > most));
    }

    #[test]
    fn pol_01_without_a_poll_at_launch_the_first_is_after_the_interval() {
        let (schedule, now, _) = schedule(false);
        assert!((4.5..=5.5).contains(&pause(&schedule, now)));
    }

    #[test]
    fn pol_01_after_failures_the_time_doubles_up_to_an_hour() {
        let (mut schedule, now, mut rng) = schedule(true);
        for about in [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] {
            schedule.poke(now);
            assert!(schedule.begin(now));
            schedule.finish(now, false, &mut rng);
            let pause = pause(&schedule, now) / about;
            assert!((0.9..=1.1).contains(&pause), "{pause} of {about}");
        }
        assert_eq!(schedule.failures, 6);
        schedule.poke(now);
        assert!(schedule.begin(now));
        schedule.finish(now, true, &mut rng);
        assert!((4.5..=5.5).contains(&pause(&schedule, now)));
        assert_eq!(schedule.failures, 0);
    }

    #[test]
    fn pol_01_there_are_never_two_polls_at_once_and_a_poke_makes_one_more() {
        let (mut schedule, now, mut rng) = schedule(true);
        assert!(schedule.begin(now));
        schedule.poke(now);
        schedule.poke(now);
        assert!(!schedule.begin(now) && schedule.next().is_none());
        schedule.finish(now, true, &mut rng);
        assert!(schedule.begin(now));
        schedule.finish(now, true, &mut rng);
        assert!(!schedule.begin(now));
    }

    #[test]
    fn int_11_a_poke_while_waiting_polls_now() {
        let (mut schedule, now, _) = schedule(false);
        assert!(!schedule.begin(now));
        schedule.poke(now);
        assert!(schedule.begin(now));
    }
}
