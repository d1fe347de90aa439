//! Flood control: a server throws out who sends faster (IRC-07).

use std::collections::VecDeque;
use std::time::Duration;

use super::message::line;
use crate::model::Mono;

/// One line in this time.
const EVERY: Duration = Duration::from_secs(2);

/// Lines that may leave at once.
const AT_ONCE: u32 = 4;

/// Lines that wait; what comes then is only counted.
const MOST_WAITING: usize = 200;

/// Lines that wait for their turn.
#[derive(Debug, Default)]
pub struct Pacer {
    waiting: VecDeque<String>,
    /// When all that has left is worked off, by the reckoning of the server.
    worked_off: Mono,
    /// How many lines were left out, and to whom the last of them was.
    left_out: Option<(u64, String)>,
}

impl Pacer {
    /// A message to `target` waits for its turn. True if there was room for it.
    pub fn push(&mut self, target: &str, line: String) -> bool {
        if self.waiting.len() >= MOST_WAITING {
            let count = self.left_out.take().map_or(0, |(count, _)| count);
            self.left_out = Some((count + 1, target.to_owned()));
            return false;
        }
        self.waiting.push_back(line);
        true
    }

    /// The next line, if one may leave now.
    pub fn next(&mut self, now: Mono) -> Option<String> {
        if self.due()? > now {
            return None;
        }
        let line = match self.waiting.pop_front() {
            Some(line) => line,
            None => {
                let (count, target) = self.left_out.take()?;
                let lines = if count == 1 { "line was" } else { "lines were" };
                line(
                    "PRIVMSG",
                    &[&target, &format!("({count} {lines} left out)")],
                )?
            }
        };
        self.worked_off = self.worked_off.max(now) + EVERY;
        Some(line)
    }

    /// When a line may leave; absent if none waits.
    #[must_use]
    pub fn due(&self) -> Option<Mono> {
        let waits = !self.waiting.is_empty() || self.left_out.is_some();
        let ahead = EVERY * (AT_ONCE - 1);
        waits.then(|| Mono(self.worked_off.0.saturating_sub(ahead)))
    }

    /// Forgets what waits: the connection is lost.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pacer: &mut Pacer, at_secs: u64) -> usize {
        let now = Mono(Duration::from_secs(at_secs));
        std::iter::from_fn(|| pacer.next(now)).count()
    }

    #[test]
    fn irc_07_four_lines_leave_at_once_and_then_one_in_two_seconds() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.due(), None);
        for number in 0..10 {
            assert!(pacer.push("#dev", format!("PRIVMSG #dev {number}")));
        }
        let counts = [100, 101, 102, 103, 106].map(|at| sent(&mut pacer, at));
        assert_eq!(counts, [4, 0, 1, 0, 2]);
        assert_eq!(pacer.due(), Some(Mono(Duration::from_secs(108))));
        assert_eq!((sent(&mut pacer, 200), sent(&mut pacer, 201)), (3, 0));
    }

    #[test]
    fn irc_07_more_than_two_hundred_lines_are_a_count() {
        let mut pacer = Pacer::default();
        for number in 0..203 {
            assert_eq!(pacer.push("#dev", "X".to_owned()), number < MOST_WAITING);
        }
        let mut now = Mono(Duration::from_secs(1));
        let mut lines = Vec::new();
        while let Some(due) = pacer.due() {
            now = now.max(due);
            lines.extend(pacer.next(now));
        }
        assert_eq!(lines.len(), MOST_WAITING + 1);
        let last = lines.last().map(String::as_str);
        assert_eq!(last, Some("PRIVMSG #dev :(3 lines were left out)"));
    }
}
