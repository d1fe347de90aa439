//! What all pollers share: when they poll, what they give, and how they run programs.

mod backlog;
mod batch;
mod http;
mod lines;
mod place;
mod schedule;
mod ssh;
#[cfg(test)]
pub(super) mod testing;
mod tool;

pub(super) use self::backlog::{Backlog, first_after};
pub(super) use self::batch::Batch;
pub(super) use self::batch::{
    LONGEST_MESSAGE, LONGEST_NAME, MOST_CHANGES, MOST_FILES, MOST_OF_A_POLL, change, message,
    stand_for,
};
pub(super) use self::http::{HttpAnswer, HttpTool};
pub(super) use self::lines::TextLines;
pub(super) use self::place::{MIRRORS, digest, mirror_dir};
pub(super) use self::schedule::Schedule;
pub(super) use self::ssh::ssh;
pub(super) use self::tool::PollError;
pub(super) use self::tool::{Tool, reason};
