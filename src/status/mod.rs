//! Those who follow what happens: the status objects of Perspective Broker clients, the bots on
//! IRC, and the outbox.
//!
//! Invariants: who follows cannot slow the master down, and is told nothing that is not on record
//! or on its way there.

mod history;
pub mod irc;
pub mod live;
pub mod lookout;
pub mod outbox;
pub mod pb;
mod problem_facts;
pub mod teller;
pub mod users;
mod values;
mod watched;
