//! The pages, one file each: the row of the table, and the function that shows it.

pub(super) mod about;
pub(super) mod build;
mod build_problems;
pub(super) mod build_set;
pub(super) mod builder;
pub(super) mod builder_tests;
pub(super) mod builders;
pub(super) mod buildstatus;
mod buttons;
pub(super) mod change;
pub(super) mod change_sources;
pub(super) mod changes;
mod columns;
mod common;
pub(super) mod console;
mod drawing;
mod empty;
mod force;
pub(super) mod grid;
mod hands;
pub(super) mod health;
pub(super) mod home;
pub(super) mod log;
pub(super) mod login;
pub(super) mod one_click;
pub(super) mod one_line;
pub(super) mod outbox;
pub(super) mod problem;
pub(super) mod problems;
pub(super) mod queue;
pub(super) mod request;
pub(super) mod revision;
pub(super) mod scheduler;
pub(super) mod schedulers;
pub(super) mod search;
pub(super) mod searches;
pub(super) mod settings;
pub(super) mod several;
pub(super) mod slave;
pub(super) mod slaves;
mod sources;
pub(super) mod step;
mod tail;
mod test_text;
pub(super) mod tests;
pub(super) mod tgrid;
pub(super) mod try_job;
pub(super) mod user;
pub(super) mod users;
pub(super) mod waterfall;
pub(super) mod waterfall_help;
mod words;

pub(super) use about::THEMES;
pub(super) use health::{Component, components};
pub(super) const LOG: &str = log::PAGE.path;
pub(super) use login::login;
pub(super) use tail::first_error;

/// The page that says how the master is, and its other form.
pub(super) const HEALTH: &str = health::PAGE.path;
pub(super) use builder::PAGE as BUILDER;
pub(super) use health::OUTLET as HEALTH_AS_JSON;

/// The address of the page of a request.
pub(super) const REQUEST: &str = request::PAGE.path;
