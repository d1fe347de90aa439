//! Integration tests: parts of the library together, in process.

mod buildslave;
mod buildslave_program;
mod command_lines;
mod connected;
mod features;
mod fuzz_corpus;
mod import_farms;
mod net;
mod ops;
mod options;
mod pb_golden;
mod pb_properties;
mod pb_replay;
mod pb_transcripts;
#[path = "../programs.rs"]
mod programs;
mod readme;
mod report_memory;
mod sendchange;
mod status_client;
mod tidy;
mod told;
mod try_userpass;
mod try_vc;
