//! `buildmaster man`: writes the manual pages of all three programs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::{program_commands, say, write_out};

/// Write the manual pages of buildmaster, buildbot and buildslave
///
/// With DIR, man writes a page for every program and every verb, such as DIR/buildmaster-start.1.
/// Without DIR, man prints the page of buildmaster itself: view it with
/// `buildmaster man | man -l -`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Man {
    /// Directory for the pages, such as ~/.local/share/man/man1; created if it does not exist
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Writes or prints the pages.
    ///
    /// # Errors
    /// The directory cannot be created, or a page cannot be written.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.dir {
            Some(dir) => write_pages(dir)?,
            None => {
                let [buildmaster, ..] = program_commands();
                let mut page = Vec::new();
                clap_mangen::Man::new(buildmaster).render(&mut page)?;
                write_out(|out| out.write_all(&page))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write_pages(dir: &Path) -> anyhow::Result<()> {
    let doing = || format!("cannot write manual pages to {}", dir.display());
    std::fs::create_dir_all(dir).with_context(doing)?;
    for command in program_commands() {
        clap_mangen::generate_to(command, dir).with_context(doing)?;
    }
    say(&format!("wrote the manual pages to {}", dir.display()));
    Ok(())
}
