//! `buildmaster`: the daemon and its administration.

use std::process::ExitCode;

fn main() -> ExitCode {
    buildmaster::buildslave::pty::maybe_exec();
    buildmaster::cli::buildmaster(std::env::args_os())
}
