//! The core: builders, slave-builders, slaves, build sets, requests. Pure; the single owner of control state.
//!
//! One face: [`BotMaster::handle`] takes what has happened, [`BotMaster::next_command`] gives what is to
//! be done, [`BotMaster::poll_timeout`] is the one next deadline of every timer there is.

mod command;
mod event;
mod ids;
mod input;
pub mod plan;

use std::sync::Arc;

pub use command::{Answer, Command};
pub use event::Event;
pub use ids::{Epoch, PingId, ReplyId, SessionId};
pub use input::Input;
pub use plan::{BuildOutcome, BuildPlan};

use crate::config::Config;
use crate::model::{Mono, Now, Recovered};

/// The core of the master.
#[derive(Debug)]
pub struct BotMaster {}

impl BotMaster {
    /// Begins with what the state knew. First commands are ready at once.
    #[must_use]
    pub fn new(config: Arc<Config>, recovered: Recovered, seed: u64, now: Now) -> Self {
        let _ = (config, recovered, seed, now);
        todo!()
    }

    /// Takes one input. Never blocks, never fails. Timers that are due by `now` come first.
    pub fn handle(&mut self, now: Now, input: Input) {
        let _ = (now, input);
        todo!()
    }

    /// The next thing to do, in order; to be asked until there is none after each input.
    pub fn next_command(&mut self) -> Option<Command> {
        todo!()
    }

    /// When [`BotMaster::handle_timeout`] is to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        todo!()
    }

    /// Lets the timers fire that are due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
        todo!()
    }
}
