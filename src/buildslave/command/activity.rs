//! The activity of a program's output, for the timers of `process`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::outlet::Outlet;
use crate::buildslave::host::Stream;
use crate::protocol::Update;

/// The activity of a program's output.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Notified when there were too many lines.
    flooded: Notify,
    max_lines: Option<u64>,
}

#[derive(Debug)]
struct State {
    /// The time of the last output.
    last: Instant,
    /// The number of readers that wait until the master has taken their output.
    blocked: usize,
    lines: u64,
}

impl Activity {
    /// No output yet. More than `max_lines` lines are a flood.
    pub(super) fn new(max_lines: Option<u64>) -> Self {
        Self {
            state: Mutex::new(State {
                last: Instant::now(),
                blocked: 0,
                lines: 0,
            }),
            flooded: Notify::new(),
            max_lines,
        }
    }

    /// Notes a write to a followed file.
    pub(super) fn note(&self) {
        self.state().last = Instant::now();
    }

    /// When the program will have been silent for `patience`.
    pub(super) fn silent_at(&self, patience: Duration) -> Instant {
        let state = self.state();
        let last = if state.blocked > 0 {
            Instant::now()
        } else {
            state.last
        };
        last + patience
    }

    /// Lines so far; counted only if they are limited.
    pub(super) fn lines(&self) -> u64 {
        self.state().lines
    }

    /// Waits until there were too many lines.
    pub(super) async fn flooded(&self) {
        self.flooded.notified().await;
    }

    /// Forwards the output of a pipe until its end.
    pub(super) async fn pump(
        &self,
        pipe: Option<Stream>,
        outlet: Option<&Outlet>,
        update: fn(Bytes) -> Update,
    ) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(PIECE);
            // A terminal that no process has open returns an error instead of the end.
            match pipe.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let piece = buffer.split().freeze();
            self.begin(&piece);
            if let Some(outlet) = outlet {
                outlet.say(update(piece)).await;
            }
            let mut state = self.state();
            state.last = Instant::now();
            state.blocked -= 1;
        }
    }

    /// Notes a piece of output that waits for the master.
    fn begin(&self, piece: &[u8]) {
        let mut state = self.state();
        state.last = Instant::now();
        state.blocked += 1;
        if let Some(max) = self.max_lines {
            state.lines += line_ends(piece);
            if state.lines > max {
                self.flooded.notify_one();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of line ends: LF, and CR as progress bars use it. CR LF counts once unless it is cut.
fn line_ends(piece: &[u8]) -> u64 {
    let crs = piece.iter().filter(|b| **b == b'\r').count();
    let lfs = piece.iter().filter(|b| **b == b'\n').count();
    let pairs = piece.windows(2).filter(|w| w == b"\r\n").count();
    u64::try_from(crs + lfs - pairs).unwrap_or(u64::MAX)
}

/// Bytes read from a pipe at a time.
const PIECE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_master_takes_nothing_is_no_silence() {
        let activity = Activity::new(None);
        let patience = Duration::from_secs(10);
        let begun = Instant::now();
        activity.begin(b"x");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(activity.silent_at(patience), Instant::now() + patience);
        activity.state().blocked -= 1;
        assert_eq!(activity.silent_at(patience), begun + patience);
    }

    #[tokio::test]
    async fn one_line_more_than_the_limit_is_a_flood() {
        let activity = Activity::new(Some(3));
        activity.begin(b"a\r\nb\rc\n");
        assert_eq!(activity.lines(), 3);
        activity.begin(b"\n");
        activity.flooded().await;
    }
}
