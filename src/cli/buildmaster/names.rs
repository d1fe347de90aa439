//! Checks names on command lines, and suggests the nearest existing names.

use anyhow::anyhow;

use super::configuration::{self, CONFIG_FILE};
use crate::model::BuilderName;
use crate::store::State;
use crate::text::{and_more, or};

/// Checks that the builder exists.
///
/// # Errors
/// The builder does not exist (the error names similar builders), or the state cannot be read.
pub(super) fn check_builder(state: &State, builder: &BuilderName) -> anyhow::Result<()> {
    let mut names = state.builder_names()?;
    if names.contains(builder) {
        return Ok(());
    }
    // The state learns of a new builder a moment after the master has started.
    let reading = configuration::read(&state.basedir().join(CONFIG_FILE));
    let config = reading.ok().and_then(|reading| reading.config);
    let configured = config.iter().flat_map(|config| &config.builders);
    names.extend(configured.map(|configured| configured.name.clone()));
    if names.contains(builder) {
        return Ok(());
    }
    names.sort_unstable();
    names.dedup();
    let names = names.iter().map(|name| name.as_str());
    Err(no_such("builder", builder.as_str(), names))
}

/// The error for a missing name, with similar names.
pub(super) fn no_such<'a>(
    kind: &str,
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
) -> anyhow::Error {
    let distance =
        |name: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &wanted.to_lowercase());
    let mut names: Vec<_> = names.map(|name| (distance(name), name)).collect();
    names.sort_unstable();
    let near = names
        .iter()
        .filter(|(distance, _)| *distance <= wanted.chars().count().div_ceil(3));
    let near: Vec<_> = near
        .take(MOST_NEAR)
        .map(|(_, name)| format!("{name:?}"))
        .collect();
    let what = format!("there is no {kind} {wanted:?}");
    if !near.is_empty() {
        return anyhow!("{what}; did you mean {}?", or(near));
    }
    if names.is_empty() {
        return anyhow!("{what}; there are none yet");
    }
    let names = names.iter().map(|(_, name)| format!("{name:?}"));
    anyhow!("{what}; there are {}", and_more(names, MOST_KNOWN))
}

/// Most names that are suggested.
const MOST_NEAR: usize = 3;
/// Most names that are listed where none is near.
const MOST_KNOWN: usize = 8;
