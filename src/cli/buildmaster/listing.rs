//! Lists of what the state has.

use std::process::ExitCode;

use serde::Serialize;

use super::write_out;
use crate::text::{printable, printable_json};

/// Prints each of `items` in a line: the one that `line` makes of it, or a JSON object.
///
/// # Errors
/// The output cannot be written.
pub(super) fn write_list<T: Serialize>(
    items: impl Iterator<Item = T>,
    as_json: bool,
    line: impl Fn(&T) -> String,
) -> anyhow::Result<ExitCode> {
    write_out(|out| {
        for item in items {
            let line = match as_json {
                true => printable_json(&serde_json::to_string(&item)?),
                false => printable(&line(&item)),
            };
            writeln!(out, "{line}")?;
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
