//! `buildbot`: what developers and version-control hooks run.

use std::process::ExitCode;

fn main() -> ExitCode {
    buildmaster::cli::buildbot(std::env::args_os())
}
