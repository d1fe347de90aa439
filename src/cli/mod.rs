//! The verbs of the programs: arguments, messages, exit codes.

pub mod show;
