//! End-to-end tests: the three programs as they are built, in a temporary directory, with each
//! other and with real, unmodified Buildbot peers.
//!
//! The peers are installed by `tests/peers.sh`; a test whose peer cannot be had on this machine
//! says so and passes, unless `REQUIRE_PEERS=1`. `SLOW_TESTS=1` makes the long tests run in full
//! size.
//!
//! Nothing here sleeps to pass: a test waits for an event (a line of output, a state that
//! `buildmaster show` prints) with a deadline that only a hung program reaches. Every process that
//! a test starts is ended with it.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod builds;
mod changes;
mod channels;
mod choosing;
mod codebases;
mod configuration;
mod control;
mod eta;
mod expansion;
mod flaky;
mod foresight;
mod git;
mod git_servers;
mod git_settings;
mod harness;
mod hook_programs;
mod hook_rounds;
mod hook_scripts;
mod hooks;
mod import_files;
mod import_state;
mod importing;
mod irc_networks;
mod jobdir;
mod kills;
mod latent;
mod letters;
mod lifecycle;
mod locks;
mod looking;
mod mails;
mod masters;
mod moving;
mod one_click;
mod outbox;
mod output;
mod people;
mod pollers;
mod preflight;
mod problems;
mod program_steps;
#[path = "../programs.rs"]
mod programs;
mod pruning;
mod pushes;
mod readme;
mod reconfiguration;
mod refusals;
mod searches;
mod searches_inside;
mod searching_farm;
mod secrets;
mod service;
mod silent_target;
mod slaves;
mod sources;
mod sources_0814;
mod state;
mod status_client;
mod steering;
mod steps;
mod steps_0814;
mod stopping;
mod strangers;
mod sweep;
mod systems;
mod test_reports;
mod timers;
mod transfers;
mod triggering;
mod triggering_0814;
mod try_client;
mod try_ours;
mod try_userpass;
mod web_acts;
mod web_events;
mod web_json;
mod web_login;
mod web_logs;
mod web_readers;
