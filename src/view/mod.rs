//! What is shown of builds, build sets, requests, changes, builders, slaves, schedulers and locks.
//!
//! A view is made of stored rows and, while a master runs, of its [`Live`](crate::botmaster::Live)
//! state. Everybody who shows something takes the same views: `show`, JSON for programs, status
//! clients over pb, and later pages and notifiers.
//!
//! Invariants: a view is a value, which holds nothing open. Serialized it is the JSON that programs
//! get: times are RFC 3339 in UTC with milliseconds, durations are seconds, results are words, and
//! what is absent is `null`, never missing. Nothing here prints, colours or escapes.
//!
//! Start reading at [`Build`].

mod audit;
mod brief;
mod build;
mod build_problem;
mod builder;
mod buildset;
mod change;
mod change_source;
mod event;
mod flakiness;
pub mod json;
mod letter;
mod lock;
pub mod old_json;
mod old_json_filter;
mod order;
mod overview;
mod people;
mod problem;
mod queue;
mod remark;
mod request;
mod scheduler;
mod search;
mod search_cost;
mod searching;
mod slave;
mod source;
mod sourced;
mod step;
mod suspicion;
mod test;
mod test_standing;
mod trail;

pub use crate::store::read::Presumed;
pub use audit::Audit;
pub use brief::{Brief, Standing};
pub use build::{Build, Left, build_of};
pub use build_problem::{BuildProblem, OwnFailure};
pub use builder::{Builder, LastBuild, Running};
pub use buildset::{BuildSet, BuildSetPage};
pub use change::{Change, ChangePage, Verdict};
pub use change_source::ChangeSource;
pub use event::Event;
pub use flakiness::{Contradiction, Flakiness};
pub use letter::Letter;
pub use lock::{LockBlock, LockHolder, LockWait};
pub use order::add_orders;
pub use overview::Overview;
pub use people::{on_duty, owners_of_files, register, register_at, roles};
pub use problem::{Problem, ProblemNews, ProblemStory};
pub use queue::Queue;
pub use remark::{Holding, InHands, ProblemRemark};
pub use request::{Request, RequestState};
pub use scheduler::{LastSet, Scheduler, Tree};
pub use search::{Outcome, ProbeView, Search};
pub use search_cost::search_in_words;
pub use searching::Searching;
pub use slave::{Instance, Pause, Refusal, Slave, Visit};
pub use source::Source;
pub use sourced::{Sourced, StepSpan, Stretch, Timeline};
pub use step::{Link, Log, Step};
pub use suspicion::{new_quarantine, searches_of_suspects};
pub use test::{StepTests, Test, TestChange};
pub use test_standing::{BuilderTests, FailingTest, FlakyTest, LineTests, SlowTest, TestStory};
pub use trail::{BuildPage, Interrupted, OfChange, Trail};

/// When something is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// Whether a master runs on the state; only then does anything go on.
    pub is_running: bool,
    /// The time.
    pub now: crate::model::Timestamp,
}
