//! `buildslave`: the native slave and its administration.

use std::process::ExitCode;

fn main() -> ExitCode {
    buildmaster::buildslave::pty::maybe_exec();
    buildmaster::cli::buildslave(std::env::args_os())
}
