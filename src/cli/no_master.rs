//! `buildmaster` on a system where the master does not run.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use super::{SAME_FILE, USAGE, complain, parse};

/// The slave and the client of a continuous-integration master. The master itself needs Unix.
#[derive(Clone, Debug, Parser)]
#[command(name = "buildmaster", version, max_term_width = 100, after_help = SAME_FILE)]
pub(super) struct Cli {
    /// A verb of the master
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Says that the master needs Unix, and what works here.
pub(super) fn buildmaster(args: Vec<OsString>) -> ExitCode {
    let cli = match parse::<Cli>(args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let verb = cli.words.first().cloned().unwrap_or_default();
    complain(&format!(
        "buildmaster: error: `buildmaster {}` needs Linux, macOS or another Unix system; on Windows, \
         this program is the slave (`buildmaster buildslave ...`) and the client \
         (`buildmaster buildbot ...`)",
        verb.display()
    ));
    ExitCode::from(USAGE)
}
