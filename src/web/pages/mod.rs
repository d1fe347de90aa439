//! The pages, one file each: the row of the table, and the function that shows it.

pub(super) mod about;
pub(super) mod build;
pub(super) mod build_set;
pub(super) mod builder;
pub(super) mod builders;
pub(super) mod change;
pub(super) mod changes;
mod common;
pub(super) mod home;
pub(super) mod log;
pub(super) mod login;
pub(super) mod queue;
pub(super) mod request;
pub(super) mod scheduler;
pub(super) mod schedulers;
pub(super) mod slave;
pub(super) mod slaves;
pub(super) mod step;
mod words;

pub(super) use about::THEMES;
pub(super) use login::login;

/// The address of the page of a request.
pub(super) const REQUEST: &str = request::PAGE.path;
