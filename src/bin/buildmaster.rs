//! The program: the master, the clients and the native slave in one file. The name it is called by
//! says which of them it is.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    buildmaster::process::pty::maybe_exec();
    buildmaster::cli::run(std::env::args_os())
}
