//! Reading the text of a configuration: syntax first, then what it says.

use std::sync::Arc;

use super::class::Class;
use super::language::{self, Expanded, Files, NoFiles};
use super::needs::Need;
use super::reader::{Sink, Table};
use super::report::{ConfigError, ConfigErrors};
use super::toplevel::{self, Config};
use super::trace::Trace;
use super::zones::MachineZone;
use crate::model::Zone;

/// What reading a configuration file has found.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The configuration; absent if something is wrong with the file.
    pub config: Option<Config>,
    /// The plain configuration that it becomes (CFL-55); absent if it was not
    /// asked for, or could not be worked out.
    pub expansion: Option<String>,
    /// What is wrong with it, and what is only strange.
    pub problems: ConfigErrors,
    /// What it needs outside of the file, as far as the file could be read.
    pub needs: Vec<Need>,
}

impl Reading {
    /// The configuration with its warnings, if there are no errors.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn into_result(self) -> Result<(Config, ConfigErrors), ConfigErrors> {
        match self.config.filter(|_| self.problems.errors.is_empty()) {
            Some(config) => Ok((config, self.problems)),
            None => Err(self.problems),
        }
    }
}

/// Reads and checks the text of a configuration that includes no files, as [`read`] does.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(
    text: &str,
    file: &str,
    zone: &MachineZone,
) -> Result<(Config, Vec<ConfigError>), ConfigErrors> {
    let (config, problems) = read(text, file, &NoFiles, zone).into_result()?;
    Ok((config, problems.warnings))
}

/// Reads and checks a configuration; `file` is its name for messages, and `files` has those that it
/// includes. What runs by local time and names no time zone runs by that of the machine, `zone`;
/// not knowing that is a mistake only then.
#[must_use]
pub fn read(text: &str, file: &str, files: &dyn Files, zone: &MachineZone) -> Reading {
    read_all(text, file, files, zone, false)
}

/// Reads `text` while `trace` watches which forms of values are wanted.
pub(super) fn read_watched(text: &str, trace: &Trace) {
    let expanded = language::expand(text, "master.toml", &NoFiles);
    let mut sink = Sink::new(&expanded.places);
    sink.watch(trace);
    let root = Table::new(&sink, &toplevel::SHAPE, 0..0, &expanded.root);
    let _: Config = toplevel::read(root, "master.toml", &Ok(Zone::UTC));
}

/// As [`read`], and prints the expansion.
#[must_use]
pub fn read_and_print(text: &str, file: &str, files: &dyn Files, zone: &MachineZone) -> Reading {
    read_all(text, file, files, zone, true)
}

fn read_all(
    text: &str,
    file: &str,
    files: &dyn Files,
    zone: &MachineZone,
    prints: bool,
) -> Reading {
    let Expanded {
        root: tree,
        spare,
        places,
        errors,
        warnings,
        incomplete,
        variables,
        is_lost,
        bundled,
    } = language::expand(text, file, files);
    let is_worked_out = errors.is_empty();
    let places = Arc::new(places);
    let mut sink = Sink::new(&places);
    sink.incomplete = incomplete;
    sink.incomplete.extend(toplevel::of_another_form(&tree));
    sink.variables = variables;
    sink.bundled = bundled;
    sink.take_over(errors, warnings);
    let mut config = None;
    if !is_lost {
        let root = Table::new(&sink, &toplevel::SHAPE, 0..0, &tree);
        config = Some(toplevel::read(root, file, zone));
        sink.warn_of_near_misses();
    }
    let (errors, mut warnings, needs) = sink.into_findings();
    if !errors.is_empty() {
        // What is wrong may be what would use it.
        warnings.retain(|warning| warning.class != Class::Unused);
    }
    Reading {
        config: config.filter(|_| errors.is_empty()),
        expansion: (is_worked_out && prints).then(|| language::print(&tree, &spare)),
        problems: ConfigErrors {
            file: file.to_owned(),
            places,
            errors,
            warnings,
        },
        needs,
    }
}
