//! `buildmaster schema`: the JSON schema of the configuration.

use super::write_out;
use crate::config::schema;

/// Print a JSON schema of `master.toml`, with which an editor completes and checks it
///
/// Editors that know TOML, such as those with the language server Taplo, take it by a line at the
/// top of the file: `#:schema ./master.schema.json`. `checkconfig` finds more mistakes.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct SchemaArgs {}

impl SchemaArgs {
    /// Prints the schema.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn run(self) -> anyhow::Result<()> {
        write_out(|out| writeln!(out, "{:#}", schema()))
    }
}
